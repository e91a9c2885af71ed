"""Incremental quantisation (INQ, Zhou et al. 2017): real weights are rounded share by share.

At given points of the training the largest weights of each tensor that are still real are rounded
to powers of two and frozen; the rest is trained on and makes up for the error. Training is cut into
one part more than there are portions: the first part trains all weights, the last none (but batch
norms and biases).
"""

import torch
from torch import Tensor, nn

from hw.errors import InputError
from nas.shift.settings import ShiftSettings
from nas.shift.weight import ShiftWeight


def nearest_power(x: Tensor, low: int, high: int) -> tuple[Tensor, Tensor]:
    """Sign in {-1, 0, 1} and exponent in [low, high] of the power of two nearest to `x`, int64.

    INQ's rule: b where (a + b)/2 <= |x| < 3b/2, a and b neighbours among 0 and the powers of two.
    So numbers smaller than half of the smallest power are zero, as in DeepShift-Q.
    """
    mantissa, exponent = torch.frexp(x.abs())
    power = torch.where(mantissa >= 0.75, exponent, exponent - 1)
    sign = torch.where(x.abs() < 2.0 ** (low - 1), 0, x.sign())
    return sign.long(), power.clamp(low, high).long()


def largest_power(x: Tensor, low: int) -> int:
    """n1 = floor(log2(4·max|x| / 3)), INQ's largest exponent for the tensor, within [low, 0]."""
    largest = x.abs().max()
    return int(nearest_power(largest, low, 0)[1]) if largest else low


def portion_at(progress: float, portions: tuple[float, ...]) -> float:
    """Share of a tensor that is frozen where `progress`, 0 to 1, of the training is done."""
    parts = len(portions) + 1
    # 3/5·5 must be 3 whatever the floats say.
    step = min(int(progress * parts + 1e-6), len(portions))
    return portions[step - 1] if step else 0.0


class IncrementalWeight(ShiftWeight):
    """Real weights `value`, of which those marked `frozen` are the powers of two in `rounded`.

    INQ's smallest exponent n2 is n1 + 1 less the number of exponents that its code holds; the
    code's own smallest exponent is never below that, as n1 is never above 0, and takes its place.
    """

    LATENTS = ("value",)
    value: nn.Parameter
    frozen: Tensor
    rounded: Tensor
    n1: Tensor

    @torch.no_grad()
    def reset(self) -> None:
        self.value.copy_(self._draw_real())
        self.register_buffer("frozen", torch.zeros_like(self.value, dtype=torch.bool))
        self.register_buffer("rounded", torch.zeros_like(self.value))
        self.register_buffer("n1", torch.zeros((), dtype=torch.long, device=self.value.device))

    @torch.no_grad()
    def assign(self, weights: Tensor) -> None:
        """None of them frozen yet: they are what is given, but for those above 1."""
        self.value.copy_(weights.clamp(-1, 1))
        self.frozen.zero_()

    def forward(self) -> Tensor:
        """Frozen weights as powers of two, the others as they are."""
        return torch.where(self.frozen, self.rounded, self.value)

    @torch.no_grad()
    def advance(self, progress: float) -> None:
        """Freeze what is to be frozen where `progress`, 0 to 1, of the training is done."""
        wanted = portion_at(progress, self.settings.inq_portions)
        count = int(wanted * self.value.numel() + 0.5) - int(self.frozen.sum())
        if count <= 0:
            return
        low = self.settings.power_min
        if not self.frozen.any():
            self.n1.fill_(largest_power(self.value, low))
        sizes = torch.where(self.frozen, -1.0, self.value.abs()).flatten()
        chosen = sizes.argsort(descending=True, stable=True)[:count]
        sign, power = nearest_power(self.value.flatten()[chosen], low, int(self.n1))
        self.rounded.view(-1)[chosen] = sign * torch.exp2(power.to(self.rounded.dtype))
        self.frozen.view(-1)[chosen] = True

    @torch.no_grad()
    def to_int(self) -> tuple[Tensor, Tensor]:
        if not self.frozen.all():
            share = 1 - float(self.frozen.float().mean())
            raise InputError(
                f"shift.layer: inq: {100 * share:.3g} % of the weights are still real; "
                "train on to the last epoch, in which all are powers of two"
            )
        return nearest_power(self.rounded, self.settings.power_min, 0)

    @staticmethod
    def l2_gradients(decay: float, settings: ShiftSettings, *latents: Tensor) -> tuple[Tensor, ...]:
        """Of the real numbers, which are the weights; those of frozen weights mean nothing."""
        (value,) = latents
        return (decay * value,)

    @staticmethod
    def clamp_(settings: ShiftSettings, *latents: Tensor) -> None:
        (value,) = latents
        value.clamp_(-1, 1)
