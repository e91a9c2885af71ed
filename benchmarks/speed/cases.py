"""What is measured: networks and steps, both sides with the same weights."""

from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from straightforward.mixtures import OperationMixture, TopologyMixture
from straightforward.networks import EvaluationCell, Network, SearchCell
from straightforward.steps import Search, Training, WeightOptimiser
from torch import Tensor, nn

from hw.networks import genotypes
from hw.networks.cells import skeleton
from nas.cell import Cell, search_space
from nas.config import TrainConfig
from nas.search_config import SearchConfig
from nas.shift import ShiftSettings
from nas.strategies.operation_search import OperationArchitecture, groups_of
from nas.strategies.topology_search import TopologyArchitecture
from nas.supernet import Supernet
from speed.pairs import Pair, copy_weights, search_pairs, training_pairs
from speed.shipped import (
    GENOTYPE,
    Autocast,
    ShippedSearch,
    ShippedTraining,
    adam,
    evaluation_network,
)

CLASSES = 10
SIDES = ("shipped", "straightforward")


@dataclass(frozen=True)
class Stage:
    """A stage of a case: the sides' steps that are timed, by name."""

    name: str
    steps: tuple[str, ...]


OPERATION = Stage("operation", ("weight", "architecture"))
TOPOLOGY = Stage("topology", ("joint",))
TRAINING = Stage("training", ("weight",))


@dataclass(frozen=True)
class Case:
    """A network, `image` (height, width, channels), and the stages it goes through."""

    name: str
    channels: int
    cells: int
    image: tuple[int, int, int]
    stages: tuple[Stage, ...]

    @property
    def title(self) -> str:
        height, width, depth = self.image
        return f"{self.name}: {self.cells} cells, C={self.channels}, {height}×{width}×{depth}"

    def batch(self, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Random images and labels, the same in every process."""
        generator = torch.Generator().manual_seed(1)
        pixels = torch.randint(0, 256, (size, *self.image), dtype=torch.uint8, generator=generator)
        labels = torch.randint(0, CLASSES, (size,), generator=generator)
        return pixels.to(device), labels.to(device)


def cases(device: torch.device) -> dict[str, Case]:
    """The paper's search, the demo's, and training; the paper's network only on a GPU."""
    search, train = SearchConfig(), TrainConfig()
    size = (train.channels, train.cells) if device.type == "cuda" else (16, 8)
    stages = (OPERATION, TOPOLOGY)
    return {
        "paper": Case("paper", search.channels, search.cells, (32, 32, 3), stages),
        "small": Case("small", 4, 3, (28, 28, 1), stages),
        "training": Case("training", *size, (32, 32, 3), (TRAINING,)),
    }


def retained() -> tuple[Any, Any]:
    """Candidates of a topology search that have every operation, in both kinds of cells."""
    config = SearchConfig()
    conv, topology = groups_of(config.candidates.normal)
    edges = range(len(Cell(config.nodes).edges))
    pairs = tuple((conv[k % len(conv)], topology[k % len(topology)]) for k in edges)
    return pairs, pairs[::-1]


def make_shipped(
    case: Case,
    stage: Stage,
    device: torch.device,
    autocast: Autocast = nullcontext,
) -> ShippedSearch | ShippedTraining:
    """This project's side of a stage."""
    sizes = {"channels": case.channels, "cells": case.cells, "image": case.image}
    if stage is TRAINING:
        network = evaluation_network(**sizes, classes=CLASSES)
        return ShippedTraining(network.to(device), autocast)
    architecture = (
        OperationArchitecture(search_space(SearchConfig()))
        if stage is OPERATION
        else TopologyArchitecture(retained(), SearchConfig())
    )
    frame = skeleton(**sizes, classes=CLASSES)
    net = Supernet(frame, architecture.candidates, ShiftSettings())
    return ShippedSearch(net.to(device), architecture.to(device), autocast)


def make_straightforward(case: Case, stage: Stage, device: torch.device) -> Search | Training:
    """The straightforward side of a stage."""
    sizes = {"channels": case.channels, "cells": case.cells}
    sizes |= {"c_image": case.image[2], "classes": CLASSES}
    if stage is TRAINING:
        genotype = genotypes.get(GENOTYPE)
        net = Network(EvaluationCell, (genotype.normal, genotype.reduce), **sizes)
        net = net.to(device).train()
        return Training(net, _weight_optimiser(net, TrainConfig()))
    config = SearchConfig()
    candidates = search_space(config) if stage is OPERATION else retained()
    net = Network(SearchCell, candidates, **sizes).to(device).train()
    if stage is OPERATION:
        architecture = OperationMixture(*map(len, groups_of(config.candidates.normal)))
        mixture = architecture = architecture.to(device)
    else:
        architecture = TopologyMixture(config.alpha_temperature).to(device)
        mixture = partial(architecture, config.temperature_start)
    optimiser = _weight_optimiser(net, config)
    return Search(net, architecture, mixture, optimiser, adam(architecture))


def _weight_optimiser(net: nn.Module, config: SearchConfig | TrainConfig) -> WeightOptimiser:
    return WeightOptimiser(net, config.lr, config.weight_decay, config.clip)


def weight_pairs(shipped: ShippedSearch | ShippedTraining, plain: Search | Training) -> list[Pair]:
    """Weights that correspond; batch norms' parameters begin alike and are left out."""
    if isinstance(shipped, ShippedTraining):
        return list(training_pairs(plain.net, shipped.net))
    return list(search_pairs(plain.net, shipped.net))


def architecture_pairs(
    shipped: ShippedSearch | ShippedTraining, plain: Search | Training
) -> list[Pair]:
    """Architecture parameters that correspond."""
    if isinstance(shipped, ShippedTraining) or isinstance(plain, Training):
        return []
    ours, theirs = shipped.architecture, plain.architecture
    pairs = zip(theirs.parameters(), ours.parameters(), strict=True)
    return [(a, b, ()) for a, b in pairs]


def equal_start(shipped: ShippedSearch | ShippedTraining, plain: Search | Training) -> None:
    """Give the straightforward side the weights of the shipped one."""
    copy_weights((*weight_pairs(shipped, plain), *architecture_pairs(shipped, plain)))


def difference(pairs: list[Pair]) -> float:
    """Norm of the difference of the two sides' gradients, relative to the gradients' norm."""
    parts = [(a.grad, b.grad, part) for a, b, part in pairs]
    plain = torch.cat([a.flatten() for a, _, _ in parts if a is not None])
    shipped = torch.cat([b[part].flatten() for _, b, part in parts if b is not None])
    return float((plain - shipped).norm() / plain.norm())


def compare(
    shipped: ShippedSearch | ShippedTraining,
    plain: Search | Training,
    pixels: Tensor,
    labels: Tensor,
) -> dict[str, float]:
    """Relative differences of loss and gradients, in float64, both sides made equal before.

    In float32 the gradients of a deep network differ in the third digit or so between any two
    orders of summation, as values near 0 fall on either side of a ReLU: it would show nothing.
    The sides' parameters stay float64.
    """
    equal_start(shipped, plain)
    for side in (shipped, plain):
        side.net.double()
        if isinstance(side, ShippedSearch | Search):
            side.architecture.double()
    theirs, ours = plain.loss(pixels, labels), shipped.loss(pixels, labels)
    theirs.backward()
    ours.backward()
    found = {"loss": abs(float(theirs.detach()) - float(ours.detach())) / float(theirs.detach())}
    found["weight gradients"] = difference(weight_pairs(shipped, plain))
    if architecture := architecture_pairs(shipped, plain):
        found["architecture gradients"] = difference(architecture)
    return found
