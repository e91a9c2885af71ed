"""Layers with shift (or real) weights, and the one place that chooses a kind of weight."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.shift.deepshift_ps import DeepShiftPS
from nas.shift.deepshift_q import DeepShiftQ
from nas.shift.inq import IncrementalWeight
from nas.shift.real import RealWeight
from nas.shift.settings import Domain, Layer, ShiftSettings
from nas.shift.weight import ShiftWeight

KINDS: dict[str, type[ShiftWeight]] = {
    Layer.PS: DeepShiftPS,
    Layer.Q: DeepShiftQ,
    Layer.INQ: IncrementalWeight,
}
"""Class of each `ShiftSettings.layer`."""


def make_weight(
    shape: tuple[int, ...],
    settings: ShiftSettings,
    fan_in: int | None = None,
    domain: str = "shift",
) -> ShiftWeight | RealWeight:
    """A tensor of new weights; calling it gives them.

    Parameters
    ----------
    shape: (out, in, ...) unless `fan_in` says how many inputs an output has
    domain: "shift" or "real"
    """
    match domain:
        case Domain.REAL:
            return RealWeight(shape, fan_in)
        case Domain.SHIFT:
            return KINDS[settings.layer](shape, settings, fan_in)
    raise ValueError(f"domain {domain!r}: expected one of {', '.join(Domain)}")


def advance_weights(module: nn.Module, progress: float) -> None:
    """Freeze the shares of INQ weights in `module` that are due; other weights have none.

    To be called before each epoch; `progress` is 0 before the first and 1 before the last.
    """
    for weight in module.modules():
        if isinstance(weight, IncrementalWeight):
            weight.advance(progress)


class ShiftConv2d(nn.Module):
    """Convolution without bias; arguments as in `torch.nn.Conv2d`.

    With domain "real" it has real weights, for comparisons.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] = (0, 0),
        dilation: tuple[int, int] = (1, 1),
        groups: int = 1,
        settings: ShiftSettings | None = None,
        domain: str = "shift",
    ):
        super().__init__()
        self.stride, self.padding = stride, padding
        self.dilation, self.groups = dilation, groups
        shape = (out_channels, in_channels // groups, *kernel_size)
        self.weight = make_weight(shape, settings or ShiftSettings(), domain=domain)

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(
            x, self.weight(), None, self.stride, self.padding, self.dilation, self.groups
        )


class ShiftLinear(nn.Module):
    """Fully connected layer with shift (or real) weights (out, in) and a real bias."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        settings: ShiftSettings | None = None,
        domain: str = "shift",
    ):
        super().__init__()
        shape = (out_features, in_features)
        self.weight = make_weight(shape, settings or ShiftSettings(), domain=domain)
        self.bias = nn.Parameter(torch.zeros(out_features))

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight(), self.bias)
