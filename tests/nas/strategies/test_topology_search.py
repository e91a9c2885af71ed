"""Topology search: pairs, temperature, edge weights, derivation (eq. 12 to 14)."""

import math
from dataclasses import replace
from itertools import combinations, pairwise, product

import pytest
import torch
from paper_space import CELL, CONV_OPERATIONS, EDGES, NODES, TOPOLOGY_OPERATIONS

from hw.networks.cells import skeleton
from nas.model import image_tensor
from nas.search_config import SearchConfig
from nas.shift import ShiftSettings
from nas.strategies.strategy import Moment
from nas.strategies.topology_search import TopologyArchitecture
from nas.supernet import Supernet

PAIR = (CONV_OPERATIONS[0], TOPOLOGY_OPERATIONS[2])


@pytest.fixture(params=range(3))
def topology(request) -> TopologyArchitecture:
    torch.manual_seed(request.param)
    architecture = TopologyArchitecture(CELL.on_every_edge(PAIR), SearchConfig())
    for parameter in architecture.parameters():
        parameter.data.normal_()
    return architecture.double().requires_grad_(False)


def beta_by_hand(values, temperature):
    """Eq. 12, written out in Python's floats."""
    powers = [math.exp(v / temperature) for v in values]
    return [power / sum(powers) for power in powers]


def gamma_by_hand(architecture, cell, temperature, share):
    """Eq. 13: for each edge the sum over all pairs that contain it; `share` is the 1/N(c)."""
    gamma = [0.0] * len(EDGES)
    for node in range(NODES):
        edges = [e for e, (_, into) in enumerate(EDGES) if into == node]
        weights = beta_by_hand(architecture.beta[node][cell].tolist(), temperature)
        for pair, weight in zip(combinations(edges, 2), weights, strict=True):
            for edge in pair:
                gamma[edge] += share * weight
    return gamma


@pytest.mark.parametrize("temperature", [10.0, 1.0, 0.3])
@pytest.mark.parametrize(("scaled", "share"), [(False, 1.0), (True, 0.5)])
def test_edge_weights_equal_brute_force(topology, temperature, scaled, share):
    topology.config = replace(topology.config, scale_edges=scaled)
    weights = topology.edge_weights(temperature)
    for cell in (0, 1):
        expected = gamma_by_hand(topology, cell, temperature, share)
        assert weights[cell].tolist() == pytest.approx(expected, rel=1e-12)
        for node in range(NODES):
            # Two edges are kept: so much weight a node has to give.
            assert float(weights[cell, list(CELL.node_edges(node))].sum()) == pytest.approx(
                2 * share
            )


def test_temperature_falls_geometrically(topology):
    heats = [topology.temperature(Moment(epoch, 40)) for epoch in range(40)]
    assert heats[0] == 10 and heats[-1] == pytest.approx(0.02)
    theta = heats[1] / heats[0]
    assert all(b / a == pytest.approx(theta) for a, b in pairwise(heats))
    assert heats[7] == pytest.approx(10 * theta**7)  # T0·theta**t


def test_a_low_temperature_makes_the_choice_hard(topology):
    soft, hard = topology.edge_weights(10.0), topology.edge_weights(1e-3)
    for cell, node in product((0, 1), range(1, NODES)):
        edges = list(CELL.node_edges(node))
        assert soft[cell, edges].max() < 0.95
        best = max(zip(topology.beta[node][cell].tolist(), combinations(edges, 2), strict=True))[1]
        assert hard[cell, edges].tolist() == pytest.approx([float(e in best) for e in edges])


def test_coefficients_carry_the_edge_weight(topology):
    """Eq. 14: gamma times the mixed operations of the edge."""
    topology.config = replace(topology.config, alpha_temperature=0.5)
    moment = Moment(3, 10)
    heat = topology.temperature(moment)
    coefficients, gamma = topology.coefficients(moment), topology.edge_weights(heat)
    for cell, edge in product((0, 1), range(len(EDGES))):
        alpha = beta_by_hand(topology.alpha[cell, edge].tolist(), 0.5 * heat)
        expected = [float(gamma[cell, edge]) * a for a in alpha]
        assert coefficients[cell, edge].tolist() == pytest.approx(expected, abs=1e-12)


def test_genotype_equals_brute_force(topology):
    genotype = topology.genotype()
    for cell, kept in enumerate((genotype.normal, genotype.reduce)):
        expected = []
        for node in range(NODES):
            values = topology.beta[node][cell].tolist()
            pairs = list(combinations(CELL.node_edges(node), 2))
            for edge in pairs[values.index(max(values))]:
                conv, other = topology.alpha[cell, edge].tolist()
                expected.append((PAIR[other > conv], EDGES[edge][0]))
        assert kept == tuple(expected)


def test_what_the_log_says(topology):
    shares = topology.shares(Moment(0, 5))
    assert shares["temperature"] == 10
    assert [len(cell) for cell in shares["gamma"]] == [14, 14]
    assert [len(pairs) for pairs in shares["beta"][1]] == [1, 3, 6, 10]
    assert sum(shares["beta"][0][3]) == pytest.approx(1, abs=1e-3)


def test_a_candidate_without_a_share_is_not_computed_and_nothing_changes(topology):
    """Loss and every gradient, in float64, beside those of a supernet that computes them all."""
    topology.config = replace(topology.config, temperature_end=5e-4)
    coefficients, chosen = topology.requires_grad_(True).mixture(Moment(9, 10))
    absent = ~chosen
    # Of the two operations of an edge one is gone, of a node's edges most.
    assert absent.any(-1).all() and absent.all(-1).sum() > len(EDGES) // 2
    frame = skeleton(channels=2, cells=3, image=(8, 8, 1), classes=3)
    supernet = Supernet(frame, topology.candidates, ShiftSettings()).double()
    x = image_tensor(torch.randint(0, 256, (4, 8, 8, 1), dtype=torch.uint8)).double()
    parameters = [*topology.parameters(), *supernet.parameters()]
    found = []
    for computed in (chosen, None):
        loss = supernet(x, coefficients, computed).logsumexp(1).sum()
        slopes = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        found.append([loss, *slopes])
    unused = 0
    for some, every in zip(*found, strict=True):
        assert every is not None
        unused += some is None
        given = torch.zeros_like(every) if some is None else some
        torch.testing.assert_close(given, every, rtol=1e-9, atol=1e-12)
    assert unused > 0
