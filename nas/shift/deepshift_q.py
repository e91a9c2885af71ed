"""DeepShift-Q: one real number is trained for each weight and rounded in every forward pass.

w = sign(x)·2**round(log2 |x|), the exponent clamped to the code's range, dw/dx = 1. Weights smaller
than half of the smallest power are zero: they are nearer to zero than to it, and a number that
changes sign passes through zero instead of jumping from one smallest power to the other.
"""

import math

import torch
from torch import Tensor, nn

from nas.shift.settings import ShiftSettings
from nas.shift.weight import ShiftWeight, StraightThrough


def nearest_in_log(x: Tensor, power_min: int) -> tuple[Tensor, Tensor]:
    """Sign in {-1, 0, 1} and exponent of `x` rounded in the logarithm, both in the type of `x`.

    The exponent is floor(log2 |x| + 1/2), found without a logarithm: the same on every device.
    """
    mantissa, exponent = torch.frexp(x.abs())
    power = exponent - (mantissa < math.sqrt(0.5)).to(exponent.dtype)
    sign = torch.where(x.abs() < 2.0 ** (power_min - 1), 0, x.sign())
    return sign, power.clamp(power_min, 0).to(x.dtype)


def _quantised(x: Tensor, power_min: int) -> Tensor:
    sign, power = nearest_in_log(x, power_min)
    return sign * torch.exp2(power)


class DeepShiftQ(ShiftWeight):
    """Weights of which one real number, `value`, is trained."""

    LATENTS = ("value",)
    value: nn.Parameter

    @torch.no_grad()
    def reset(self) -> None:
        self.value.copy_(self._draw_real())

    @torch.no_grad()
    def assign(self, weights: Tensor) -> None:
        self.value.copy_(weights.clamp(-1, 1))

    def forward(self) -> Tensor:
        rounded = _quantised(self.value.detach(), self.settings.power_min)
        return StraightThrough.apply(self.value, rounded)

    @torch.no_grad()
    def to_int(self) -> tuple[Tensor, Tensor]:
        sign, power = nearest_in_log(self.value, self.settings.power_min)
        return sign.long(), power.long()

    @staticmethod
    def l2_gradients(decay: float, settings: ShiftSettings, *latents: Tensor) -> tuple[Tensor, ...]:
        (value,) = latents
        return (decay * _quantised(value, settings.power_min),)

    @staticmethod
    def clamp_(settings: ShiftSettings, *latents: Tensor) -> None:
        """The largest weight is 1: a larger number could only go back before it counted again."""
        (value,) = latents
        value.clamp_(-1, 1)
