"""Networks out of ONNX files: the same to the digest, or refused."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from any_networks import networks
from hypothesis import HealthCheck, assume, given, settings
from onnx import helper, numpy_helper

from hw.errors import InputError
from hw.exchange.model import DOCUMENT, EXPONENTS, to_bytes, to_model
from hw.exchange.restore import is_ours, restore

FILE = Path("x.onnx")


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks())
def test_the_way_there_and_back_keeps_the_digest(drawn):
    network, _ = drawn
    try:
        data = to_bytes(to_model(network))
    except InputError:
        assume(False)
        return
    found = restore(onnx.load_from_string(data), FILE)
    assert found.digest == network.digest
    assert to_bytes(to_model(found)) == data


def test_meta_comes_along(network):
    network.meta["accuracy"] = 0.5
    try:
        assert restore(to_model(network), FILE).meta == {"accuracy": 0.5}
    finally:
        del network.meta["accuracy"]


def test_stored_otherwise_it_is_the_same_network(network):
    """Typed data in place of raw bytes, constants in another order, shapes inferred."""
    model = to_model(network)
    for constant in model.graph.initializer:
        array = numpy_helper.to_array(constant)
        kind, values = constant.data_type, array.ravel().tolist()
        constant.CopyFrom(helper.make_tensor(constant.name, kind, array.shape, values))
    constants = list(model.graph.initializer)[::-1]
    del model.graph.initializer[:]
    model.graph.initializer.extend(constants)
    model = onnx.shape_inference.infer_shapes(model)
    assert restore(model, FILE).digest == network.digest


def constant(model, name):
    return next(one for one in model.graph.initializer if one.name == name)


def set_constant(name, change):
    def edit(model):
        found = constant(model, name)
        array = numpy_helper.to_array(found).copy()
        found.CopyFrom(numpy_helper.from_array(change(array), name))

    return edit


def operator(name, change):
    return lambda model: change(next(one for one in model.graph.node if one.name == name))


def without(name):
    def edit(model):
        model.graph.initializer.remove(constant(model, name))

    return edit


def metadata(key, change):
    def edit(model):
        prop = next(one for one in model.metadata_props if one.key == key)
        content = json.loads(prop.value)
        change(content)
        prop.value = json.dumps(content)

    return edit


def stop_flattening(found):
    found.attribute[0].i = 2


def first_weight(value):
    def change(array):
        array.flat[0] = value
        return array

    return change


CONV, PW = "stem/conv", "cell0/edge0/pw"

EDITS = {
    "another weight": (set_constant(f"{CONV}/weights_left0", np.negative), f"{CONV}/codes"),
    "no power of two": (set_constant(f"{CONV}/weights_left0", first_weight(3)), "power of two"),
    "too large a weight": (
        metadata(EXPONENTS, lambda c: c[CONV].update(p0=-1)),
        f"{CONV}/weights_left0",
    ),
    "another exponent": (metadata(EXPONENTS, lambda c: c[CONV].update(p0=-5)), f"{CONV}/codes"),
    "no exponent": (metadata(EXPONENTS, lambda c: c[CONV].pop("p0")), EXPONENTS),
    "absurd exponent": (metadata(EXPONENTS, lambda c: c[CONV].update(p0=1 << 70)), EXPONENTS),
    "a foreign node": (metadata(EXPONENTS, lambda c: c.update(x=c[CONV])), "x"),
    "a node less": (metadata(EXPONENTS, lambda c: c.pop(PW)), PW),
    "another bias": (set_constant(f"{PW}/offset", lambda a: a + 1), f"{PW}/bias"),
    "another logit": (set_constant("classifier/bias", lambda a: a + 1), "classifier/bias"),
    "no bias": (without("classifier/bias"), "classifier/bias"),
    "another scale": (set_constant(f"{PW}/scale", lambda a: a + 1), f"{PW}/scale"),
    "other terms": (
        metadata(EXPONENTS, lambda c: c[PW]["scale_exp"][0].__setitem__(0, 1)),
        f"{PW}/scale_exp",
    ),
    "another range": (set_constant("cell0/node2/largest", lambda a: a - 1), "cell0/node2/largest"),
    "another shift": (set_constant(f"{PW}/step", lambda a: a * 2), f"{PW}/step"),
    "another operator": (
        operator(f"{PW}/relu", lambda o: setattr(o, "op_type", "Identity")),
        f"{PW}/relu",
    ),
    "another attribute": (operator("classifier/flat", stop_flattening), "classifier/flat"),
    "another source": (
        operator("cell0/node2/part", lambda o: o.input.__setitem__(0, PW)),
        "cell0/node2/part",
    ),
    "an operator more": (
        lambda m: m.graph.node.append(helper.make_node("Abs", ["classifier"], ["more"])),
        "more",
    ),
    "an operator less": (lambda m: m.graph.node.pop(), "classifier"),
    "another input": (
        lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[2], "dim_value", 5),
        "input input",
    ),
    "another opset": (lambda m: setattr(m.opset_import[0], "version", 18), "opset"),
    "another format": (
        metadata(DOCUMENT, lambda c: c["formats"][CONV].update(frac=4)),
        f"{CONV}/bias",
    ),
    "another digest": (metadata(DOCUMENT, lambda c: c.update(digest="0")), "digest"),
    "no digest": (metadata(DOCUMENT, lambda c: c.pop("digest")), "digest"),
    "another rounding": (
        metadata(DOCUMENT, lambda c: c["arithmetic"].update(rounding="floor")),
        "not what the metadata say",
    ),
    "no arithmetic": (metadata(DOCUMENT, lambda c: c.pop("arithmetic")), "arithmetic"),
    "no nodes": (metadata(DOCUMENT, lambda c: c.pop("nodes")), "no node of this name"),
    "no arrays": (metadata(DOCUMENT, lambda c: c["weights"].pop("arrays")), "arrays"),
    "a newer version": (metadata(DOCUMENT, lambda c: c.update(schema_version=99)), "99"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_file_is_refused(network, edit):
    change, part = EDITS[edit]
    model = to_model(network)
    change(model)
    with pytest.raises(InputError) as caught:
        restore(model, FILE)
    message = str(caught.value)
    assert message.startswith("x.onnx: ") and part in message and "\n" not in message


def test_whose_a_model_is(network):
    model = to_model(network)
    assert is_ours(model)
    del model.metadata_props[:]
    assert not is_ours(model)
