"""The flow contract against the definition of each operation, tap by tap."""

from itertools import product
from math import prod

import numpy as np
import pytest

from hw.dataflow.design.geometry import Geometry, store_of
from hw.dataflow.flow import contract as flow
from hw.ir import graph as g


def one(node: g.Node, *shapes: g.Shape) -> tuple[g.Graph, flow.Process]:
    """A graph of inputs `a`, `b`, … and `node`, and the node's contract."""
    inputs = [
        g.Input(name=name, inputs=(), shape=shape)
        for name, shape in zip(node.inputs, shapes, strict=True)
    ]
    graph = g.Graph((*inputs, node))
    return graph, flow.process(graph, node.name)


def conv(shape, kernel=(3, 3), stride=(1, 1), padding=(1, 1), dilation=(1, 1)) -> g.Node:
    return g.Conv(
        name="x", inputs=("a",), shape=shape, kernel=kernel, stride=stride, padding=padding,
        dilation=dilation,
    )  # fmt: skip


CASES = {
    "3x3": (conv((5, 4, 3)), (5, 4, 2)),
    "1x1": (conv((3, 4, 5), (1, 1), padding=(0, 0)), (3, 4, 2)),
    "stride 2, odd": (conv((3, 4, 2), stride=(2, 2)), (5, 7, 2)),
    "stride 2, even": (conv((3, 2, 2), (5, 5), (2, 2), (2, 2)), (6, 4, 3)),
    "dilated": (conv((7, 6, 2), padding=(2, 2), dilation=(2, 2)), (7, 6, 2)),
    "dilated, larger than the image": (
        conv((3, 3, 1), (5, 5), padding=(4, 4), dilation=(2, 2)), (3, 3, 1),
    ),
    "1x7": (conv((4, 5, 2), (1, 7), (1, 2), (0, 3)), (4, 9, 2)),
    "7x1": (conv((5, 4, 2), (7, 1), (2, 1), (3, 0)), (9, 4, 2)),
    "max pool": (g.MaxPool(name="x", inputs=("a",), shape=(3, 3, 2), stride=(2, 2)), (6, 5, 2)),
    "avg pool": (g.AvgPool(name="x", inputs=("a",), shape=(4, 3, 2)), (4, 3, 2)),
    "linear": (g.Linear(name="x", inputs=("a",), shape=(1, 1, 10)), (1, 1, 6)),
}  # fmt: skip


def taps(place: Geometry, oy: int, ox: int) -> list[tuple[int, int]]:
    """Coordinates of an output pixel's taps, padding included."""
    (kh, kw), (sy, sx), (ph, pw), (dy, dx) = (
        place.kernel, place.stride, place.padding, place.dilation
    )  # fmt: skip
    return [
        (oy * sy - ph + ky * dy, ox * sx - pw + kx * dx) for ky, kx in product(range(kh), range(kw))
    ]


@pytest.mark.parametrize("name", CASES)
def test_a_window_needs_its_real_taps_and_holds_all_of_them(name):
    node, shape = CASES[name]
    graph, contract = one(node, shape)
    place = Geometry.of(graph, node)
    height, width, channels = shape
    needed, most = 0, 0
    for n, (oy, ox) in enumerate(product(range(node.shape[0]), range(node.shape[1]))):
        places = taps(place, oy, ox)
        real = [y * width + x for y, x in places if 0 <= y < height and 0 <= x < width]
        needed = max(needed, (max(real) + 1) * channels)
        assert contract.need[0][n] == needed
        first = places[0][0] * width + places[0][1]
        assert contract.base[0][n] == first * channels
        most = max(most, (max(y * width + x for y, x in places) - first + 1) * channels)
    assert place.span == most
    assert contract.in_beats == (prod(shape),)
    assert contract.groups == node.shape[0] * node.shape[1]


@pytest.mark.parametrize("shape", [(4, 4, 3), (5, 5, 2), (5, 4, 2), (3, 6, 4)])
def test_factorized_reduce_holds_both_taps(shape):
    """Both of its convolutions' pixels are there before a pixel starts and kept until it ends."""
    height, width, channels = shape
    out = (-(-height // 2), -(-width // 2), 4)
    _, contract = one(g.FactorizedReduce(name="x", inputs=("a",), shape=out), shape)
    for n, (oy, ox) in enumerate(product(range(out[0]), range(out[1]))):
        pixels = [(2 * oy, 2 * ox), (2 * oy + 1, 2 * ox + 1)]
        real = [y * width + x for y, x in pixels if y < height and x < width]
        assert contract.need[0][n] >= (max(real) + 1) * channels
        assert contract.base[0][n] <= min(real) * channels
    assert contract.need[0][-1] <= prod(shape)


def test_a_sum_reads_beat_by_beat():
    shape = (2, 3, 2)
    _, contract = one(g.Add(name="x", inputs=("a", "b"), shape=shape), shape, shape)
    for need, base in zip(contract.need, contract.base, strict=True):
        assert need.tolist() == list(range(1, 13))
        assert base.tolist() == list(range(12))


def test_a_concatenation_reads_one_input_after_the_other():
    node = g.Concat(name="x", inputs=("a", "b", "c"), shape=(1, 2, 6))
    _, contract = one(node, (1, 2, 2), (1, 2, 1), (1, 2, 3))
    read = [0, 0, 0]
    for n, source in enumerate([0, 0, 1, 2, 2, 2] * 2):
        assert [int(base[n]) for base in contract.base] == read
        read[source] += 1
        assert [int(need[n]) for need in contract.need] == read


def test_a_global_pool_needs_all_but_the_last_channels():
    _, contract = one(g.GlobalPool(name="x", inputs=("a",), shape=(1, 1, 3)), (2, 2, 3))
    assert contract.need[0].tolist() == [10, 11, 12]


def test_need_never_falls():
    for node, shape in CASES.values():
        _, contract = one(node, shape)
        assert (np.diff(contract.need[0]) >= 0).all()


def test_space_of_every_input():
    shape = (2, 2, 2)
    graph = g.Graph(
        (
            g.Input(name="input", inputs=(), shape=shape),
            g.MaxPool(name="pool", inputs=("input",), shape=shape),
            g.Add(name="node", inputs=("input", "pool"), shape=shape),
            g.GlobalPool(name="mean", inputs=("node",), shape=(1, 1, 2)),
        )
    )
    assert flow.input_space(graph, {"pool": 16}, {"node": (5, 3)}) == {
        ("pool", 0): 16, ("node", 0): 5, ("node", 1): 3, ("mean", 0): 7,
    }  # fmt: skip


@pytest.mark.parametrize(("beats", "store"), [(1, 2), (2, 2), (3, 4), (64, 64), (65, 128)])
def test_stores_are_powers_of_two(beats, store):
    assert store_of(beats) == store
