"""Settings of the search: its space, its strategy, its epochs.

The defaults are the paper's.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hw.networks.space import PAPER_CANDIDATES


class Decay(StrEnum):
    """How the auxiliary skip of DARTS- fades."""

    LINEAR = "linear"
    COSINE = "cosine"


@dataclass(frozen=True)
class DartsConfig:
    """DARTS. `order`: 1, or 2 with the weights unrolled by one step."""

    order: int = 1


@dataclass(frozen=True)
class GdasConfig:
    """GDAS. The temperature of its sampler falls linearly over the epochs after the warm-up."""

    temperature_start: float = 10.0
    temperature_end: float = 0.1


@dataclass(frozen=True)
class PdartsConfig:
    """P-DARTS.

    Parameters
    ----------
    cells: of the supernet, stage by stage; they stand for `search.cells`
    candidates: how many an edge keeps after each stage but the last
    skip_dropout: first rate of the dropout behind skips, stage by stage
    skips: most skips of the normal cell found
    """

    cells: tuple[int, ...] = (5, 11, 17)
    candidates: tuple[int, ...] = (5, 3)
    skip_dropout: tuple[float, ...] = (0.0, 0.4, 0.7)
    skips: int = 2


@dataclass(frozen=True)
class DartsMinusConfig:
    """DARTS-. `decay`, of the auxiliary skip's weight from 1 to 0: "linear" or "cosine"."""

    decay: str = "linear"


@dataclass(frozen=True)
class RandomConfig:
    """Random search. `samples`: genotypes drawn; of 1 nothing is trained, more share weights."""

    samples: int = 1


@dataclass(frozen=True)
class CandidatesConfig:
    """The operations that compete on the edges of a cell, keys of `hw.networks.space.OPERATIONS`.

    Parameters
    ----------
    normal: of the normal cell
    reduction: of the reduction cell; null: as of the normal cell
    """

    normal: tuple[str, ...] = PAPER_CANDIDATES
    reduction: tuple[str, ...] | None = None

    @property
    def cells(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Of the normal and of the reduction cell."""
        return self.normal, self.normal if self.reduction is None else self.reduction


@dataclass(frozen=True)
class NoOptions:
    """Of a strategy that has no options of its own, or a section of its own here."""


@dataclass(frozen=True)
class SearchConfig:
    """Search (paper section 4.2, appendix A). Epochs are of the images used, a warm-up's too.

    Parameters
    ----------
    strategy: "shiftnas" or one of its rivals (`nas.strategies`); it brings defaults of its own,
        `presets/strategies`
    channels, cells: of the supernet
    nodes: of a cell; each is the sum of two edges in the genotype found
    candidates: operations that an edge chooses from
    batch: images a step
    images: how many training images are used; None: all
    topology: ShiftNAS and DOTS search the topology after the operations
    operation_warmup, operation_epochs: operation search: weights alone, then weights and alpha
    topology_warmup, topology_epochs: topology search: weights alone, then weights, alpha, beta
    warmup, epochs: of each stage of the other strategies
    bilevel: weights and alpha are trained on two random halves (eq. 5), else both on all images
    lr: first learning rate of the weights, cosine to 0
    lr_reset: a new cosine for each stage; else one cosine over all
    weight_decay, weight_decay_norms, regularisation: see `nas.optimise.StepSettings`
    clip: largest gradient norm; 0 switches clipping off
    optimiser, momentum: of the weights: "radam", or "sgd" with this momentum
    arch_lr, arch_decay: Adam's, for alpha and beta
    arch_beta, topology_arch_beta: its first beta, in the topology search the second one
    arch_init: standard deviation of the first alpha and beta; 0: all begin at 0
    topology_warmup_half: the warm-up of the topology search is on the half of the images on which
        the operation search trained weights
    crop, flip, cutout: of all images of the search, as in the training
    temperature_start, temperature_end: T of eq. 12, from the first to the last step of the topology
        search
    temperature_warmup: T in its warm-up
    alpha_temperature: alpha's softmax in the topology stage runs at this times T
    scale_edges: the factor 1/N(c) of eq. 13
    zero: the zero operation is a candidate too (of O_t where there are groups); never chosen
    darts, gdas, pdarts, darts_minus, random: see there
    options: of a strategy from elsewhere (`nas.strategies.registry.register_strategy`), its own
        `Options`
    """

    strategy: str = "shiftnas"
    channels: int = 16
    cells: int = 8
    nodes: int = 4
    candidates: CandidatesConfig = field(default_factory=CandidatesConfig)
    batch: int = 128
    images: int | None = None
    topology: bool = True
    operation_warmup: int = 15
    operation_epochs: int = 15
    topology_warmup: int = 20
    topology_epochs: int = 20
    warmup: int = 0
    epochs: int = 50
    bilevel: bool = True
    lr: float = 0.01
    lr_reset: bool = True
    weight_decay: float = 3e-4
    weight_decay_norms: bool = True
    regularisation: str = "weight"
    clip: float = 5.0
    optimiser: str = "radam"
    momentum: float = 0.9
    arch_lr: float = 3e-4
    arch_decay: float = 1e-3
    arch_beta: float = 0.5
    topology_arch_beta: float = 0.9
    arch_init: float = 0.0
    topology_warmup_half: bool = True
    crop: int = 4
    flip: bool = True
    cutout: int = 0
    temperature_start: float = 10.0
    temperature_end: float = 0.02
    temperature_warmup: float = 1.0
    alpha_temperature: float = 1e-3
    scale_edges: bool = False
    zero: bool = False
    darts: DartsConfig = field(default_factory=DartsConfig)
    gdas: GdasConfig = field(default_factory=GdasConfig)
    pdarts: PdartsConfig = field(default_factory=PdartsConfig)
    darts_minus: DartsMinusConfig = field(default_factory=DartsMinusConfig)
    random: RandomConfig = field(default_factory=RandomConfig)
    options: Any = field(default_factory=NoOptions)
