"""Layers with shift (or real) weights in place of torch's, and the one place that chooses a kind of
weight.
"""

from typing import Any

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


class _Layer(nn.Module):
    """A layer of torch's whose `weight` is a module that gives the weights.

    Its arguments are torch's, and after them, by name, `settings` (`ShiftSettings`) and `domain`
    ("shift", or "real" for comparisons). A bias is real, and begins with zeros.
    """

    weight: ShiftWeight | RealWeight  # pyright: ignore[reportIncompatibleVariableOverride]
    bias: nn.Parameter | None  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(
        self,
        *arguments: Any,
        settings: ShiftSettings | None = None,
        domain: str = "shift",
        **options: Any,
    ):
        super().__init__(*arguments, **options)
        own = self._parameters.pop("weight")
        assert own is not None
        made = make_weight(tuple(own.shape), settings or ShiftSettings(), domain=domain)
        self.weight = made.to(own.device, own.dtype)

    def reset_parameters(self) -> None:
        """Draw new weights, and a bias of zeros."""
        # torch's constructor calls this too, when the weights are not yet ours.
        if isinstance(self.weight, nn.Module):
            self.weight.reset()
        if self.bias is not None:
            nn.init.zeros_(self.bias)


class Conv1d(_Layer, nn.Conv1d):
    """`torch.nn.Conv1d` with shift weights (out, in / groups, k)."""

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight(), self.bias)


class Conv2d(_Layer, nn.Conv2d):
    """`torch.nn.Conv2d` with shift weights (out, in / groups, kh, kw).

    A strided convolution of single pixels takes the pixels first: the gradient of torch's own
    (2.13, oneDNN, AVX2) writes beyond its memory where channels_last images have few channels.
    """

    def forward(self, input: Tensor) -> Tensor:
        single = self.kernel_size == (1, 1) and self.padding == (0, 0)
        if single and self.stride != (1, 1):
            rows, columns = self.stride
            pixels = input[:, :, ::rows, ::columns]
            return functional.conv2d(pixels, self.weight(), self.bias, groups=self.groups)
        return self._conv_forward(input, self.weight(), self.bias)


class Linear(_Layer, nn.Linear):
    """`torch.nn.Linear` with shift weights (out, in)."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input, self.weight(), self.bias)
