"""The genotype that DARTS derives from a mixture (Liu et al. 2018, section 2.4)."""

from torch import Tensor

from hw.networks.space import ZERO, Genotype
from nas.cell import Candidates, Cell

EDGES_KEPT = 2
"""Of a node."""


def strongest(candidates: tuple[str, ...], shares: Tensor) -> tuple[float, str]:
    """Share and name of an edge's strongest operation but zero; the first of equals."""
    allowed = [k for k, operation in enumerate(candidates) if operation != ZERO]
    best = max(allowed, key=lambda k: (float(shares[k]), -k))
    return float(shares[best]), candidates[best]


def derive(candidates: Candidates, shares: Tensor) -> Genotype:
    """Two edges a node, those whose strongest operation is strongest, each with that operation.

    Parameters
    ----------
    shares: weight of every candidate, (2, edges, operations)
    """
    cell, cells = Cell.of(candidates), []
    for reduction in (0, 1):
        best = [
            strongest(names, shares[reduction, e]) for e, names in enumerate(candidates[reduction])
        ]
        kept: dict[int, str] = {}
        for node in range(cell.nodes):
            ranked = sorted(cell.node_edges(node), key=lambda e: (-best[e][0], e))
            kept |= {edge: best[edge][1] for edge in ranked[:EDGES_KEPT]}
        cells.append(kept)
    return cell.genotype_of(*cells)
