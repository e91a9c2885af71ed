"""Optimiser of a network of shift weights: few large tensors instead of many small ones.

All P, all S and all other parameters are laid end to end, so that an optimiser step, the modified
L2 and the clamps cost a handful of operations however many layers there are.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas.shift import ShiftSettings, ShiftWeight, latent_gradients, quantised

REGULARISATIONS = ("weight", "latent", "none")


def flatten(parameters: list[nn.Parameter], device: torch.device) -> tuple[nn.Parameter, Tensor]:
    """Lay parameters and their gradients end to end; views of the two tensors returned."""
    total = sum(p.numel() for p in parameters)
    flat = nn.Parameter(torch.empty(total, device=device))
    gradient = torch.zeros_like(flat)
    flat.grad = gradient
    start = 0
    with torch.no_grad():
        for p in parameters:
            part = slice(start, start + p.numel())
            flat[part] = p.flatten()
            p.data = flat.data[part].view(p.shape)
            p.grad = gradient[part].view(p.shape)
            start += p.numel()
    return flat, gradient


@dataclass(frozen=True)
class StepSettings:
    """What a step does besides following the gradient.

    Parameters
    ----------
    weight_decay: lambda of eq. 15
    regularisation: "weight": lambda/2·sum of w² of the quantised w, through the straight-through
        gradients (eq. 15); "latent": the conventional lambda/2·(P² + S²); "none". Other
        parameters (batch norm, bias, real weights) have plain L2 in all but "none"
    clip: largest norm of the loss gradient, before the regularisation; 0 switches clipping off
    """

    weight_decay: float
    regularisation: str = "weight"
    clip: float = 5.0


class ShiftOptimiser:
    """Rectified Adam over the parameters of a module. Make it after the module is on its device."""

    def __init__(self, module: nn.Module, lr: float, settings: StepSettings, shift: ShiftSettings):
        weights = [m for m in module.modules() if isinstance(m, ShiftWeight)]
        latent = {id(p) for m in weights for p in (m.power, m.sign)}
        others = [p for p in module.parameters() if id(p) not in latent]
        device = next(module.parameters()).device
        self.settings, self.shift = settings, shift
        self.power, self._power_gradient = flatten([m.power for m in weights], device)
        self.sign, self._sign_gradient = flatten([m.sign for m in weights], device)
        self.other, self._other_gradient = flatten(others, device)
        self._gradients = (self._power_gradient, self._sign_gradient, self._other_gradient)
        self._radam = torch.optim.RAdam((self.power, self.sign, self.other), lr=lr)

    def set_lr(self, lr: float) -> None:
        for group in self._radam.param_groups:
            group["lr"] = lr

    def zero_grad(self) -> None:
        for gradient in self._gradients:
            gradient.zero_()

    @torch.no_grad()
    def step(self) -> None:
        """Clip, regularise, step; then keep P in the code's range and S in [-1, 1]."""
        self._clip()
        self._regularise()
        self._radam.step()
        self.power.clamp_(self.shift.power_min, 0)
        self.sign.clamp_(-1, 1)

    @torch.no_grad()
    def _clip(self) -> None:
        if self.settings.clip:
            norm = torch.stack([gradient.norm() for gradient in self._gradients]).norm()
            scale = (self.settings.clip / (norm + 1e-6)).clamp(max=1.0)
            for gradient in self._gradients:
                gradient.mul_(scale)

    @torch.no_grad()
    def _regularise(self) -> None:
        decay, kind = self.settings.weight_decay, self.settings.regularisation
        if kind == "none" or not decay:
            return
        self._other_gradient.add_(self.other, alpha=decay)
        if kind == "latent":
            self._power_gradient.add_(self.power, alpha=decay)
            self._sign_gradient.add_(self.sign, alpha=decay)
            return
        w = quantised(self.power, self.sign, self.shift.power_min)
        power_gradient, sign_gradient = latent_gradients(decay * w, w, self.shift.grad_rule)
        self._power_gradient.add_(power_gradient)
        self._sign_gradient.add_(sign_gradient)

    def state_dict(self) -> dict:
        return self._radam.state_dict()

    def load_state_dict(self, state: dict) -> None:
        self._radam.load_state_dict(state)


def cosine(lr: float, step: int, steps: int, warmup: int = 0) -> float:
    """Learning rate of `step` (from 0) of `steps`: linear warm-up, then a cosine from `lr` to 0."""
    if step < warmup:
        return lr * (step + 1) / warmup
    return lr / 2 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def gradients_of(loss: Tensor, parameters: list[nn.Parameter]) -> None:
    """Set the gradients of `parameters` alone; no other parameter's gradient is computed."""
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
