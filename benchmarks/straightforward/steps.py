"""Steps of search and training."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from straightforward.shift import ShiftLayer, penalty


def image_tensor(pixels: Tensor, dtype: torch.dtype) -> Tensor:
    """Bytes (N, height, width, channels) as numbers from 0 to 1, channels first."""
    return pixels.permute(0, 3, 1, 2).contiguous().to(dtype) / 256


class WeightOptimiser:
    """RAdam with the modified L2 of eq. 15; plain L2 for what is no shift weight."""

    def __init__(self, net: nn.Module, lr: float, decay: float, clip: float):
        self.net, self.decay, self.clip = net, decay, clip
        self.layers = [m for m in net.modules() if isinstance(m, ShiftLayer)]
        latents = [p for layer in self.layers for p in (layer.power, layer.sign)]
        known = {id(p) for p in latents}
        others = [p for p in net.parameters() if id(p) not in known]
        self.radam = torch.optim.RAdam(
            [{"params": latents}, {"params": others, "weight_decay": decay}], lr=lr
        )

    def step(self, loss: Tensor) -> None:
        """Minimise `loss`: clipped gradient, then the regularisation's, step, clamps."""
        self.radam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), self.clip)
        (self.decay / 2 * penalty(self.net)).backward()
        self.radam.step()
        with torch.no_grad():
            for layer in self.layers:
                layer.power.clamp_(-14, 0)
                layer.sign.clamp_(-1, 1)


class Search:
    """The steps of either stage; `mixture` gives the weights of the candidates."""

    def __init__(
        self,
        net: nn.Module,
        architecture: nn.Module,
        mixture: Callable[[], Tensor],
        optimiser: WeightOptimiser,
        arch_optimiser: torch.optim.Optimizer,
    ):
        self.net, self.architecture, self.mixture = net, architecture, mixture
        self.optimiser, self.arch_optimiser = optimiser, arch_optimiser

    def loss(self, pixels: Tensor, labels: Tensor) -> Tensor:
        weights = self.mixture()
        logits = self.net(image_tensor(pixels, weights.dtype), weights)
        return functional.cross_entropy(logits, labels)

    def weight_step(self, pixels: Tensor, labels: Tensor) -> float:
        loss = self.loss(pixels, labels)
        self.optimiser.step(loss)
        return float(loss.detach())

    def architecture_step(self, pixels: Tensor, labels: Tensor) -> float:
        self.arch_optimiser.zero_grad()
        loss = self.loss(pixels, labels)
        loss.backward()
        self.arch_optimiser.step()
        return float(loss.detach())

    def joint_step(self, pixels: Tensor, labels: Tensor) -> float:
        self.arch_optimiser.zero_grad()
        loss = self.loss(pixels, labels)
        self.optimiser.step(loss)
        self.arch_optimiser.step()
        return float(loss.detach())


class Training:
    """The steps of an evaluation network."""

    def __init__(self, net: nn.Module, optimiser: WeightOptimiser):
        self.net, self.optimiser = net, optimiser

    def loss(self, pixels: Tensor, labels: Tensor) -> Tensor:
        dtype = next(self.net.parameters()).dtype
        return functional.cross_entropy(self.net(image_tensor(pixels, dtype)), labels)

    def weight_step(self, pixels: Tensor, labels: Tensor) -> float:
        loss = self.loss(pixels, labels)
        self.optimiser.step(loss)
        return float(loss.detach())
