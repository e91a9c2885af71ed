"""Optimiser of a network of shift weights: few large tensors instead of many small ones.

All P, all S and all other parameters are laid end to end, so that an optimiser step, the modified L2
and the clamps cost a handful of operations however many layers there are.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas.shift import ShiftSettings, ShiftWeight, latent_gradients, quantised

REGULARISATIONS = ("weight", "latent", "none")


def flatten(parameters: list[nn.Parameter], device: torch.device) -> nn.Parameter:
    """Lay parameters and their gradients end to end; they become views of the tensor returned."""
    total = sum(p.numel() for p in parameters)
    flat = nn.Parameter(torch.empty(total, device=device))
    flat.grad = torch.zeros_like(flat)
    start = 0
    with torch.no_grad():
        for p in parameters:
            part = slice(start, start + p.numel())
            flat[part] = p.flatten()
            p.data = flat.data[part].view(p.shape)
            p.grad = flat.grad[part].view(p.shape)
            start += p.numel()
    return flat


@dataclass(frozen=True)
class StepSettings:
    """Parameters
    ----------
    weight_decay: lambda of eq. 15
    regularisation: "weight": lambda/2·sum of w² of the quantised w, through the straight-through
        gradients (eq. 15); "latent": the conventional lambda/2·(P² + S²); "none". Other parameters
        (batch norm, bias, real weights) have plain L2 in all but "none"
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
        self.power = flatten([m.power for m in weights], device)
        self.sign = flatten([m.sign for m in weights], device)
        self.other = flatten(others, device)
        self._tensors = (self.power, self.sign, self.other)
        self._radam = torch.optim.RAdam(self._tensors, lr=lr)

    def set_lr(self, lr: float) -> None:
        for group in self._radam.param_groups:
            group["lr"] = lr

    def zero_grad(self) -> None:
        for tensor in self._tensors:
            tensor.grad.zero_()

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
            norm = torch.stack([t.grad.norm() for t in self._tensors]).norm()
            scale = (self.settings.clip / (norm + 1e-6)).clamp(max=1.0)
            for tensor in self._tensors:
                tensor.grad.mul_(scale)

    @torch.no_grad()
    def _regularise(self) -> None:
        decay, kind = self.settings.weight_decay, self.settings.regularisation
        if kind == "none" or not decay:
            return
        self.other.grad.add_(self.other, alpha=decay)
        if kind == "latent":
            self.power.grad.add_(self.power, alpha=decay)
            self.sign.grad.add_(self.sign, alpha=decay)
            return
        w = quantised(self.power, self.sign, self.shift.power_min)
        power_gradient, sign_gradient = latent_gradients(decay * w, w, self.shift.grad_rule)
        self.power.grad.add_(power_gradient)
        self.sign.grad.add_(sign_gradient)

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
