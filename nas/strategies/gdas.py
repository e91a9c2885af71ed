"""GDAS (Dong and Yang 2019): one sampled candidate an edge, by a differentiable sampler."""

import torch
from torch import Tensor

from nas.cell import Candidates, Chosen, search_space
from nas.search_config import GdasConfig, SearchConfig
from nas.strategies.darts import SoftmaxArchitecture
from nas.strategies.strategy import Architecture, Moment, Strategy, bilevel_stage


def gumbel(shape: torch.Size) -> Tensor:
    """Noise o = -log(-log u), u uniform in (0, 1); always drawn on the CPU."""
    return -torch.log(-torch.log(torch.rand(shape)))


class GumbelArchitecture(SoftmaxArchitecture):
    """A candidate is drawn on each edge with the probabilities softmax(alpha) (section 3.2).

    The candidate with the largest log p + o is computed, unscaled: h = one_hot(argmax). Gradients
    go through the softmax of (log p + o) / T in its place, and only that of the candidate computed
    can be known.
    """

    def __init__(self, candidates: Candidates, config: GdasConfig, init: float = 0.0):
        super().__init__(candidates, init)
        self.config = config

    def temperature(self, moment: Moment) -> float:
        """T, high at first: then all candidates of an edge share its gradients."""
        return moment.linear(self.config.temperature_start, self.config.temperature_end)

    def mixture(self, moment: Moment) -> tuple[Tensor, Chosen]:
        perturbed = self.logits().log_softmax(-1) + gumbel(self.alpha.shape).to(self.alpha)
        soft = (perturbed / self.temperature(moment)).softmax(-1)
        hard = torch.zeros_like(soft).scatter(-1, perturbed.argmax(-1, keepdim=True), 1.0)
        return hard + (soft - soft.detach()), hard.bool().cpu()

    def shares(self, moment: Moment) -> dict:
        return super().shares(moment) | {"temperature": self.temperature(moment)}


class Gdas(Strategy):
    """One bilevel stage, each step with a draw of its own; derived as in DARTS."""

    name = "gdas"

    def __init__(self, config: SearchConfig):
        self.config = config
        self.stages = (bilevel_stage(config, "search"),)
        self.start = search_space(config)

    def architecture(self, index: int, candidates: Candidates) -> Architecture:
        return GumbelArchitecture(candidates, self.config.gdas, self.config.arch_init)
