"""Operation search: the two groups of operations do not compete (paper section 4.2)."""

import torch
from torch import Tensor, nn

from hw.networks.space import CONV_OPERATIONS, TOPOLOGY_OPERATIONS, Genotype
from nas.cell import EDGES, ZERO, Candidates, on_every_edge
from nas.strategies.derivation import derive
from nas.strategies.strategy import Architecture, Moment


class OperationArchitecture(Architecture):
    """O_c and O_t have a softmax of their own on each edge (eq. 3, group by group).

    Parameters
    ----------
    zero: the zero operation is a candidate of O_t
    """

    def __init__(self, zero: bool = False):
        super().__init__()
        self.groups = (CONV_OPERATIONS, TOPOLOGY_OPERATIONS + ((ZERO,) if zero else ()))
        self.candidates = on_every_edge(self.groups[0] + self.groups[1])
        self.conv = nn.Parameter(1e-3 * torch.randn(2, len(EDGES), len(self.groups[0])))
        self.topology = nn.Parameter(1e-3 * torch.randn(2, len(EDGES), len(self.groups[1])))

    def coefficients(self, moment: Moment | None = None) -> Tensor:
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

    def genotype(self) -> Genotype:
        """Without a topology search: the edges and operations that DARTS would keep."""
        return derive(self.candidates, self.coefficients().detach())
