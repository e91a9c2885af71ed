"""Operation search: grouped softmax and what is retained (eq. 3 and 11)."""

import math
from itertools import product

import pytest
import torch
from paper_space import CONV_OPERATIONS, EDGES, TOPOLOGY_OPERATIONS, operation_architecture

from hw.report.log import has_groups
from nas.cell import ZERO
from nas.search_config import SearchConfig
from nas.strategies.registry import STRATEGIES, make_strategy


def exp_share(values, k):
    """Eq. 3, written out in Python's floats."""
    return math.exp(values[k]) / sum(math.exp(v) for v in values)


def test_each_group_has_a_softmax_of_its_own():
    torch.manual_seed(0)
    architecture = operation_architecture(zero=True)
    architecture.conv.data.normal_()
    architecture.topology.data.normal_()
    coefficients = architecture.coefficients()
    assert coefficients.shape == (2, len(EDGES), 8)
    for cell, edge in product((0, 1), range(len(EDGES))):
        conv = architecture.conv[cell, edge].tolist()
        topology = architecture.topology[cell, edge].tolist()
        expected = [exp_share(g, k) for g in (conv, topology) for k in range(4)]
        assert coefficients[cell, edge].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_report_tells_the_groups_by_the_stage(strategy):
    """Shares of an edge add up to one for each softmax."""
    found = make_strategy(SearchConfig(strategy=strategy))
    candidates = found.start
    for index, stage in enumerate(found.stages):
        architecture = found.architecture(index, candidates)
        shares = architecture.shares(stage.moment(0))
        softmaxes = 2 if has_groups({"stage": stage.name}) else 1
        assert sum(shares["alpha"][0][0]) == pytest.approx(softmaxes, abs=1e-3)
        candidates = architecture.retained()


def test_the_groups_do_not_compete():
    architecture = operation_architecture()
    before = architecture.coefficients()
    architecture.topology.data[0, 5, 2] += 8  # a skip that grows strong
    after = architecture.coefficients()
    assert torch.equal(before[..., :4], after[..., :4])
    assert after[0, 5, 6] > 0.99


@pytest.mark.parametrize("seed", range(5))
def test_the_strongest_of_each_group_is_retained(seed):
    torch.manual_seed(seed)
    architecture = operation_architecture()
    architecture.conv.data.normal_()
    architecture.topology.data.normal_()
    retained = architecture.retained()
    for cell, edge in product((0, 1), range(len(EDGES))):
        conv = dict(zip(architecture.conv[cell, edge].tolist(), CONV_OPERATIONS, strict=True))
        topology = architecture.topology[cell, edge].tolist()
        best = dict(zip(topology, TOPOLOGY_OPERATIONS, strict=True))
        assert retained[cell][edge] == (conv[max(conv)], best[max(best)])


def test_zero_takes_part_but_is_never_retained():
    architecture = operation_architecture(zero=True)
    architecture.topology.data[..., -1] = 9.0
    assert architecture.candidates[0][0][-1] == ZERO
    assert architecture.coefficients()[..., -1].min() > 0.99
    assert all(t in TOPOLOGY_OPERATIONS for cell in architecture.retained() for _, t in cell)


def test_without_topology_search_an_edge_keeps_one_operation():
    architecture = operation_architecture()
    architecture.conv.data.zero_()
    architecture.conv.data[0, 9, 3] = 4.0
    architecture.topology.data.zero_()
    architecture.topology.data[0, 11, 1] = 4.0
    genotype = architecture.genotype()
    assert genotype.normal[6:] == ((CONV_OPERATIONS[3], 0), (TOPOLOGY_OPERATIONS[1], 2))
