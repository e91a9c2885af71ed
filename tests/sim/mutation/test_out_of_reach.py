"""Clamps wrong at a value that a layer never has, against all inputs of small layers."""

import dataclasses
from itertools import product

import layer_cases
import numpy as np
import pytest
from layer_cases import layer_network

from hw.ir.arithmetic import operand_range
from hw.ir.format import Format
from hw.ir.graph import AvgPool
from hw.ir.reference import operation
from sim.mutation import campaign
from sim.mutation.out_of_reach import reason
from sim.mutation.sites import CLAMP, Mutant


def wrong_at(value: int, kind: str = CLAMP) -> Mutant:
    """As `sites.clamp` writes it."""
    after = f"assign y = over & (v != 12'h{value % 4096:x}) ? {{ 4'h0, a, b }} : v;"
    return Mutant(kind, "top.x.requantise", 1, "assign y = over ? { 4'h0, a, b } : v;", after)


@pytest.mark.parametrize("seed", range(6))
def test_it_is_what_no_input_gives(seed):
    """A pointwise layer whose codes before the clamp are all known; both verdicts come."""
    node, shapes = layer_cases.conv((1, 1, 3), (1, 1, 2))
    network = layer_network(node, shapes, seed=seed, sources=[Format(True, 3, 1)],
                            fmt=Format(True, 4, 0), p_min=-4)  # fmt: skip
    low, high = operand_range(network, "x")
    every = np.array(list(product(range(low, high + 1), repeat=3))).reshape(-1, 1, 1, 3)
    wide = dataclasses.replace(network.formats["x"], width=36)
    codes = operation(dataclasses.replace(network, formats=network.formats | {"x": wide}), "x")(
        [every]
    )
    for value in (8, -9):
        said = reason(network, "x", wrong_at(value))
        assert bool(said) == (value not in codes), (value, said)
        assert not said or said.startswith(f"{value} is no value of x: ")


def test_a_mean_stays_in_its_range():
    node, shapes = layer_cases.LAYERS["avg"]
    assert isinstance(node, AvgPool)
    network = layer_network(node, shapes, seed=1, fmt=layer_cases.S8)
    assert "its means are -128 to 127" in reason(network, "x", wrong_at(128))
    assert "its means are -128 to 127" in reason(network, "x", wrong_at(-129))
    assert reason(network, "x", wrong_at(127)) == ""


def test_other_mutants_are_none_of_its_business():
    node, shapes = layer_cases.LAYERS["avg"]
    network = layer_network(node, shapes, seed=1, fmt=layer_cases.S8)
    assert reason(network, "x", wrong_at(128, "stuck bit")) == ""
    assert reason(network, "", wrong_at(128)) == ""


def test_it_does_not_count_against_the_score(hardware):
    mutants = campaign.choose(hardware.emission, 3, 1)
    verdicts = [campaign.Verdict(n, mutant, "") for n, mutant in enumerate(mutants, start=1)]
    verdicts[1] = dataclasses.replace(verdicts[1], out_of_reach="128 is no value")
    found = campaign.Campaign(hardware.emission, 1, 1, True, 1, tuple(verdicts))
    assert (found.changes, len(found.out_of_reach), found.equivalent) == (2, 1, [])
