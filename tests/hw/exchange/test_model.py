"""ONNX models as they are written."""

from dataclasses import replace

import onnx
import pytest

from hw.errors import InputError
from hw.exchange.model import OPSET, to_bytes, to_model
from hw.ir.format import Format
from hw.networks import genotypes
from hw.networks.cells import build
from hw.networks.random_network import random_network


def test_equal_networks_give_equal_bytes(network):
    again = replace(network, meta=dict(network.meta))
    assert to_bytes(to_model(network)) == to_bytes(to_model(again))


def test_names_are_those_of_the_network(network):
    model = to_model(network)
    made = {output for operator in model.graph.node for output in operator.output}
    names = [node.name for node in network.graph]
    assert set(names[1:]) <= made
    assert [one.name for one in model.graph.input] == ["input"]
    assert [one.name for one in model.graph.output] == ["classifier"]
    for value in made - set(names):
        assert any(value.startswith(f"{name}/") for name in names)
    # A value is made by the operator of its name.
    assert all(list(operator.output) == [operator.name] for operator in model.graph.node)


def test_only_standard_operators_of_one_opset(network):
    model = to_model(network)
    assert [(one.domain, one.version) for one in model.opset_import] == [("", OPSET)]
    assert {operator.domain for operator in model.graph.node} == {""}
    types = {constant.data_type for constant in model.graph.initializer}
    assert types == {onnx.TensorProto.INT8, onnx.TensorProto.INT64}


def test_every_node_that_is_not_held_is_named():
    graph = build(genotypes.get("DARTS_V2"), channels=2, cells=2, image=(6, 6, 1), classes=3)
    network = random_network(graph, seed=1)
    adds = [node.name for node in graph if type(node).__name__ == "Add"]
    # Sums of 32 bits, 90 of which are fractional, beside the others' few: shifts to the left.
    wide = {name: Format(True, 32, 90) for name in adds}
    odd = replace(network, formats={**network.formats, **wide})
    with pytest.raises(InputError) as caught:
        to_model(odd)
    message = str(caught.value)
    assert adds[0] in message and "int64" in message and "more nodes: export" in message
    assert "\n" not in message and len(adds) == 8
