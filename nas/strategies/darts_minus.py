"""DARTS- (Chu et al. 2021): a second skip on every edge, which fades away."""

import math
from typing import Any

from torch import Tensor
from torch.nn import functional

from hw.networks.space import AUXILIARY_SKIP, Genotype
from nas.cell import Candidates, most, search_space
from nas.search_config import DartsMinusConfig, Decay, SearchConfig
from nas.strategies.darts import SoftmaxArchitecture
from nas.strategies.derivation import derive
from nas.strategies.strategy import Architecture, Moment, Strategy, bilevel_stage, by_candidate


class AuxiliarySkipArchitecture(SoftmaxArchitecture):
    """beta·skip(x) + the softmax mixture of DARTS on each edge (section 3.2).

    What a skip gives by easing gradients along is the auxiliary skip's to give, so that the
    candidate of that name competes by what it computes. At derivation the auxiliary skip is gone.

    Parameters
    ----------
    candidates: of every edge, the auxiliary skip last
    """

    def __init__(self, candidates: Candidates, config: DartsMinusConfig, init: float = 0.0):
        normal, reduction = (tuple(edge[:-1] for edge in cell) for cell in candidates)
        assert all(edge[-1] == AUXILIARY_SKIP for cell in candidates for edge in cell)
        super().__init__((normal, reduction), init)
        self.searched, self.candidates = self.candidates, candidates
        auxiliary = functional.one_hot(self.present.sum(-1), most(candidates)).float()
        self.register_buffer("auxiliary", auxiliary, persistent=False)
        self.config = config

    def beta(self, moment: Moment) -> float:
        """Weight of the auxiliary skip: from 1 in the first step to 0 in the last."""
        match self.config.decay:
            case Decay.COSINE:
                return (1 + math.cos(math.pi * moment.share)) / 2
            case Decay.LINEAR:
                return 1 - moment.share
        raise ValueError(f"decay: {self.config.decay!r}")

    def coefficients(self, moment: Moment) -> Tensor:
        mixed = functional.pad(self.logits().softmax(-1), (0, 1))
        return mixed + self.beta(moment) * self.get_buffer("auxiliary")

    def genotype(self) -> Genotype:
        return derive(self.searched, self.logits().detach().softmax(-1))

    def shares(self, moment: Moment) -> dict[str, Any]:
        return {
            "candidates": self.searched,
            "alpha": by_candidate(self.searched, self.logits().softmax(-1)),
            AUXILIARY_SKIP: self.beta(moment),
        }


class DartsMinus(Strategy):
    """One bilevel stage."""

    name = "darts_minus"

    def __init__(self, config: SearchConfig):
        self.config = config
        self.stages = (bilevel_stage(config, "search"),)
        self.start = search_space(config, AUXILIARY_SKIP)

    def architecture(self, index: int, candidates: Candidates) -> Architecture:
        return AuxiliarySkipArchitecture(candidates, self.config.darts_minus, self.config.arch_init)
