"""Cases: plain, complete, read back equal."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from hw.errors import CheckFailed, InputError
from hw.ir import reference
from hw.ir.arithmetic import scale_multipliers
from hw.ir.validate import validate
from sim.fuzz import case as cases
from sim.fuzz.draw import draw
from sim.fuzz.layers import Layers, Step
from sim.fuzz.models import Model
from sim.fuzz.plan_edits import PlanEdits


@pytest.mark.parametrize("kind", cases.NETS)
@pytest.mark.parametrize("number", range(5))
def test_json_gives_the_case_back(kind, number):
    case = draw(1, number, of=kind)
    assert case.kind == kind
    text = json.dumps(cases.as_dict(case))
    assert cases.from_dict(json.loads(text)) == case


def test_unknown_and_missing_keys_are_named(case):
    content = cases.as_dict(case)
    with pytest.raises(InputError, match="case: colour: unknown"):
        cases.from_dict(content | {"colour": 1})
    net = {key: value for key, value in content["net"].items() if key != "stem"}
    with pytest.raises(InputError, match="case: net: stem: missing"):
        cases.from_dict(content | {"net": net})
    with pytest.raises(InputError, match="case: net: kind: expected one of cells, layers, model"):
        cases.from_dict(content | {"net": net | {"kind": "cell"}})
    del content["image"]
    with pytest.raises(InputError, match="case: image: missing"):
        cases.from_dict(content)
    with pytest.raises(InputError, match="case: plan: elements: missing"):
        cases.from_dict(cases.as_dict(case) | {"plan": {"size": 1}})
    with pytest.raises(InputError, match="case: level: 'gate'; expected one of network, cell"):
        cases.from_dict(cases.as_dict(case) | {"level": "gate"})


def test_wrong_networks_are_named(case):
    layers = Layers((Step("conv"),)).as_dict() | {"kind": "layers"}
    model = Model("resnet8", "cifar", 0.125).as_dict() | {"kind": "model"}
    for net, message in (
        (model | {"name": "alexnet"}, "case: net: name: 'alexnet'; expected one of resnet8, "),
        (model | {"stem": "mnist"}, "case: net: stem: 'mnist'; expected one of cifar, imagenet"),
        (layers | {"head": "foot"}, "case: net: head: 'foot'; expected one of classifier, means"),
        (layers | {"steps": [{"kind": "fft"}]}, "case: net: step 0: kind: 'fft'; expected one of"),
        (layers | {"steps": [{"kind": "conv", "clip": "elu"}]}, "step 0: clip: 'elu'; expected"),
        (layers | {"steps": [{"kind": "conv", "own": "all"}]}, "step 0: own: 'all'; expected"),
        (layers | {"steps": [{"kind": "conv", "pace": 1}]}, "step 0: expected kind and some of"),
        (layers | {"steps": [{}]}, "case: net: step 0: expected kind and some of"),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            cases.from_dict(cases.as_dict(case) | {"net": net})


def test_tensors_of_many_widths(case):
    """Each that is rounded has its own; what keeps its input's format keeps it."""
    case = replace(
        case, mixed=True, net=Model("mobilenet_v2", "cifar", 1 / 16, kept=12), image=(6, 6, 3)
    )
    network = cases.network_of(case)
    one = cases.network_of(replace(case, mixed=False))
    found = {node.name: network.formats[node.name] for node in network.graph.nodes[1:-1]}
    assert len({fmt.width for fmt in found.values()}) > 3
    assert all(2 <= fmt.width <= 8 for fmt in found.values())
    assert {one.formats[name].width for name in found} == {8}
    assert network.formats["cut_pool"] == network.formats[network.graph["cut_pool"].inputs[0]]


def test_a_layer_without_batch_norm_keeps_its_scale(case):
    """Scales are one there: only batch norms can be negative."""
    layers = Layers((Step("conv", own="bias", channels=3), Step("conv", channels=3)))
    found = cases.network_of(replace(case, net=layers, negative=1.0))
    assert (found.params["n0"].scale_sign == 1).all()
    turned = found.params["n1"].scale_sign[:, 0]
    assert (turned <= 0).all() and turned.any()
    validate(found)


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
