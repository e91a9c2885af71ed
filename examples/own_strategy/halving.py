"""Successive halving (Jamieson and Talwalkar 2016) over genotypes that share a supernet's weights.
Each stage trains those left, one a step, and keeps the better half by the held-out images."""

from dataclasses import dataclass, replace

import torch

from nas.cell import search_space
from nas.strategies.random_search import RandomArchitecture, draw
from nas.strategies.registry import register_strategy
from nas.strategies.strategy import Level, Stage, Strategy


@dataclass(frozen=True)
class Options:
    genotypes: int = 8

    def __post_init__(self):
        if self.genotypes < 2 or self.genotypes & (self.genotypes - 1):
            raise ValueError(f"genotypes: expected a power of two, found {self.genotypes}")


class Survivors(RandomArchitecture):
    left: torch.Tensor

    def __init__(self, candidates, left):
        super().__init__(candidates)
        self.register_buffer("left", left)  # in the checkpoint: a search that goes on finds them

    def mixture(self, moment):
        return self.mixture_of(self.left[torch.randint(len(self.left), ())].tolist())

    def ranked(self, evaluate):
        accuracies = torch.tensor([evaluate(*self.mixture_of(one)) for one in self.left.tolist()])
        return self.left[accuracies.argsort(descending=True, stable=True)]


class Halving(Strategy):
    name = "halving"
    Options = Options

    def __init__(self, config):
        self.count, epochs = config.options.genotypes, config.epochs
        self.start = search_space(replace(config, zero=False))
        self.left = torch.tensor([draw(self.start) for _ in range(self.count)])
        rungs = range(self.count.bit_length() - 1)
        self.stages = tuple(Stage(f"rung{n}", 0, epochs, Level.WEIGHTS) for n in rungs)

    def architecture(self, index, candidates):
        return Survivors(candidates, self.left[: self.count >> index])

    def retained(self, last: Survivors, evaluate):
        self.left = last.ranked(evaluate)[: len(last.left) // 2].cpu()
        return self.start

    def choose(self, last: Survivors, evaluate):
        return last.genotype_of(last.ranked(evaluate)[0].tolist())


register_strategy(Halving)
