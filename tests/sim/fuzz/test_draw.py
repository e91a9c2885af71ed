"""Draws: the same for ever, all of them valid, all of the space in reach."""

import hashlib
import json
from itertools import islice

from hw.ir.validate import Reporter, check_graph
from hw.networks import genotypes
from sim.fuzz.case import as_dict, graph_of
from sim.fuzz.cells import Cells
from sim.fuzz.draw import MOST_NODES, MOST_STEPS, attempts, draw, steps
from sim.fuzz.tally import axes, values_of

CASES = 400


def digest(case) -> str:
    """Of what a case was before it said of which kind its network and its hardware are."""
    content = as_dict(case)
    net = content.pop("net")
    del net["kind"], content["mixed"], content["overlay"]
    return hashlib.sha256(json.dumps(content | net, sort_keys=True).encode()).hexdigest()


def test_a_seed_and_a_number_give_one_case_for_ever():
    assert digest(draw(1, 0, of="cells"))[:12] == "28ab5981503b"
    assert digest(draw(2026, 7, of="cells"))[:12] == "371cc795b02c"
    assert digest(draw(1, 0, of="layers"))[:12] == "771919c7e597"
    assert digest(draw(1, 0, of="model"))[:12] == "7e3e4478c7b2"


def test_networks_of_cells_stay_what_they_were_among_the_others():
    for number in range(20):
        case = draw(1, number)
        assert case == draw(1, number, of=case.kind)


def test_seeds_numbers_and_attempts_differ():
    first, second = islice(attempts(1, 0), 2)
    assert first == draw(1, 0)
    assert len({json.dumps(as_dict(case)) for case in (first, second, draw(1, 1), draw(2, 0))}) == 4


def test_draws_are_valid_and_reach_the_whole_space():
    missing = {axis: set(values) for axis, values in axes().items()}
    del missing["overlay"]
    for number in range(CASES):
        case = draw(5, number)
        graph = graph_of(case)
        check_graph(graph, Reporter())
        if isinstance(case.net, Cells):
            genotypes.from_mapping(case.net.genotype)
        assert len(graph) <= max(most for most, _ in MOST_NODES)
        assert steps(graph) <= MOST_STEPS
        for axis, values in values_of(case).items():
            missing.get(axis, set()).difference_update(values)
    assert {axis: values for axis, values in missing.items() if values} == {}
