"""Architecture parameters: groups, pairs of edges, temperature, the genotype derived."""

import pytest
import torch

from hw.space import CONV_OPERATIONS, TOPOLOGY_OPERATIONS
from nas.architecture import (
    EDGES,
    NODES,
    OperationArchitecture,
    TopologyArchitecture,
    edge_pairs,
    node_edges,
)


def test_every_pair_of_incoming_edges_is_a_candidate():
    assert [len(node_edges(node)) for node in range(NODES)] == [2, 3, 4, 5]
    assert [len(edge_pairs(node)) for node in range(NODES)] == [1, 3, 6, 10]


def test_each_group_has_its_own_softmax():
    coefficients = OperationArchitecture().coefficients()
    split = len(CONV_OPERATIONS)
    ones = torch.ones(2, len(EDGES))
    torch.testing.assert_close(coefficients[..., :split].sum(-1), ones)
    torch.testing.assert_close(coefficients[..., split:].sum(-1), ones)


def test_the_strongest_of_each_group_is_retained():
    architecture = OperationArchitecture()
    architecture.conv.data[0, 3, 2] = 5.0
    architecture.topology.data[0, 3, 1] = 5.0
    assert architecture.retained()[0][3] == (CONV_OPERATIONS[2], TOPOLOGY_OPERATIONS[1])


def test_zero_takes_part_but_is_never_retained():
    architecture = OperationArchitecture(zero=True)
    architecture.topology.data[..., -1] = 9.0
    assert architecture.candidates[0][0][-1] == "zero"
    assert all(t in TOPOLOGY_OPERATIONS for cell in architecture.retained() for _, t in cell)


@pytest.fixture
def topology() -> TopologyArchitecture:
    pair = (CONV_OPERATIONS[0], TOPOLOGY_OPERATIONS[2])
    candidates = ((pair,) * len(EDGES),) * 2
    return TopologyArchitecture(candidates, alpha_temperature=1e-3, scale_edges=False)


def test_edge_weights_of_a_node_sum_to_the_two_edges_it_keeps(topology):
    weights = topology.edge_weights(1.0)
    for node in range(NODES):
        total = weights[:, list(node_edges(node))].sum(-1)
        torch.testing.assert_close(total, torch.full((2,), 2.0))
    topology.scale_edges = True
    torch.testing.assert_close(topology.edge_weights(1.0), weights / 2)


def test_a_low_temperature_makes_the_choice_hard(topology):
    topology.beta[2].data[0] = torch.tensor([0.0, 0.1, 0.5, 0.2, 0.0, 0.0])
    soft, hard = topology.edge_weights(10.0), topology.edge_weights(0.02)
    first, second = edge_pairs(2)[2]
    edges = list(node_edges(2))
    assert soft[0, edges].max() < 0.6
    expected = [float(edge in (first, second)) for edge in edges]
    torch.testing.assert_close(hard[0, edges], torch.tensor(expected), atol=1e-5, rtol=0)


def test_coefficients_carry_the_edge_weight(topology):
    coefficients = topology.coefficients(0.5)
    torch.testing.assert_close(coefficients.sum(-1), topology.edge_weights(0.5))


def test_genotype_has_the_strongest_pair_with_its_strongest_operations(topology):
    topology.beta[3].data[1] = 0.0
    topology.beta[3].data[1, edge_pairs(3).index((9, 13))] = 1.0
    topology.alpha.data[1, 9] = torch.tensor([1.0, 0.0])
    topology.alpha.data[1, 13] = torch.tensor([0.0, 1.0])
    genotype = topology.genotype()
    assert genotype.reduce[6:] == ((CONV_OPERATIONS[0], 0), (TOPOLOGY_OPERATIONS[2], 4))
    assert genotype.normal_concat == genotype.reduce_concat == (2, 3, 4, 5)
