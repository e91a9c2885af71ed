"""Architecture parameters: how strongly each candidate of each edge counts (paper eq. 3, 11 to 14).

A cell of n nodes has the edges of `hw.space.candidate_edges(n)`; normal and reduction cells have
parameters of their own, indexed 0 and 1 below.
"""

from itertools import combinations

import torch
from torch import Tensor, nn

from hw.space import CONV_OPERATIONS, TOPOLOGY_OPERATIONS, Edge, Genotype, candidate_edges

NODES = 4
EDGES = candidate_edges(NODES)
ZERO = "zero"
"""No connection: counts in the softmax of its group, adds nothing, is never chosen."""

Candidates = tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]
"""Operations of every edge, of the normal and of the reduction cell."""


def node_edges(node: int) -> tuple[int, ...]:
    """Positions in `EDGES` of the edges into `node`."""
    return tuple(position for position, (_, into) in enumerate(EDGES) if into == node)


def edge_pairs(node: int) -> tuple[tuple[int, int], ...]:
    """E_xj: every pair of edges into `node`."""
    return tuple(combinations(node_edges(node), 2))


class OperationArchitecture(nn.Module):
    """Operation search: O_c and O_t have a softmax of their own on each edge (eq. 3, grouped)."""

    def __init__(self, zero: bool = False):
        super().__init__()
        self.groups = (CONV_OPERATIONS, TOPOLOGY_OPERATIONS + ((ZERO,) if zero else ()))
        self.conv = nn.Parameter(1e-3 * torch.randn(2, len(EDGES), len(self.groups[0])))
        self.topology = nn.Parameter(1e-3 * torch.randn(2, len(EDGES), len(self.groups[1])))

    @property
    def candidates(self) -> Candidates:
        every = (self.groups[0] + self.groups[1],) * len(EDGES)
        return every, every

    def coefficients(self) -> Tensor:
        """Of every candidate: (2, edges, operations)."""
        return torch.cat((self.conv.softmax(-1), self.topology.softmax(-1)), -1)

    def retained(self) -> Candidates:
        """The strongest operation of each group on each edge (eq. 11), candidates from here on."""
        conv = self.conv.argmax(-1).tolist()
        topology = self.topology[..., : len(TOPOLOGY_OPERATIONS)].argmax(-1).tolist()
        normal, reduction = (
            tuple(
                (CONV_OPERATIONS[c], TOPOLOGY_OPERATIONS[t])
                for c, t in zip(conv[kind], topology[kind], strict=True)
            )
            for kind in (0, 1)
        )
        return normal, reduction


class TopologyArchitecture(nn.Module):
    """Topology search: a softmax over the pairs of edges into each node weighs edges (eq. 12).

    Parameters
    ----------
    candidates: the two operations retained on each edge
    alpha_temperature: the softmax over them runs at this times the temperature
    scale_edges: the factor 1/N(c) of eq. 13
    """

    def __init__(self, candidates: Candidates, alpha_temperature: float, scale_edges: bool):
        super().__init__()
        self.candidates = candidates
        self.alpha_temperature, self.scale_edges = alpha_temperature, scale_edges
        self.alpha = nn.Parameter(1e-3 * torch.randn(2, len(EDGES), 2))
        self.beta = nn.ParameterList(
            nn.Parameter(1e-3 * torch.randn(2, len(edge_pairs(node)))) for node in range(NODES)
        )
        for node in range(NODES):
            pairs, edges = edge_pairs(node), node_edges(node)
            member = torch.tensor([[float(edge in pair) for edge in edges] for pair in pairs])
            self.register_buffer(f"member{node}", member, persistent=False)

    def edge_weights(self, temperature: float) -> Tensor:
        """gamma of eq. 13: (2, edges)."""
        weights = []
        for node, beta in enumerate(self.beta):
            shares = (beta / temperature).softmax(-1)
            weights.append(shares @ self.get_buffer(f"member{node}"))
        gamma = torch.cat(weights, -1)
        return gamma / 2 if self.scale_edges else gamma

    def coefficients(self, temperature: float) -> Tensor:
        """Of every candidate, its edge's weight included (eq. 14): (2, edges, 2)."""
        alpha = (self.alpha / (self.alpha_temperature * temperature)).softmax(-1)
        return alpha * self.edge_weights(temperature)[..., None]

    def genotype(self) -> Genotype:
        """The strongest pair of edges of every node, each with its strongest operation."""
        operations = self.alpha.argmax(-1).tolist()
        cells = []
        for kind in (0, 1):
            cell: list[Edge] = []
            for node, beta in enumerate(self.beta):
                for edge in edge_pairs(node)[int(beta[kind].argmax())]:
                    operation = self.candidates[kind][edge][operations[kind][edge]]
                    cell.append((operation, EDGES[edge][0]))
            cells.append(tuple(cell))
        concat = tuple(range(2, 2 + NODES))
        return Genotype(cells[0], concat, cells[1], concat)
