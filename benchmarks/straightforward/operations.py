"""The candidate operations, each a module of its own."""

from torch import Tensor, cat, nn
from torch.nn import functional

from straightforward.shift import ShiftConv2d


class FactorizedReduce(nn.Module):
    """Halves the sides: two 1×1 convolutions of stride 2, the second a pixel further."""

    def __init__(self, c_in: int, c_out: int, affine: bool):
        super().__init__()
        self.even = ShiftConv2d(c_in, c_out // 2, 1, 2)
        self.odd = ShiftConv2d(c_in, c_out - c_out // 2, 1, 2)
        self.norm = nn.BatchNorm2d(c_out, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(x)
        x = functional.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))
        return self.norm(cat((self.even(x), self.odd(x[:, :, 1:, 1:])), 1))


def relu_conv(c_in: int, c_out: int, affine: bool) -> nn.Module:
    """What brings a cell's inputs to the cell's channels."""
    return nn.Sequential(
        nn.ReLU(), ShiftConv2d(c_in, c_out, 1), nn.BatchNorm2d(c_out, affine=affine)
    )


def _separable(
    channels: int, kernel: int, stride: int, affine: bool, dilation: int = 1
) -> list[nn.Module]:
    return [
        nn.ReLU(),
        ShiftConv2d(channels, channels, kernel, stride, dilation, groups=channels),
        ShiftConv2d(channels, channels, 1),
        nn.BatchNorm2d(channels, affine=affine),
    ]


def _pool(pool: nn.Module, channels: int, norm: bool) -> nn.Module:
    return nn.Sequential(pool, nn.BatchNorm2d(channels, affine=False)) if norm else pool


def make_operation(name: str, channels: int, stride: int, *, search: bool) -> nn.Module:
    """A candidate that keeps `channels`.

    In a search batch norms have no trainable parameters and pools have one too.
    """
    affine = not search
    match name.split("_"):
        case ["sep", "conv", "3x3" | "5x5" as kernel]:
            first = _separable(channels, int(kernel[0]), stride, affine)
            return nn.Sequential(*first, *_separable(channels, int(kernel[0]), 1, affine))
        case ["dil", "conv", "3x3" | "5x5" as kernel]:
            return nn.Sequential(*_separable(channels, int(kernel[0]), stride, affine, dilation=2))
        case ["max", "pool", "3x3"]:
            return _pool(nn.MaxPool2d(3, stride, 1), channels, search)
        case ["avg", "pool", "3x3"]:
            return _pool(nn.AvgPool2d(3, stride, 1, count_include_pad=False), channels, search)
        case ["skip", "connect"]:
            return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels, affine)
    raise ValueError(f"{name}: no plain twin of this operation here; write one")
