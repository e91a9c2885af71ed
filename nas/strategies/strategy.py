"""What a strategy is: stages, in each an architecture that mixes candidates, and a choice at last.

The loop of `nas.search` runs any strategy over the one supernet. A strategy says which candidates
take part, how they are mixed at each moment, how the mixture is trained, and which genotype is
derived from it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hw.networks.space import Genotype
from nas.cell import Candidates, Cell, Chosen, present
from nas.search_config import NoOptions, SearchConfig

Evaluate = Callable[[Tensor, Chosen | None], float]
"""Accuracy on held-out images of the supernet with this mixture."""


@dataclass(frozen=True)
class Moment:
    """A step of a stage, counted from 0.

    Parameters
    ----------
    step, steps: this one, of so many, the warm-up's among them
    warmup: so many of them are the warm-up's
    epoch: so many make an epoch after the warm-up
    """

    step: int
    steps: int
    warmup: int = 0
    epoch: int = 1

    @property
    def in_warmup(self) -> bool:
        return self.step < self.warmup

    @property
    def searched(self) -> int:
        """Steps of the search part before this one; 0 in the warm-up too."""
        return max(0, self.step - self.warmup)

    @property
    def share(self) -> float:
        """0 in the first step of the search part and in the warm-up, 1 in the last step."""
        return self.searched / max(1, self.steps - self.warmup - 1)

    def linear(self, start: float, end: float) -> float:
        """From `start` in the search part's first step to `end` in its last, by equal steps."""
        return start + (end - start) * self.share

    def geometric(self, start: float, end: float) -> float:
        """From `start` in the search part's first step to `end` in its last, by one factor."""
        return start * (end / start) ** self.share


class Level(StrEnum):
    """What a stage trains after its warm-up.

    BILEVEL: weights and architecture take turns, on images of their own (eq. 5); ONE_LEVEL: both
    follow the same loss; WEIGHTS: the architecture is not trained.
    """

    BILEVEL = "bilevel"
    ONE_LEVEL = "one-level"
    WEIGHTS = "weights"


@dataclass(frozen=True)
class Stage:
    """A part of a search, begun with new weights, new optimisers and new architecture parameters.

    Parameters
    ----------
    name: in the log
    warmup: epochs of the weights alone
    epochs: of weights and architecture after that
    level: what is trained after the warm-up
    halves: whether weights are trained on one half of the images, the rest being held out
    half_warmup: whether the warm-up is on that half, though what follows it is on all images
    arch_beta: first beta of the architecture's Adam
    order: of a bilevel step: 1, or 2 with the weights unrolled by a step
    cells: of the supernet; None: as configured
    """

    name: str
    warmup: int
    epochs: int
    level: Level = Level.BILEVEL
    halves: bool = True
    order: int = 1
    cells: int | None = None
    half_warmup: bool = False
    arch_beta: float = 0.5

    def half(self, epoch: int) -> bool:
        """Whether weights are trained on one half of the images in an epoch of the stage."""
        return self.halves or (self.half_warmup and epoch < self.warmup)

    def moment(
        self, epoch: int, index: int = 0, steps: Callable[[int], int] = lambda _: 1
    ) -> Moment:
        """Step `index` of an epoch; `steps` tells how many an epoch has, both counted from 0."""
        before, warmup, whole = (
            sum(map(steps, range(end))) for end in (epoch, self.warmup, self.warmup + self.epochs)
        )
        return Moment(before + index, whole, warmup, steps(self.warmup))


def bilevel_stage(config: SearchConfig, name: str) -> Stage:
    """A stage of `search.epochs` after `search.warmup`, on two halves unless `search.bilevel` says
    otherwise."""
    return Stage(
        name, config.warmup, config.epochs, halves=config.bilevel, arch_beta=config.arch_beta
    )


class Architecture(nn.Module, ABC):
    """How strongly each candidate of each edge counts; its parameters are what a stage trains."""

    present: Tensor
    """Which entries of (2, edges, operations) are candidates."""

    def __init__(self, candidates: Candidates):
        super().__init__()
        self.candidates = candidates
        self.register_buffer("present", present(candidates), persistent=False)

    @property
    def cell(self) -> Cell:
        """The cell whose edges are searched."""
        return Cell.of(self.candidates)

    def among_candidates(self, logits: Tensor) -> Tensor:
        """`logits` (2, edges, operations), -inf where an edge has no such candidate."""
        return logits.masked_fill(~self.present, -torch.inf)

    @abstractmethod
    def coefficients(self, moment: Moment) -> Tensor:
        """Of every candidate: (2, edges, operations)."""

    def mixture(self, moment: Moment) -> tuple[Tensor, Chosen | None]:
        """Coefficients of one step, and the candidates to compute if not all are."""
        return self.coefficients(moment), None

    @abstractmethod
    def genotype(self) -> Genotype:
        """What the stage would derive now."""

    def retained(self) -> Candidates:
        """Candidates of the next stage."""
        return self.candidates

    def skip_dropout(self, moment: Moment) -> float:
        """Rate at which values behind a skip are dropped in a step."""
        del moment
        return 0.0

    def shares(self, moment: Moment) -> dict[str, Any]:
        """Where the architecture stands, for the log; numbers rounded to four digits."""
        shares = by_candidate(self.candidates, self.coefficients(moment))
        return {"candidates": self.candidates, "alpha": shares}


class Strategy(ABC):
    """One search strategy. `stages` and `start` are fixed by its configuration."""

    name: ClassVar[str]
    Options: ClassVar[type] = NoOptions
    """Dataclass, frozen, of the fields of `search.options`; a default for each."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """Settings that lie beneath the user's own, as in a file of settings."""
    stages: tuple[Stage, ...]
    start: Candidates
    """Candidates of the first stage."""

    @abstractmethod
    def __init__(self, config: SearchConfig): ...

    @abstractmethod
    def architecture(self, index: int, candidates: Candidates) -> Architecture:
        """Architecture, not yet trained, of stage `index`."""

    def retained(self, last: Architecture, evaluate: Evaluate) -> Candidates:
        """Candidates of the next stage, once a stage has ended with `last`.

        A search that goes on may ask again for what it was told before.
        """
        del evaluate
        return last.retained()

    def choose(self, last: Architecture, evaluate: Evaluate) -> Genotype:
        """The genotype found, once the last stage has ended."""
        del evaluate
        return last.genotype()


def by_candidate(candidates: Candidates, shares: Tensor) -> list:
    """`shares` (2, edges, operations) for the log: a number a candidate."""
    rows = [zip(cell, edges, strict=True) for cell, edges in zip(candidates, shares, strict=True)]
    return [[rounded(values[: len(names)]) for names, values in cell] for cell in rows]


def rounded(values: Tensor) -> list:
    """Nested lists for the log."""
    digits = 4
    return [
        rounded(v) if v.dim() else round(float(v), digits) for v in values.detach().cpu().unbind()
    ]
