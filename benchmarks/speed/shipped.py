"""The steps of `nas/`, as its own loops take them."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional

from hw.networks import genotypes
from hw.networks.cells import build
from nas.bilevel import first_order
from nas.config import TrainConfig
from nas.model import GraphModel, image_tensor
from nas.optimise import ShiftOptimiser, StepSettings
from nas.search_config import SearchConfig
from nas.shift import ShiftSettings
from nas.strategies.strategy import Architecture, Moment
from nas.supernet import Supernet

GENOTYPE = "ShiftNAS_C10"
BEGINNING = Moment(0, SearchConfig().topology_epochs)
"""Where the temperature of the topology search begins."""

Autocast = Callable[[], AbstractContextManager]


def _optimiser(module: nn.Module, config: SearchConfig | TrainConfig) -> ShiftOptimiser:
    return ShiftOptimiser(module, config.lr, StepSettings.of(config), ShiftSettings())


def _images(pixels: Tensor, net: nn.Module) -> Tensor:
    return image_tensor(pixels).to(next(net.parameters()).dtype)


def _wide(logits: Tensor) -> Tensor:
    """Losses are taken in float32, or wider where the network is."""
    return logits.float() if logits.dtype == torch.bfloat16 else logits


def adam(architecture: nn.Module) -> torch.optim.Optimizer:
    """The optimiser of architecture parameters, of both sides."""
    config = SearchConfig()
    parameters, lr = architecture.parameters(), config.arch_lr
    betas = config.arch_beta, 0.999
    return torch.optim.Adam(parameters, lr=lr, betas=betas, weight_decay=config.arch_decay)


class ShippedSearch:
    """A stage of the search. Images are bytes (N, height, width, channels)."""

    def __init__(
        self,
        net: Supernet,
        architecture: Architecture,
        autocast: Autocast = nullcontext,
    ):
        self.net, self.architecture, self.autocast = net.train(), architecture, autocast
        self.arch_optimiser = adam(architecture)

    @cached_property
    def optimiser(self) -> ShiftOptimiser:
        # Made when it is first needed: it holds its parameters in float32.
        return _optimiser(self.net, SearchConfig())

    def loss(self, pixels: Tensor, labels: Tensor, trains_architecture: bool = True) -> Tensor:
        coefficients = self.architecture.coefficients(BEGINNING)
        if not trains_architecture:
            coefficients = coefficients.detach()
        with self.autocast():
            logits = self.net(_images(pixels, self.net), coefficients)
        return functional.cross_entropy(_wide(logits), labels)

    def weight_step(self, pixels: Tensor, labels: Tensor) -> float:
        self.optimiser.zero_grad()
        loss = self.loss(pixels, labels, False)
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    def architecture_step(self, pixels: Tensor, labels: Tensor) -> float:
        parameters = list(self.architecture.parameters())
        loss = first_order(lambda: self.loss(pixels, labels), parameters)
        self.arch_optimiser.step()
        return float(loss)

    def joint_step(self, pixels: Tensor, labels: Tensor) -> float:
        self.optimiser.zero_grad()
        self.arch_optimiser.zero_grad()
        loss = self.loss(pixels, labels)
        loss.backward()
        self.optimiser.step()
        self.arch_optimiser.step()
        return float(loss.detach())


class ShippedTraining:
    """Training of the network of `GENOTYPE`, without augmentation and drop-path."""

    def __init__(self, model: GraphModel, autocast: Autocast = nullcontext):
        self.net, self.autocast = model.train(), autocast

    @cached_property
    def optimiser(self) -> ShiftOptimiser:
        return _optimiser(self.net, TrainConfig())

    def loss(self, pixels: Tensor, labels: Tensor) -> Tensor:
        with self.autocast():
            logits = self.net(_images(pixels, self.net))
        return functional.cross_entropy(_wide(logits), labels)

    def weight_step(self, pixels: Tensor, labels: Tensor) -> float:
        self.optimiser.zero_grad()
        loss = self.loss(pixels, labels)
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())


def evaluation_network(channels: int, cells: int, image: tuple, classes: int) -> GraphModel:
    """The network of `GENOTYPE`, with new weights."""
    sizes = {"channels": channels, "cells": cells, "image": image, "classes": classes}
    return GraphModel(build(genotypes.get(GENOTYPE), **sizes))
