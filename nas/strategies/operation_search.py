"""Operation search: the two groups of operations do not compete (paper section 4.2)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from hw.networks.space import ZERO, Genotype, has_weights
from nas.cell import Candidates, most
from nas.strategies.derivation import derive, strongest
from nas.strategies.strategy import Architecture, Moment


def groups_of(names: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """O_c and O_t of an edge's candidates: those with weights and those without, zero last."""
    conv = tuple(name for name in names if name != ZERO and has_weights(name))
    return conv, tuple(name for name in names if name not in conv)


def by_groups(candidates: Candidates) -> Candidates:
    """The same candidates, those of O_c first."""
    normal, reduction = (tuple(sum(groups_of(names), ()) for names in cell) for cell in candidates)
    return normal, reduction


class OperationArchitecture(Architecture):
    """O_c and O_t have a softmax of their own on each edge (eq. 3, group by group).

    Parameters
    ----------
    candidates: the same ones on all edges of a cell; those of O_c become the first
    init: standard deviation of the first alpha
    """

    def __init__(self, candidates: Candidates, init: float = 0.0):
        super().__init__(by_groups(candidates))
        self.groups = tuple(groups_of(cell[0]) for cell in candidates)
        """O_c and O_t of each cell."""
        edges = len(self.cell.edges)
        conv, topology = (max(map(len, sizes)) for sizes in zip(*self.groups, strict=True))
        self.conv = nn.Parameter(init * torch.randn(2, edges, conv))
        self.topology = nn.Parameter(init * torch.randn(2, edges, topology))

    def logits(self, kind: int) -> list[Tensor]:
        """alpha (edges, operations) of both groups of a cell."""
        groups = zip(self.groups[kind], (self.conv, self.topology), strict=True)
        return [values[kind, :, : len(group)] for group, values in groups]

    def coefficients(self, moment: Moment | None = None) -> Tensor:
        width = most(self.candidates)
        cells = [
            torch.cat([alpha.softmax(-1) for alpha in self.logits(kind)], -1) for kind in (0, 1)
        ]
        return torch.stack([functional.pad(cell, (0, width - cell.shape[-1])) for cell in cells])

    def retained(self) -> Candidates:
        """The strongest operation of each group on each edge (eq. 11), candidates from here on."""
        cells = []
        for kind in (0, 1):
            kept = [
                [strongest(group, alpha)[1] for alpha in edges.detach()]
                for group, edges in zip(self.groups[kind], self.logits(kind), strict=True)
                if any(name != ZERO for name in group)
            ]
            cells.append(tuple(zip(*kept, strict=True)))
        return cells[0], cells[1]

    def genotype(self) -> Genotype:
        """Without a topology search: the edges and operations that DARTS would keep."""
        return derive(self.candidates, self.coefficients().detach())
