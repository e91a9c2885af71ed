"""What every kind of shift weight offers."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from nas.shift.settings import Init, ShiftSettings


def round_half_up(x: Tensor) -> Tensor:
    """floor(x + 1/2), element by element (torch.round would round halves to even)."""
    return torch.floor(x + 0.5)


def sign_of(s: Tensor) -> Tensor:
    """Ternary sign of the latent S (eq. 7), in the type of `s`."""
    return (s >= 0.5).to(s.dtype) - (s <= -0.5).to(s.dtype)


class ShiftWeight(nn.Module, ABC):
    """A tensor of shift weights; calling it gives the quantised weights, differentiable.

    The trained real numbers behind them are its latents, parameters of the weights' shape named in
    `LATENTS`. The static methods take latents of any shape, in that order, so that an optimiser can
    treat those of all layers at once.

    Parameters
    ----------
    shape: of the weights, (out, in, ...) unless `fan_in` says how many inputs an output has
    """

    LATENTS: ClassVar[tuple[str, ...]]

    def __init__(self, shape: tuple[int, ...], settings: ShiftSettings, fan_in: int | None = None):
        super().__init__()
        self.fan_in = fan_in or math.prod(shape[1:])
        self.settings = settings
        for name in self.LATENTS:
            self.register_parameter(name, nn.Parameter(torch.empty(shape)))
        self.reset()

    @property
    def latents(self) -> tuple[nn.Parameter, ...]:
        return tuple(getattr(self, name) for name in self.LATENTS)

    @abstractmethod
    def reset(self) -> None:
        """Draw new latents."""

    @abstractmethod
    def assign(self, weights: Tensor) -> None:
        """Latents whose quantised weights are those nearest to `weights`, real numbers."""

    @abstractmethod
    def forward(self) -> Tensor:
        """The quantised weights, float32."""

    @abstractmethod
    def to_int(self) -> tuple[Tensor, Tensor]:
        """Sign in {-1, 0, 1} and exponent p of every weight (int64); p of a zero means nothing.

        Raises
        ------
        InputError: weights that are still real (`IncrementalWeight`)
        """

    @staticmethod
    @abstractmethod
    def l2_gradients(decay: float, settings: ShiftSettings, *latents: Tensor) -> tuple[Tensor, ...]:
        """Gradients of decay/2·sum of w² over the quantised weights w (eq. 15)."""

    @staticmethod
    @abstractmethod
    def clamp_(settings: ShiftSettings, *latents: Tensor) -> None:
        """Keep latents, in place, where the code's range can follow."""

    def _draw(self) -> tuple[Tensor, Tensor]:
        """First values of P and S: w = flip(2**P, S), P not rounded."""
        settings, shape = self.settings, self.latents[0].shape
        match settings.init:
            case Init.KAIMING:
                real = torch.randn(shape) * math.sqrt(2 / self.fan_in)
                power = real.abs().log2().clamp(settings.power_min, 0)
                return power, torch.where(real < 0, -1.0, 1.0)
            case Init.UNIFORM:
                return torch.empty(shape).uniform_(-10, -1), torch.empty(shape).uniform_(-1, 1)
        raise ValueError(f"init: {settings.init!r}")

    def _draw_real(self) -> Tensor:
        """First values of weights that are one real number each: the same draw."""
        power, sign = self._draw()
        return sign_of(sign) * torch.exp2(power)


def shift_weights(module: nn.Module) -> list[ShiftWeight]:
    """The shift weights in a module, layer after layer."""
    return [one for one in module.modules() if isinstance(one, ShiftWeight)]


class StraightThrough(torch.autograd.Function):
    """A rounded tensor in place of the real one; the gradient is the identity's."""

    @staticmethod
    def forward(ctx, x: Tensor, rounded: Tensor) -> Tensor:
        return rounded

    @staticmethod
    def backward(ctx, gradient: Tensor):
        return gradient, None
