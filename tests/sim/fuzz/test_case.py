"""Cases: plain, complete, read back equal."""

import json
from dataclasses import replace

import pytest

from hw.errors import CheckFailed, InputError
from sim.fuzz import case as cases
from sim.fuzz.draw import draw
from sim.fuzz.plan_edits import PlanEdits


@pytest.mark.parametrize("number", range(5))
def test_json_gives_the_case_back(number):
    case = draw(1, number)
    text = json.dumps(cases.as_dict(case))
    assert cases.from_dict(json.loads(text)) == case


def test_unknown_and_missing_keys_are_named(case):
    content = cases.as_dict(case)
    with pytest.raises(InputError, match="case: colour: unknown"):
        cases.from_dict(content | {"colour": 1})
    del content["stem"]
    with pytest.raises(InputError, match="case: stem: missing"):
        cases.from_dict(content)
    with pytest.raises(InputError, match="case: plan: elements: missing"):
        cases.from_dict(cases.as_dict(case) | {"plan": {"size": 1}})


def test_hardware_is_what_the_case_says(case):
    case = replace(case, act_bits=6, plan=PlanEdits(elements="barrel"), frames=("full", "zeros"))
    network = cases.network_of(case)
    assert len(network.graph) == len(cases.graph_of(case))
    assert network.formats["stem/conv"].width == 6
    hardware = cases.hardware_of(case, network)
    assert {layer.element for layer in hardware.design.plan.layers.values()} == {"barrel", "pool"}
    assert hardware.images.shape == (2, 5, 4, 1)
    assert hardware.images[0].all() and not hardware.images[1].any()


def test_unsuitable_formats_are_refused(case, monkeypatch):
    monkeypatch.setattr("hw.networks.random_network.LEAST_RANGE", 2.0)
    with pytest.raises(CheckFailed, match="range used"):
        cases.network_of(case)
