"""The searched cell: edges, pairs, genotypes of kept edges."""

from itertools import combinations

import pytest
from paper_space import CELL, EDGES, NODES

from hw.networks.space import Genotype


def test_a_node_reads_every_state_before_it():
    for node in range(NODES):
        assert [EDGES[e] for e in CELL.node_edges(node)] == [(s, node) for s in range(2 + node)]


@pytest.mark.parametrize(("node", "pairs"), [(0, 1), (1, 3), (2, 6), (3, 10)])
def test_every_pair_of_incoming_edges_is_a_candidate(node, pairs):
    edges = [e for e, (_, into) in enumerate(EDGES) if into == node]
    assert CELL.edge_pairs(node) == tuple(combinations(edges, 2))
    assert len(CELL.edge_pairs(node)) == pairs  # n! / (2! (n - 2)!)


def test_genotype_lists_the_edges_node_by_node():
    normal = dict.fromkeys((13, 0, 1, 2, 4, 9, 5, 8), "skip_connect")
    genotype = CELL.genotype_of(normal, normal)
    assert isinstance(genotype, Genotype)
    assert [state for _, state in genotype.normal] == [0, 1, 0, 2, 0, 3, 0, 4]
    assert genotype.reduce_concat == (2, 3, 4, 5)


def test_on_every_edge_of_both_cells():
    normal, reduction = CELL.on_every_edge(("skip_connect",))
    assert normal == reduction == (("skip_connect",),) * 14
