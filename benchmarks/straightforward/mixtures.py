"""Architecture parameters and the weights of the candidates that they stand for."""

from itertools import combinations

import torch
from torch import Tensor, nn

from straightforward.networks import EDGES, NODES


class OperationMixture(nn.Module):
    """Operation search: a softmax over the convolutions and one over the rest, on each edge."""

    def __init__(self, convolutions: int, others: int):
        super().__init__()
        self.convolutions = nn.Parameter(1e-3 * torch.randn(2, len(EDGES), convolutions))
        self.others = nn.Parameter(1e-3 * torch.randn(2, len(EDGES), others))

    def forward(self) -> Tensor:
        return torch.cat((self.convolutions.softmax(-1), self.others.softmax(-1)), -1)


class TopologyMixture(nn.Module):
    """Topology search: a softmax over the pairs of edges into a node (eq. 12 to 14)."""

    def __init__(self, alpha_temperature: float):
        super().__init__()
        self.alpha_temperature = alpha_temperature
        self.alpha = nn.Parameter(1e-3 * torch.randn(2, len(EDGES), 2))
        self.pairs = [
            list(combinations([j for j, (_, into) in enumerate(EDGES) if into == node], 2))
            for node in range(NODES)
        ]
        self.beta = nn.ParameterList(
            nn.Parameter(1e-3 * torch.randn(2, len(pairs))) for pairs in self.pairs
        )

    def forward(self, temperature: float) -> Tensor:
        alpha = (self.alpha / (self.alpha_temperature * temperature)).softmax(-1)
        return torch.stack([self._cell(kind, alpha[kind], temperature) for kind in (0, 1)])

    def _cell(self, kind: int, alpha: Tensor, temperature: float) -> Tensor:
        shares = [(beta[kind] / temperature).softmax(-1) for beta in self.beta]
        edges = []
        for position, (_, node) in enumerate(EDGES):
            of_pairs = zip(self.pairs[node], shares[node], strict=True)
            gamma = sum(share for pair, share in of_pairs if position in pair)
            edges.append(gamma * alpha[position])
        return torch.stack(edges)
