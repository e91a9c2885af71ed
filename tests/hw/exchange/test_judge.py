"""The comparison with onnxruntime finds what is wrong."""

import numpy as np
import pytest
from onnx import numpy_helper

from hw.errors import InputError
from hw.exchange import judge as judges
from hw.exchange.judge import judge
from hw.exchange.model import to_model

IMAGES = np.random.default_rng(5).integers(0, 256, (7, 4, 4, 2), np.uint8)


def changed(model, name, change):
    for constant in model.graph.initializer:
        if constant.name == name:
            array = numpy_helper.to_array(constant).copy()
            change(array)
            constant.CopyFrom(numpy_helper.from_array(array, name))
            return model
    raise AssertionError(f"no constant {name}")


def test_all_integers_are_counted(network, monkeypatch):
    monkeypatch.setattr(judges, "BATCH", 3)
    verdict = judge(network, to_model(network), IMAGES)
    outputs = [int(np.prod(node.shape)) for node in network.graph.nodes[1:]]
    expected = (7, len(outputs), 7 * (sum(outputs) + outputs[-1]), 0, "")
    assert tuple(vars(verdict).values()) == expected


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("stem/conv/weights_left0", "stem/conv"),
        ("cell0/edge0/pw/offset", "cell0/edge0/pw"),
        ("cell0/node2/largest", "cell0/node2"),
        ("global_pool/offset", "global_pool"),
        ("classifier/bias", "classifier"),
    ],
)
def test_a_changed_constant_is_found_at_its_node(network, name, first):
    def change(array):
        array[...] = {"weights_left0": -array, "largest": 0 * array}.get(
            name.rpartition("/")[2], array // 2 + 1
        )

    verdict = judge(network, changed(to_model(network), name, change), IMAGES)
    assert verdict.mismatches > 0 and verdict.first == first


def test_what_onnxruntime_refuses(network):
    model = to_model(network)
    model.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(InputError, match=r"onnxruntime refuses the model: .*NoSuchOperator"):
        judge(network, model, IMAGES)
