"""The network of the search, an edge a `MixedOp`, and the network of a genotype."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from straightforward.operations import FactorizedReduce, make_operation, relu_conv
from straightforward.shift import ShiftConv2d, ShiftLinear

NODES = 4
EDGES = [(state, node) for node in range(NODES) for state in range(node + 2)]
"""State read and node entered by each edge of a cell of the search."""


class MixedOp(nn.Module):
    """All candidates of an edge, weighed (eq. 3)."""

    def __init__(self, names: Sequence[str], channels: int, stride: int):
        super().__init__()
        self.operations = nn.ModuleDict(
            {name: make_operation(name, channels, stride, search=True) for name in names}
        )

    def forward(self, x: Tensor, weights: Tensor) -> Any:
        return sum(
            weight * operation(x)
            for weight, operation in zip(weights, self.operations.values(), strict=True)
        )


class _Cell(nn.Module):
    """Inputs of both kinds of cells."""

    def __init__(
        self, c_in: tuple[int, int], channels: int, reduction: bool, behind: bool, affine: bool
    ):
        super().__init__()
        self.reduction = reduction
        older = FactorizedReduce if behind else relu_conv
        self.preprocess = nn.ModuleList(
            (older(c_in[0], channels, affine), relu_conv(c_in[1], channels, affine))
        )

    def stride(self, state: int) -> int:
        return 2 if self.reduction and state < 2 else 1

    def inputs(self, older: Tensor, newer: Tensor) -> list[Tensor]:
        return [self.preprocess[0](older), self.preprocess[1](newer)]


class SearchCell(_Cell):
    """`candidates`: names of the operations on each of the 14 edges."""

    def __init__(self, candidates, c_in, channels, reduction, behind):
        super().__init__(c_in, channels, reduction, behind, affine=False)
        self.edges = nn.ModuleList(
            MixedOp(names, channels, self.stride(state))
            for names, (state, _) in zip(candidates, EDGES, strict=True)
        )

    def forward(self, older: Tensor, newer: Tensor, weights: Tensor) -> Tensor:
        states: list[Any] = self.inputs(older, newer)
        for node in range(NODES):
            terms = [
                self.edges[position](states[state], weights[position])
                for position, (state, into) in enumerate(EDGES)
                if into == node
            ]
            states.append(sum(terms[1:], terms[0]))
        return torch.cat(states[2:], 1)


class EvaluationCell(_Cell):
    """`edges`: two (operation, state read) a node."""

    def __init__(self, edges, c_in, channels, reduction, behind):
        super().__init__(c_in, channels, reduction, behind, affine=True)
        self.states = [state for _, state in edges]
        self.edges = nn.ModuleList(
            make_operation(name, channels, self.stride(state), search=False)
            for name, state in edges
        )

    def forward(self, older: Tensor, newer: Tensor) -> Tensor:
        states = self.inputs(older, newer)
        for first in range(0, len(self.edges), 2):
            a, b = (self.edges[j](states[self.states[j]]) for j in (first, first + 1))
            states.append(a + b)
        return torch.cat(states[2:], 1)


class Network(nn.Module):
    """Stem, cells and classifier.

    Parameters
    ----------
    cell: `SearchCell` or `EvaluationCell`
    insides: what it is made with, of the normal [0] and of the reduction cell [1]
    """

    def __init__(
        self, cell: Any, insides: Sequence, channels: int, cells: int, c_image: int, classes: int
    ):
        super().__init__()
        width = 3 * channels
        self.stem = nn.Sequential(ShiftConv2d(c_image, width, 3), nn.BatchNorm2d(width))
        self.cells = nn.ModuleList()
        self.reductions = [int(k in (cells // 3, 2 * cells // 3)) for k in range(cells)]
        c_in, behind = (width, width), False
        for reduction in self.reductions:
            channels *= 1 + reduction
            self.cells.append(cell(insides[reduction], c_in, channels, bool(reduction), behind))
            c_in, behind = (c_in[1], NODES * channels), bool(reduction)
        self.classifier = ShiftLinear(c_in[1], classes)

    def forward(self, x: Tensor, weights: Tensor | None = None) -> Tensor:
        """Logits; `weights` (2, edges, candidates) of a search, normal and reduction cells'."""
        older = newer = self.stem(x)
        for cell, reduction in zip(self.cells, self.reductions, strict=True):
            more = () if weights is None else (weights[reduction],)
            older, newer = newer, cell(older, newer, *more)
        return self.classifier(newer.mean((2, 3)))
