"""DARTS (Liu et al. 2018), first and second order."""

import torch
from torch import Tensor, nn

from hw.networks.space import CONV_OPERATIONS, TOPOLOGY_OPERATIONS, Genotype
from nas.cell import EDGES, ZERO, Candidates, on_every_edge
from nas.config import SearchConfig
from nas.strategies.derivation import derive
from nas.strategies.strategy import Architecture, Moment, Stage, Strategy


def operations(zero: bool) -> tuple[str, ...]:
    """The search space O, all operations of one rank."""
    return CONV_OPERATIONS + TOPOLOGY_OPERATIONS + ((ZERO,) if zero else ())


class SoftmaxArchitecture(Architecture):
    """One softmax over all candidates of an edge (eq. 3); edges must have equally many."""

    def __init__(self, candidates: Candidates):
        super().__init__()
        self.candidates = candidates
        self.alpha = nn.Parameter(1e-3 * torch.randn(2, len(EDGES), len(candidates[0][0])))

    def coefficients(self, moment: Moment) -> Tensor:
        return self.alpha.softmax(-1)

    def genotype(self) -> Genotype:
        return derive(self.candidates, self.alpha.detach().softmax(-1))


class Darts(Strategy):
    """One bilevel stage; `search.darts.order` unrolls the weights by one step or not."""

    name = "darts"

    def __init__(self, config: SearchConfig):
        order = config.darts.order
        stage = Stage("search", config.warmup, config.epochs, halves=config.bilevel, order=order)
        self.stages = (stage,)
        self.start = on_every_edge(operations(config.zero))

    def architecture(self, index: int, candidates: Candidates) -> Architecture:
        return SoftmaxArchitecture(candidates)
