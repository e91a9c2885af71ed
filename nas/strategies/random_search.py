"""Random search, plain and with weight sharing (Li and Talwalkar 2019, section 3)."""

from dataclasses import replace

import torch
from torch import Tensor

from hw.networks.space import Genotype
from nas.cell import Candidates, Cell, Chosen, search_space
from nas.search_config import SearchConfig
from nas.strategies.strategy import Architecture, Evaluate, Level, Moment, Stage, Strategy

NONE = -1
"""In place of a candidate's position: the edge is left out."""

Drawn = list[list[int]]
"""A genotype: of every edge of the two cells its candidate's position, or `NONE`."""


def draw(candidates: Candidates, generator: torch.Generator | None = None) -> Drawn:
    """A genotype, all being equally likely: two edges into each node, a candidate on each.

    Edges that it does not have are `NONE`. Without a `generator`, torch's own.
    """

    def one_of(count: int) -> int:
        return int(torch.randint(count, (), generator=generator))

    cell, cells = Cell.of(candidates), []
    for edges in candidates:
        choice = [NONE] * len(edges)
        for node in range(cell.nodes):
            pairs = cell.edge_pairs(node)
            for edge in pairs[one_of(len(pairs))]:
                choice[edge] = one_of(len(edges[edge]))
        cells.append(choice)
    return cells


class RandomArchitecture(Architecture):
    """A genotype drawn at each step: nothing to train."""

    def __init__(self, candidates: Candidates):
        super().__init__(candidates)
        even = self.present / self.present.sum(-1, keepdim=True)
        self.register_buffer("even", even, persistent=False)

    def coefficients(self, moment: Moment) -> Tensor:
        """How likely each candidate of an edge is, if the edge is drawn."""
        return self.get_buffer("even")

    def mixture(self, moment: Moment) -> tuple[Tensor, Chosen]:
        return self.mixture_of(draw(self.candidates))

    def mixture_of(self, drawn: Drawn) -> tuple[Tensor, Chosen]:
        """The supernet's arguments that make it the network of a genotype: its edges unscaled."""
        positions = torch.arange(self.present.shape[-1])
        chosen = torch.tensor(drawn)[..., None] == positions
        return torch.ones_like(self.get_buffer("even")), chosen

    def genotype_of(self, drawn: Drawn) -> Genotype:
        normal, reduction = (
            {e: self.candidates[kind][e][k] for e, k in enumerate(drawn[kind]) if k != NONE}
            for kind in (0, 1)
        )
        return self.cell.genotype_of(normal, reduction)

    def genotype(self) -> Genotype:
        """The first that the seed gives, see `RandomSearch.choose`."""
        return self.genotype_of(draw(self.candidates, _generator()))


class RandomSearch(Strategy):
    """With one of `search.random.samples` nothing is trained, and the one drawn is the result.

    With more the supernet is trained, a drawn genotype a step, and of so many drawn then the one
    most accurate on the held-out images, by the shared weights, is the result.
    """

    name = "random"

    def __init__(self, config: SearchConfig):
        self.samples = config.random.samples
        warmup, epochs = (config.warmup, config.epochs) if self.samples > 1 else (0, 0)
        # Whatever `search.bilevel` says: images that the weights were trained on judge nothing.
        self.stages = (Stage("search", warmup, epochs, level=Level.WEIGHTS, halves=True),)
        # Zero is never chosen, so it is never drawn.
        self.start = search_space(replace(config, zero=False))

    def architecture(self, index: int, candidates: Candidates) -> RandomArchitecture:
        return RandomArchitecture(candidates)

    def choose(self, last: Architecture, evaluate: Evaluate) -> Genotype:
        """The best of the samples, the first of equals."""
        assert isinstance(last, RandomArchitecture)
        if self.samples == 1:
            return last.genotype()
        generator = _generator()
        drawn = [draw(last.candidates, generator) for _ in range(self.samples)]
        accuracies = [evaluate(*last.mixture_of(genotype)) for genotype in drawn]
        return last.genotype_of(drawn[accuracies.index(max(accuracies))])


def _generator() -> torch.Generator:
    """Of the run's seed alone: the same genotypes whatever was drawn before, and for whichever net.

    A search resumed draws the same ones.
    """
    return torch.Generator().manual_seed(torch.initial_seed())
