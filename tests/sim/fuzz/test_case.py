"""Cases: plain, complete, read back equal."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hw.errors import CheckFailed, InputError
from hw.ir import reference
from hw.ir.arithmetic import scale_multipliers
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
    with pytest.raises(InputError, match="case: level: 'gate'; expected one of network, cell"):
        cases.from_dict(cases.as_dict(case) | {"level": "gate"})


def test_hardware_is_what_the_case_says(case):
    case = replace(case, act_bits=6, plan=PlanEdits(elements="barrel"), frames=("full", "zeros"))
    network = cases.network_of(case)
    assert len(network.graph) == len(cases.graph_of(case))
    assert network.formats["stem/conv"].width == 6
    hardware = cases.hardware_of(case, network)
    assert {layer.element for layer in hardware.design.plan.layers.values()} == {"barrel", "pool"}
    assert hardware.images.shape == (2, 5, 4, 1)
    assert hardware.images[0].all() and not hardware.images[1].any()


def test_negative_scales_mirror_what_a_layer_gives(case):
    """Of the first layer: all of it, or half of its channels."""
    plain, image = cases.network_of(case), np.full((1, 5, 4, 1), 200, np.uint8)
    conv = plain.graph["stem/conv"]
    v = {0.0: requantised(plain, image)}
    for share in (0.5, 1.0):
        turned = cases.network_of(replace(case, negative=share))
        v[share] = requantised(turned, image)
    assert conv.shape[2] == v[0.0].shape[-1] and v[0.0].any()
    assert (v[1.0] == -v[0.0]).all()
    negated = (v[0.5] == -v[0.0]).all(axis=(0, 1, 2))
    assert (negated | (v[0.5] == v[0.0]).all(axis=(0, 1, 2))).all()


def requantised(network, image):
    """u + B of every pixel of the first layer, before rounding."""
    params = network.params["stem/conv"]
    total = reference.accumulate(network, "stem/conv")([image.astype(np.int64)]).astype(int)
    _, _, scales = scale_multipliers(params.scale_sign, params.scale_exp)
    return total * np.array(scales) + np.array(params.bias)


def test_loaded_weights_meet_hardware_of_other_weights(case):
    network = cases.network_of(case)
    hardware = cases.hardware_of(replace(case, loaded=True), network)
    assert hardware.load and hardware.design.plan.loadable
    assert hardware.design.digest != network.digest
    parts = cases.hardware_of(replace(case, loaded=True, level="op"), network)
    assert not parts.load and parts.design.plan.loadable and parts.design.digest == network.digest


def test_unsuitable_formats_are_refused(case, monkeypatch):
    monkeypatch.setattr("hw.networks.random_network.LEAST_RANGE", 2.0)
    with pytest.raises(CheckFailed, match="range used"):
        cases.network_of(case)
