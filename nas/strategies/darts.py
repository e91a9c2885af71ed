"""DARTS (Liu et al. 2018), first and second order."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from hw.networks.space import Genotype
from nas.cell import Candidates, search_space
from nas.search_config import SearchConfig
from nas.strategies.derivation import derive
from nas.strategies.strategy import Architecture, Moment, Strategy, bilevel_stage


class SoftmaxArchitecture(Architecture):
    """One softmax over all candidates of an edge (eq. 3).

    Parameters
    ----------
    candidates: of every edge
    init: standard deviation of the first alpha
    """

    def __init__(self, candidates: Candidates, init: float = 0.0):
        super().__init__(candidates)
        self.alpha = nn.Parameter(init * torch.randn(self.present.shape))

    def coefficients(self, moment: Moment) -> Tensor:
        return self.logits().softmax(-1)

    def logits(self) -> Tensor:
        """alpha, and -inf where an edge has no such candidate."""
        return self.among_candidates(self.alpha)

    def genotype(self) -> Genotype:
        return derive(self.candidates, self.logits().detach().softmax(-1))


class Darts(Strategy):
    """One bilevel stage; `search.darts.order` unrolls the weights by one step or not."""

    name = "darts"

    def __init__(self, config: SearchConfig):
        self.config = config
        stage = bilevel_stage(config, "search")
        self.stages = (replace(stage, order=config.darts.order),)
        self.start = search_space(config)

    def architecture(self, index: int, candidates: Candidates) -> Architecture:
        return SoftmaxArchitecture(candidates, self.config.arch_init)
