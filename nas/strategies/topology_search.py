"""Topology search: which two edges enter a node (paper section 4.2, eq. 12 to 14)."""

from typing import Any

import torch
from torch import Tensor, nn

from hw.networks.space import Genotype
from nas.cell import Candidates, Chosen
from nas.search_config import SearchConfig
from nas.strategies.strategy import Architecture, Moment, by_candidate, rounded


class TopologyArchitecture(Architecture):
    """A softmax over the pairs of edges into each node weighs the edges.

    Parameters
    ----------
    candidates: the operations retained on each edge, one of each group
    config: its temperatures, `arch_init` and `scale_edges`, see `nas.config.SearchConfig`
    """

    def __init__(self, candidates: Candidates, config: SearchConfig):
        super().__init__(candidates)
        self.config = config
        self.alpha = nn.Parameter(config.arch_init * torch.randn(self.present.shape))
        cell = self.cell
        self.beta = nn.ParameterList(
            nn.Parameter(config.arch_init * torch.randn(2, len(cell.edge_pairs(node))))
            for node in range(cell.nodes)
        )
        for node in range(cell.nodes):
            pairs, edges = cell.edge_pairs(node), cell.node_edges(node)
            member = torch.tensor([[float(edge in pair) for edge in edges] for pair in pairs])
            self.register_buffer(f"member{node}", member, persistent=False)

    def temperature(self, moment: Moment) -> float:
        """T of eq. 12: T0·theta**t, by step; in the warm-up as the operation search's, 1."""
        if moment.in_warmup:
            return self.config.temperature_warmup
        return moment.geometric(self.config.temperature_start, self.config.temperature_end)

    def pair_weights(self, temperature: float) -> list[Tensor]:
        """beta of eq. 12, node by node: (2, pairs)."""
        return [(beta / temperature).softmax(-1) for beta in self.beta]

    def edge_weights(self, temperature: float) -> Tensor:
        """gamma of eq. 13: (2, edges)."""
        weights = [
            shares @ self.get_buffer(f"member{node}")
            for node, shares in enumerate(self.pair_weights(temperature))
        ]
        gamma = torch.cat(weights, -1)
        return gamma / 2 if self.config.scale_edges else gamma

    def operation_weights(self, temperature: float) -> Tensor:
        """alpha of the retained operations: (2, edges, operations)."""
        logits = self.among_candidates(self.alpha)
        return (logits / (self.config.alpha_temperature * temperature)).softmax(-1)

    def coefficients(self, moment: Moment) -> Tensor:
        """Of every candidate, its edge's weight included (eq. 14)."""
        heat = self.temperature(moment)
        return self.operation_weights(heat) * self.edge_weights(heat)[..., None]

    def mixture(self, moment: Moment) -> tuple[Tensor, Chosen]:
        """A candidate whose share is 0 in a float32 is not computed: it adds nothing, and neither
        its weights nor the share, a softmax's, have a gradient."""
        coefficients = self.coefficients(moment)
        return coefficients, coefficients.detach().ne(0).cpu()

    def genotype(self) -> Genotype:
        """The strongest pair of edges of every node, each with its strongest operation."""
        operations = self.among_candidates(self.alpha).argmax(-1).tolist()
        cell, cells = self.cell, []
        for kind in (0, 1):
            kept: dict[int, str] = {}
            for node, beta in enumerate(self.beta):
                for edge in cell.edge_pairs(node)[int(beta[kind].argmax())]:
                    kept[edge] = self.candidates[kind][edge][operations[kind][edge]]
            cells.append(kept)
        return cell.genotype_of(*cells)

    def shares(self, moment: Moment) -> dict[str, Any]:
        heat = self.temperature(moment)
        pairs = [rounded(beta) for beta in self.pair_weights(heat)]
        return {
            "candidates": self.candidates,
            "alpha": by_candidate(self.candidates, self.operation_weights(heat)),
            "gamma": rounded(self.edge_weights(heat)),
            "beta": [[node[kind] for node in pairs] for kind in (0, 1)],
            "temperature": heat,
        }
