"""Bins of single nodes, counted by hand."""

import numpy as np
import pytest
from coverage_cases import hits

from hw.ir.clip import Clip, clipped_format
from hw.ir.graph import AvgPool, Conv, Graph, Input, MaxPool, Select
from hw.networks.conventional import model
from hw.networks.conventional.sizes import Sizes
from hw.networks.random_network import random_network
from sim.coverage import hardware, nodes, values
from sim.coverage.store import Coverage

IMAGE = Input(name="input", inputs=(), shape=(6, 5, 4))


def found(node, group):
    coverage = Coverage()
    nodes.measure(coverage, random_network(Graph((IMAGE, node)), seed=1))
    return hits(coverage, group)


def conv(shape, **fields):
    return Conv(name="x", inputs=("input",), shape=shape, **fields)


@pytest.mark.parametrize(
    ("node", "bins"),
    [
        (conv((3, 3, 2), kernel=(2, 1), stride=(2, 2)),
         {"inside", "rows and columns differ", "an even side", "pixels between windows"}),
        (conv((3, 1, 2), kernel=(4, 5), stride=(2, 1), padding=(1, 0), padding_end=(1, 0)),
         {"top", "bottom", "inside", "rows and columns differ", "an even side", "strides differ"}),
        (conv((6, 5, 2), kernel=(2, 2), padding=(0, 0), padding_end=(1, 1)),
         {"bottom", "right", "inside", "an even side", "more padding at the end"}),
        (conv((6, 5, 2), kernel=(2, 2), padding=(1, 1), padding_end=(0, 0)),
         {"top", "left", "inside", "an even side", "more padding at the start"}),
    ],
)  # fmt: skip
def test_windows_of_no_operation(node, bins):
    assert found(node, "window") == {f"convolution: {name}" for name in bins}
    assert found(node, "padding") == set()


def test_pools_have_bins_of_their_own_and_those_of_the_search_space_theirs():
    shape = (3, 3, 4)
    ceil = MaxPool(name="x", inputs=("input",), shape=shape, kernel=(2, 2), stride=(2, 2),
                   padding=(0, 0), padding_end=(0, 1))  # fmt: skip
    expected = ("right", "inside", "an even side", "more padding at the end")
    assert found(ceil, "window") == {f"max pool: {name}" for name in expected}
    mean = AvgPool(name="x", inputs=("input",), shape=(1, 1, 4), kernel=(6, 5), padding=(0, 0))
    assert "average pool: inside" in found(mean, "window")
    known = MaxPool(name="x", inputs=("input",), shape=(3, 3, 4), stride=(2, 2))
    assert found(known, "window") == set()
    assert "max pool 3x3 top" in found(known, "padding")


@pytest.mark.parametrize(
    ("fields", "bins"),
    [
        ({"shape": (6, 5, 3)}, {"dense", "batch norm"}),
        ({"shape": (6, 5, 4), "groups": 4, "batch_norm": False}, {"depthwise", "neither"}),
        ({"shape": (6, 5, 4), "groups": 2, "batch_norm": False, "bias": True},
         {"in groups", "bias"}),
        ({"shape": (1, 1, 3), "kernel": (6, 5)}, {"dense", "batch norm", "over the whole map"}),
    ],
)  # fmt: skip
def test_convolutions(fields, bins):
    assert found(conv(**fields), "convolution") == bins


@pytest.mark.parametrize(
    ("channels", "name"),
    [
        ((1, 2), "channels in a row"), ((0, 2), "in another order"), ((3, 2), "in another order"),
        ((1, 1, 2), "a channel twice"), ((3,), "one channel"),
    ],
)  # fmt: skip
def test_selections(channels, name):
    node = Select(name="x", inputs=("input",), shape=(6, 5, len(channels)), channels=channels)
    assert found(node, "select") == {name}


def test_clips_count_by_kind_activation_and_end():
    network = random_network(Graph((IMAGE, conv((6, 5, 2), clip=Clip.RELU6))), seed=1)
    codes = np.full((1, *IMAGE.shape), 255, np.int64)
    codes[:, :3] = 0
    coverage = Coverage()
    values.measure_node(coverage, network, network.graph["x"], [codes])
    low, high = values.saturated(network, network.graph["x"], [codes])
    assert coverage.hits["clip"]["Conv, relu6, low"] == low
    assert coverage.hits["clip"]["Conv, relu6, high"] == high
    assert low + high > 0


def test_the_limit_of_relu6_lies_below_the_largest_code_or_beyond():
    node = conv((6, 5, 2), clip=Clip.RELU6)
    for frac, name in ((4, "below"), (6, "beyond")):
        formats = {"input": random_network(Graph((IMAGE, node)), seed=1).formats["input"]}
        formats["x"] = clipped_format(Clip.RELU6, 8, frac)
        network = random_network(Graph((IMAGE, node)), seed=1, formats=formats)
        coverage = Coverage()
        nodes.measure(coverage, network)
        assert {f"relu6 {name} the largest code"} == hits(coverage, "clip")


@pytest.mark.parametrize("name", ["resnet8", "googlenet", "squeezenet1_0"])
def test_networks_without_cells_have_no_bins_of_cells(name):
    """Their additions, concatenations and first convolutions are called alike."""
    graph = model(name, Sizes((12, 11, 1), 4, width=1 / 64))
    network = random_network(graph, seed=1)
    hardware.require_known(network)
    assert list(hardware.operations(network)) == []
    assert list(hardware.structure(network)) == ["no cells"]
