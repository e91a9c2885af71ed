"""The cell that is searched: its edges, the pairs of edges into a node, the candidates of an edge.

A cell of n nodes has the edges of `space.candidate_edges(n)`; normal and reduction cells have
architecture parameters of their own, indexed 0 and 1 wherever a dimension is of length 2.
"""

from itertools import combinations

from hw.networks.space import Genotype, candidate_edges

NODES = 4
EDGES = candidate_edges(NODES)
ZERO = "zero"
"""No connection: counts in a softmax, adds nothing, is never chosen."""

AUXILIARY_SKIP = "auxiliary_skip"
"""A skip beside the candidates, with weights of its own at stride 2; never chosen (DARTS-)."""

Candidates = tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]
"""Operations of every edge, of the normal and of the reduction cell."""

NONE = -1
"""In place of a candidate's position: the edge is left out."""

Chosen = list[list[int]]
"""Of every edge of the two cells the one candidate that is computed, by its position; or `NONE`."""


def node_edges(node: int) -> tuple[int, ...]:
    """Positions in `EDGES` of the edges into `node`."""
    return tuple(position for position, (_, into) in enumerate(EDGES) if into == node)


def edge_pairs(node: int) -> tuple[tuple[int, int], ...]:
    """E_xj: every pair of edges into `node` (paper section 4.2)."""
    return tuple(combinations(node_edges(node), 2))


def on_every_edge(operations: tuple[str, ...]) -> Candidates:
    """The same candidates on all edges of both cells."""
    every = (operations,) * len(EDGES)
    return every, every


def genotype_of(normal: dict[int, str], reduction: dict[int, str]) -> Genotype:
    """The genotype that keeps these edges (position in `EDGES`: operation), two a node."""
    cells = []
    for kept in (normal, reduction):
        # Node by node, and the edges of a node by the state they read: the order of `EDGES`.
        cells.append(tuple((kept[edge], EDGES[edge][0]) for edge in sorted(kept)))
    concat = tuple(range(2, 2 + NODES))
    return Genotype(cells[0], concat, cells[1], concat)
