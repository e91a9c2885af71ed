"""The derivation of DARTS against a search through all genotypes."""

from itertools import combinations, product

import pytest
import torch
from paper_space import CELL, EDGES, NODES

from nas.cell import ZERO
from nas.strategies.derivation import derive

OPERATIONS = ("sep_conv_3x3", "skip_connect", ZERO)


def best_by_brute_force(shares):
    """The cell with the largest sum of shares: two edges a node, an operation but zero on each."""
    cell = []
    for node in range(NODES):
        choices = [
            (
                sum(float(shares[e, o]) for e, o in zip(pair, operations, strict=True)),
                pair,
                operations,
            )
            for pair in combinations(CELL.node_edges(node), 2)
            for operations in product((0, 1), repeat=2)
        ]
        _, pair, operations = max(choices)
        cell += [(OPERATIONS[o], EDGES[e][0]) for e, o in zip(pair, operations, strict=True)]
    return tuple(cell)


@pytest.mark.parametrize("seed", range(20))
def test_equals_brute_force(seed):
    generator = torch.Generator().manual_seed(seed)
    shares = (2 * torch.randn(2, len(EDGES), 3, generator=generator)).softmax(-1)
    genotype = derive(CELL.on_every_edge(OPERATIONS), shares)
    assert genotype.normal == best_by_brute_force(shares[0])
    assert genotype.reduce == best_by_brute_force(shares[1])


def test_zero_weakens_an_edge_but_is_never_kept():
    shares = torch.full((2, len(EDGES), 3), 0.3)
    shares[..., 1] = 0.2
    shares[0, CELL.node_edges(3)[0]] = torch.tensor([0.05, 0.05, 0.9])
    genotype = derive(CELL.on_every_edge(OPERATIONS), shares)
    assert all(operation != ZERO for operation, _ in genotype.normal + genotype.reduce)
    assert [state for _, state in genotype.normal[6:]] == [1, 2]
    assert [state for _, state in genotype.reduce[6:]] == [0, 1]
