"""The cell that is searched: its edges, the pairs of edges into a node, the candidates of an edge.

Normal and reduction cells have architecture parameters of their own, indexed 0 and 1 wherever a
dimension is of length 2.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import torch
from torch import Tensor

from hw.networks.space import ZERO, Genotype, candidate_edges, nodes_of
from nas.search_config import SearchConfig

Candidates = tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]
"""Operations of every edge, of the normal and of the reduction cell."""

Chosen = Tensor
"""Which candidates are computed: booleans (2, edges, operations), on the CPU."""


@dataclass(frozen=True)
class Cell:
    """The wiring of a cell of so many `nodes`, each of which may read every state before it."""

    nodes: int

    @classmethod
    def of(cls, candidates: Candidates) -> "Cell":
        """The cell that has these candidates."""
        edges = {len(cell) for cell in candidates}
        nodes = nodes_of(max(edges))
        if len(edges) != 1 or nodes is None:
            raise ValueError(f"candidates of {sorted(edges)} edges: no cell has so many")
        return cls(nodes)

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """(state read, node entered) of each edge, as of `space.candidate_edges`."""
        return candidate_edges(self.nodes)

    def node_edges(self, node: int) -> tuple[int, ...]:
        """Positions in `edges` of the edges into `node`."""
        return tuple(position for position, (_, into) in enumerate(self.edges) if into == node)

    def edge_pairs(self, node: int) -> tuple[tuple[int, int], ...]:
        """E_xj: every pair of edges into `node` (paper section 4.2)."""
        return tuple(combinations(self.node_edges(node), 2))

    def on_every_edge(
        self, normal: tuple[str, ...], reduction: tuple[str, ...] | None = None
    ) -> Candidates:
        """The same candidates on all edges of a cell; reduction None: as normal."""
        edges = len(self.edges)
        return (normal,) * edges, (normal if reduction is None else reduction,) * edges

    def genotype_of(self, normal: dict[int, str], reduction: dict[int, str]) -> Genotype:
        """The genotype that keeps these edges (position in `edges`: operation), two a node."""
        cells = []
        for kept in (normal, reduction):
            # Node by node, and a node's edges by the state they read: the order of `edges`.
            cells.append(tuple((kept[edge], self.edges[edge][0]) for edge in sorted(kept)))
        concat = tuple(range(2, 2 + self.nodes))
        return Genotype(cells[0], concat, cells[1], concat)


def search_space(config: SearchConfig, *more: str) -> Candidates:
    """The candidates that are configured, zero if it is one of them, and `more`, on every edge."""
    zero = (ZERO,) if config.zero else ()
    normal, reduction = ((*cell, *zero, *more) for cell in config.candidates.cells)
    return Cell(config.nodes).on_every_edge(normal, reduction)


def most(candidates: Candidates) -> int:
    """How many candidates an edge has that has most: length of the dimension of operations."""
    return max(len(edge) for cell in candidates for edge in cell)


def present(candidates: Candidates) -> Tensor:
    """Which entries of (2, edges, operations) are candidates; an edge with fewer ends earlier."""
    count = torch.tensor([[len(edge) for edge in cell] for cell in candidates])
    return torch.arange(most(candidates)) < count[..., None]
