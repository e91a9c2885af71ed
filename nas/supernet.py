"""The network in which the search runs: every edge mixes its candidates (paper eq. 3, 4, 14).

Stem, cells and head come from `hw.networks.cells.skeleton`, the inside of each edge from the same
operations that evaluation networks are built of.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from hw.ir.graph import Node
from hw.networks.cells import CellPlan, Skeleton
from hw.networks.space import AUXILIARY_SKIP, SKIP, ZERO
from nas import distributed
from nas.cell import Candidates, Cell, Chosen
from nas.model import Tensors, evaluate_nodes, make_unit
from nas.shift import ShiftSettings
from nas.wide_operation import WideOperation


@dataclass(frozen=True)
class Group:
    """Edges of one state that hold the same candidate.

    Parameters
    ----------
    edges: their positions in `nas.cell.Cell.edges`
    candidates: for each of them, which of its candidates this is
    key: of the operation in the supernet's `operations`
    skip: whether it is a skip of stride 1 that competes with the other candidates
    """

    edges: tuple[int, ...]
    candidates: tuple[int, ...]
    key: str
    skip: bool

    def chosen(self, computed: list[list[bool]] | None) -> list[int] | None:
        """On which of the edges this candidate is computed; None: on all."""
        if computed is None:
            return None
        holders = zip(self.edges, self.candidates, strict=True)
        members = [m for m, (edge, candidate) in enumerate(holders) if computed[edge][candidate]]
        return None if len(members) == len(self.edges) else members


class Supernet(nn.Module):
    """Weights of all candidates; how they are mixed is an argument of `forward`.

    Every candidate ends in a batch norm, pools too, so that none is louder than the others.

    Parameters
    ----------
    skeleton: stem, cells and head
    candidates: operations of every edge
    settings: of shift weights
    domain: "shift" or "real", of the weights

    `skip_dropout` is the rate at which values behind a skip of stride 1 are dropped in training
    (P-DARTS).
    """

    def __init__(
        self,
        skeleton: Skeleton,
        candidates: Candidates,
        settings: ShiftSettings,
        domain: str = "shift",
    ):
        super().__init__()
        # Mixing weights are real: no factor of a supernet is a few powers of two.
        settings = replace(settings, scale_terms=0)
        self.skeleton, self.settings, self.domain = skeleton, settings, domain
        self.skip_dropout = 0.0
        self.cell = Cell.of(candidates)
        self.units, self.operations = nn.ModuleDict(), nn.ModuleDict()
        shapes = {node.name: node.shape for node in (*skeleton.stem, *skeleton.head)}
        shapes |= {cell.output: cell.out_shape for cell in skeleton.cells}
        cell_nodes = [node for cell in skeleton.cells for node in cell.preprocess]
        for node in (*skeleton.stem, *cell_nodes, *skeleton.head):
            channels = shapes[node.inputs[0]][2] if node.inputs else 0
            unit = make_unit(
                node,
                channels,
                domain=domain,
                settings=settings,
                affine=node not in cell_nodes,
                stem=node in skeleton.stem,
            )
            if unit is not None:
                self.units[node.name] = unit
        self._groups = [
            [
                self._make_groups(cell, state, candidates[cell.reduction])
                for state in range(1 + self.cell.nodes)
            ]
            for cell in skeleton.cells
        ]

    def _make_groups(
        self, cell: CellPlan, state: int, candidates: tuple[tuple[str, ...], ...]
    ) -> list[Group]:
        holders: dict[str, list[tuple[int, int]]] = {}
        for position, (source, _) in enumerate(self.cell.edges):
            if source == state:
                for index, operation in enumerate(candidates[position]):
                    holders.setdefault(operation, []).append((position, index))
        groups = []
        for operation, members in holders.items():
            if operation == ZERO:
                continue
            edges, indices = zip(*members, strict=True)
            key = f"{cell.name}/state{state}_{operation}"
            strided = cell.reduction and state < 2
            group = Group(edges, indices, key, skip=operation == SKIP and not strided)
            inside = SKIP if operation == AUXILIARY_SKIP else operation
            nodes: list[Node] = cell.edge_nodes(edges[0], inside, state, "state")
            channels = cell.state_shape(state)[2]
            self.operations[group.key] = WideOperation(
                nodes, len(edges), channels, self.settings, self.domain
            )
            groups.append(group)
        return groups

    def forward(self, x: Tensor, coefficients: Tensor, chosen: Chosen | None = None) -> Tensor:
        """Logits (N, classes) of images as of `nas.model.image_tensor`.

        `coefficients` (2, edges, operations) weighs every candidate, of normal cells [0] and of
        reduction cells [1]; with `chosen` the other candidates are not computed and add nothing.
        """
        tensors = Tensors({self.skeleton.stem[0].name: x})
        computed = (None, None) if chosen is None else chosen.tolist()
        evaluate_nodes(self.skeleton.stem, self.units, tensors)
        for cell, groups in zip(self.skeleton.cells, self._groups, strict=True):
            evaluate_nodes(cell.preprocess, self.units, tensors)
            states = [tensors[node.name] for node in cell.preprocess]
            kind = int(cell.reduction)
            weights = coefficients[kind]
            terms: list[list[Tensor]] = [[] for _ in range(self.cell.nodes)]
            for state in range(1 + self.cell.nodes):
                if state >= 2:
                    states.append(_total(terms[state - 2], x, cell))
                self._leave(groups[state], states[state], weights, computed[kind], terms)
            states.append(_total(terms[-1], x, cell))
            tensors[cell.output] = torch.cat(states[2:], 1)
        evaluate_nodes(self.skeleton.head, self.units, tensors)
        return tensors[self.skeleton.head[-1].name]

    def _leave(
        self,
        groups: list[Group],
        x: Tensor,
        weights: Tensor,
        computed: list[list[bool]] | None,
        terms: list[list[Tensor]],
    ) -> None:
        """Add what the edges that leave state `x` give to the terms of the nodes they enter."""
        # Operations held by the same edges are summed before they are taken apart.
        sums: dict[tuple[int, ...], Tensor] = {}
        for group in groups:
            members = group.chosen(computed)
            if members == []:
                continue
            operation = self.operations[group.key]
            assert isinstance(operation, WideOperation)
            edges, candidates = group.edges, group.candidates
            if members is not None:
                edges = tuple(edges[m] for m in members)
                candidates = tuple(candidates[m] for m in members)
            part = operation(x, weights[list(edges), list(candidates)], members)
            if self.skip_dropout and self.training and group.skip:
                part = _dropped(part, self.skip_dropout)
            sums[edges] = sums[edges] + part if edges in sums else part
        for edges, wide in sums.items():
            for edge, part in zip(edges, wide.chunk(len(edges), 1), strict=True):
                terms[self.cell.edges[edge][1]].append(part)


def _dropped(x: Tensor, rate: float) -> Tensor:
    """Dropout; of several processes all draw for the whole batch."""
    if distributed.world() == 1:
        return functional.dropout(x, rate)
    whole = x.new_ones((len(x) * distributed.world(), *x.shape[1:]))
    kept = functional.dropout(whole.contiguous(memory_format=torch.channels_last), rate)
    return x * distributed.share(kept)


def _total(terms: list[Tensor], x: Tensor, cell: CellPlan) -> Tensor:
    if not terms:  # every edge into the node is zero
        height, width, channels = cell.shape
        return x.new_zeros((x.shape[0], channels, height, width))
    return sum(terms[1:], terms[0]).contiguous(memory_format=torch.channels_last)
