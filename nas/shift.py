"""Weights that are 0 or ±2**p, trained through straight-through estimators (paper section 4.1).

A shift weight is a pair of trainable real numbers (P, S). Its value is w = sign(S)·2**round(P),
eq. 6; sign(S) is (S >= 0.5) - (S <= -0.5), eq. 7 as written; rounding is floor(x + 1/2), the
rounding of the whole project.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from hw.ir.weights import P_MIN

GRAD_RULES = ("paper", "exact")
INITS = ("kaiming", "uniform")


@dataclass(frozen=True)
class ShiftSettings:
    """How shift weights are made and trained.

    Parameters
    ----------
    weight_bits: 5 (p in [-14, 0]) or 6 (p in [-15, 0])
    max_shift: p is kept at -max_shift or more, also where the code holds less; fewer make narrower
        adders
    grad_rule: "paper": dw/dP = w·2**p·ln 2 (eq. 9); "exact": the derivative of s·2**P, w·ln 2;
        dw/dS = 1 in both
    init: "kaiming": P and S of a Kaiming-normal draw; "uniform": P ~ U(-10, -1), S ~ U(-1, 1)
    stem, classifier: whether these are shifted too; a real-valued layer cannot be exported
    """

    weight_bits: int = 5
    max_shift: int = 15
    grad_rule: str = "paper"
    init: str = "kaiming"
    stem: bool = True
    classifier: bool = True

    @property
    def power_min(self) -> int:
        """Smallest exponent p of a weight; the largest is 0."""
        return max(P_MIN[self.weight_bits], -self.max_shift)


def round_half_up(x: Tensor) -> Tensor:
    """floor(x + 1/2), element by element (torch.round would round halves to even)."""
    return torch.floor(x + 0.5)


def sign_of(s: Tensor) -> Tensor:
    """Ternary sign of the latent S (eq. 7), in the type of `s`."""
    return (s >= 0.5).to(s.dtype) - (s <= -0.5).to(s.dtype)


def power_of(p: Tensor, power_min: int) -> Tensor:
    """Integer exponent of the latent P (eq. 6), clamped to the code's range, in the type of `p`."""
    return round_half_up(p).clamp(power_min, 0)


def quantised(p: Tensor, s: Tensor, power_min: int) -> Tensor:
    """w = flip(2**P, S) (eq. 6)."""
    return sign_of(s) * torch.exp2(power_of(p, power_min))


def latent_gradients(gradient: Tensor, w: Tensor, grad_rule: str) -> tuple[Tensor, Tensor]:
    """Gradients of P and S where `gradient` is that of the quantised weights `w` (eq. 10)."""
    slope = w * math.log(2)
    if grad_rule == "paper":
        slope = slope * w.abs()
    return gradient * slope, gradient


class _Quantise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, p: Tensor, s: Tensor, power_min: int, grad_rule: str) -> Tensor:
        w = quantised(p, s, power_min)
        ctx.save_for_backward(w)
        ctx.grad_rule = grad_rule
        return w

    @staticmethod
    def backward(ctx, gradient: Tensor):
        (w,) = ctx.saved_tensors
        p_gradient, s_gradient = latent_gradients(gradient, w, ctx.grad_rule)
        return p_gradient, s_gradient, None, None


class ShiftWeight(nn.Module):
    """A tensor of shift weights; calling it gives the quantised weights.

    They are differentiable in `power` and `sign`. `fan_in`, of the Kaiming draw, is that of a
    weight (out, in, ...) unless given.
    """

    def __init__(self, shape: tuple[int, ...], settings: ShiftSettings, fan_in: int | None = None):
        super().__init__()
        self.fan_in = fan_in or math.prod(shape[1:])
        self.settings = settings
        self.power = nn.Parameter(torch.empty(shape))
        self.sign = nn.Parameter(torch.empty(shape))
        self.reset()

    @torch.no_grad()
    def reset(self) -> None:
        """Draw new P and S."""
        if self.settings.init == "kaiming":
            real = torch.randn(self.power.shape) * math.sqrt(2 / self.fan_in)
            self.power.copy_(real.abs().log2().clamp(self.settings.power_min, 0))
            self.sign.copy_(torch.where(real < 0, -1.0, 1.0))
        else:
            self.power.uniform_(-10, -1)
            self.sign.uniform_(-1, 1)

    def forward(self) -> Tensor:
        return _Quantise.apply(
            self.power, self.sign, self.settings.power_min, self.settings.grad_rule
        )

    @torch.no_grad()
    def to_int(self) -> tuple[Tensor, Tensor]:
        """Sign in {-1, 0, 1} and exponent p of every weight (int64)."""
        power = power_of(self.power, self.settings.power_min)
        return sign_of(self.sign).long(), power.long()


class RealWeight(nn.Module):
    """A tensor of ordinary real weights, for comparisons with the real-valued domain."""

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        self.value = nn.Parameter(nn.init.kaiming_normal_(torch.empty(shape)))

    def forward(self) -> Tensor:
        return self.value


class ShiftConv2d(nn.Module):
    """Convolution with shift weights, without bias; arguments as in `torch.nn.Conv2d`."""

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
    ):
        super().__init__()
        self.stride, self.padding = stride, padding
        self.dilation, self.groups = dilation, groups
        shape = (out_channels, in_channels // groups, *kernel_size)
        self.weight = self.make_weight(shape, settings)

    @staticmethod
    def make_weight(shape: tuple[int, ...], settings: ShiftSettings | None) -> nn.Module:
        return ShiftWeight(shape, settings or ShiftSettings())

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(
            x, self.weight(), None, self.stride, self.padding, self.dilation, self.groups
        )


class RealConv2d(ShiftConv2d):
    """The same convolution with real weights."""

    @staticmethod
    def make_weight(shape: tuple[int, ...], settings: ShiftSettings | None) -> nn.Module:
        return RealWeight(shape)


class ShiftLinear(nn.Module):
    """Fully connected layer with shift weights (out, in) and a real bias."""

    def __init__(self, in_features: int, out_features: int, settings: ShiftSettings | None = None):
        super().__init__()
        self.weight = ShiftConv2d.make_weight((out_features, in_features), settings)
        self.bias = nn.Parameter(torch.zeros(out_features))

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight(), self.bias)
