"""DeepShift-PS, the paper's shift weight: P and S are trained (eq. 6 to 10).

w = flip(2**P, S) = sign(S)·2**round(P), eq. 6; sign(S) is (S >= 0.5) - (S <= -0.5), eq. 7 as
written; rounding is floor(x + 1/2), the rounding of the whole project.
"""

import math

import torch
from torch import Tensor, nn

from nas.shift.settings import GradRule, ShiftSettings
from nas.shift.weight import ShiftWeight, round_half_up, sign_of


def power_of(p: Tensor, power_min: int) -> Tensor:
    """Integer exponent of the latent P (eq. 6), clamped to the code's range, in the type of `p`."""
    return round_half_up(p).clamp(power_min, 0)


def quantised(p: Tensor, s: Tensor, power_min: int) -> Tensor:
    """w = flip(2**P, S) (eq. 6)."""
    return sign_of(s) * torch.exp2(power_of(p, power_min))


def latent_gradients(gradient: Tensor, w: Tensor, grad_rule: str) -> tuple[Tensor, Tensor]:
    """Gradients of P and S where `gradient` is that of the quantised weights `w` (eq. 10)."""
    slope = w * math.log(2)
    match grad_rule:
        case GradRule.PAPER:
            return gradient * slope * w.abs(), gradient
        case GradRule.EXACT:
            return gradient * slope, gradient
    raise ValueError(f"grad_rule: {grad_rule!r}")


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


class DeepShiftPS(ShiftWeight):
    """Weights whose `power` P and `sign` S are trained."""

    LATENTS = ("power", "sign")
    power: nn.Parameter
    sign: nn.Parameter

    @torch.no_grad()
    def reset(self) -> None:
        for latent, drawn in zip(self.latents, self._draw(), strict=True):
            latent.copy_(drawn)

    @torch.no_grad()
    def assign(self, weights: Tensor) -> None:
        """As DeepShift-Q rounds: to the nearest in the logarithm, and small ones to zero."""
        least = self.settings.power_min
        self.power.copy_(weights.abs().log2().clamp(least, 0))
        self.sign.copy_(torch.where(weights.abs() < 2.0 ** (least - 1), 0, weights.sign()))

    def forward(self) -> Tensor:
        settings = self.settings
        return _Quantise.apply(self.power, self.sign, settings.power_min, settings.grad_rule)

    @torch.no_grad()
    def to_int(self) -> tuple[Tensor, Tensor]:
        power = power_of(self.power, self.settings.power_min)
        return sign_of(self.sign).long(), power.long()

    @staticmethod
    def l2_gradients(decay: float, settings: ShiftSettings, *latents: Tensor) -> tuple[Tensor, ...]:
        power, sign = latents
        w = quantised(power, sign, settings.power_min)
        return latent_gradients(decay * w, w, settings.grad_rule)

    @staticmethod
    def clamp_(settings: ShiftSettings, *latents: Tensor) -> None:
        power, sign = latents
        power.clamp_(settings.power_min, 0)
        sign.clamp_(-1, 1)
