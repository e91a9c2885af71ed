"""P-DARTS (Chen et al. 2019): ever deeper supernets with ever fewer candidates."""

import math
from dataclasses import replace

from torch import Tensor

from hw.networks.space import SKIP, Genotype
from nas.cell import Candidates, Cell, search_space
from nas.search_config import PdartsConfig, SearchConfig
from nas.strategies.darts import SoftmaxArchitecture
from nas.strategies.derivation import derive
from nas.strategies.strategy import Architecture, Moment, Strategy, bilevel_stage

FADING = 0.2
"""Of the dropout behind skips, an epoch."""


class ProgressiveArchitecture(SoftmaxArchitecture):
    """A softmax over the candidates that are left, of which the strongest stay.

    Parameters
    ----------
    candidates: of every edge
    index: of the stage
    config: its `search.pdarts`
    """

    def __init__(self, candidates: Candidates, index: int, config: PdartsConfig, init: float = 0.0):
        super().__init__(candidates, init)
        self.index, self.config = index, config

    def retained(self) -> Candidates:
        """Search space approximation (section 3.2): each edge's strongest candidates."""
        if self.index == len(self.config.candidates):
            return self.candidates
        return strongest_candidates(
            self.candidates, self.alpha.detach(), self.config.candidates[self.index]
        )

    def skip_dropout(self, moment: Moment) -> float:
        """Search space regularisation (section 3.3), fading as in the authors' code: in the warm-up
        along the line from the stage's first step to its end, then, from the first rate again, by
        e^-0.2 an epoch."""
        rate = self.config.skip_dropout[self.index]
        if moment.in_warmup:
            return rate * (1 - moment.step / moment.steps)
        return rate * math.exp(-FADING * moment.searched / moment.epoch)

    def genotype(self) -> Genotype:
        shares = self.logits().detach().softmax(-1)
        return derive_with_few_skips(self.candidates, shares, self.config.skips)


def strongest_candidates(candidates: Candidates, alpha: Tensor, kept: int) -> Candidates:
    """Of each edge the `kept` with the largest alpha, in the order that they have."""
    normal, reduction = (
        tuple(
            tuple(edge[k] for k in sorted(alpha[kind, e, : len(edge)].topk(kept).indices.tolist()))
            for e, edge in enumerate(candidates[kind])
        )
        for kind in (0, 1)
    )
    return normal, reduction


def derive_with_few_skips(candidates: Candidates, shares: Tensor, most: int) -> Genotype:
    """The genotype of DARTS with at most so many skips in the normal cell (section 3.3).

    While there are more, the weakest of them loses its share and the cell is derived again. An edge
    that has no other candidate keeps its skip, should its node need the edge.
    """
    shares, edges = shares.clone(), Cell.of(candidates).edges
    while True:
        genotype = derive(candidates, shares)
        skips = [
            edge
            for j, (operation, state) in enumerate(genotype.normal)
            if operation == SKIP
            for edge in [edges.index((state, j // 2))]
        ]
        position = {edge: candidates[0][edge].index(SKIP) for edge in skips}
        held = {edge: float(shares[0, edge, position[edge]]) for edge in skips}
        removable = [edge for edge in skips if held[edge] > 0]
        if len(skips) <= most or not removable:
            return genotype
        weakest = min(removable, key=lambda edge: held[edge])
        shares[0, weakest, position[weakest]] = 0


class Pdarts(Strategy):
    """Three bilevel stages as `search.pdarts` says, each begun anew."""

    name = "pdarts"

    def __init__(self, config: SearchConfig):
        self.config = config
        self.stages = tuple(
            replace(bilevel_stage(config, f"stage{number}"), cells=cells)
            for number, cells in enumerate(config.pdarts.cells, 1)
        )
        self.start = search_space(config)

    def architecture(self, index: int, candidates: Candidates) -> Architecture:
        return ProgressiveArchitecture(candidates, index, self.config.pdarts, self.config.arch_init)
