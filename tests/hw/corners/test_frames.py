"""Corners against plain loops: what is said to be reached is reached, and nothing else is out of
reach."""

from dataclasses import replace
from itertools import product

import layer_cases
import numpy as np
import plain_numerics
import pytest
from cell_bugs import small_cell
from layer_cases import LAYERS, S8, layer_network

from hw.corners import rules
from hw.corners.frames import PLAIN, frames_for, make, with_corners
from hw.ir.arithmetic import in_formats, operand_range, requantisation
from hw.ir.format import Format
from hw.ir.graph import Add, AvgPool, Concat, Conv, FactorizedReduce, GlobalPool, MaxPool
from hw.ir.network import Network
from hw.ir.parameters import Arithmetic, Rounding
from hw.ir.reference import operation

ARITHMETIC = {
    "exact": Arithmetic(),
    "guard": Arithmetic(weight_bits=6, guard=2, rounding=Rounding.FLOOR, scale_terms=4),
}


def network_of(name: str, arithmetic: Arithmetic) -> Network:
    """A small layer in a format that some of its sums exceed."""
    node, shapes = LAYERS[name]
    made = layer_network(node, shapes, seed=3, fmt=S8, arithmetic=arithmetic)
    if not isinstance(node, Conv | FactorizedReduce | Add | Concat):
        return made
    frames = layer_cases.random_frames(made, "x", 2, seed=4)
    return layer_cases.saturating(made, "x", frames, 8)


def exact(network: Network, name: str, sources: list) -> tuple[list, int]:
    """What the node gives before its last shift and clamp, from plain loops, and that shift."""
    fmt, shift = network.formats[name], 0
    if isinstance(network.graph[name], Conv | FactorizedReduce):
        shift = max(0, requantisation(network, name).shift)
    elif isinstance(network.graph[name], Add | Concat):
        finest = max(source.frac for source in in_formats(network, name))
        shift = max(0, finest - fmt.frac)
    wide = replace(fmt, width=fmt.width + 64, frac=fmt.frac + shift)
    made = replace(network, formats=network.formats | {name: wide})
    return plain_numerics.compute(made, name, sources), shift


@pytest.mark.parametrize("arithmetic", ARITHMETIC)
@pytest.mark.parametrize("name", LAYERS)
def test_what_is_said_to_be_reached_is_reached(name, arithmetic):
    network = network_of(name, ARITHMETIC[arithmetic])
    node, fmt = network.graph["x"], network.formats.get("x", S8)
    corners = make(network, node, 100, seed=1)
    assert not corners.no_room
    for values, source in zip(corners.inputs, in_formats(network, "x"), strict=True):
        assert source.qmin <= values.min() and values.max() <= source.qmax
    for frame in {corner.frame for corner in corners.reached}:
        sources = [values[frame].tolist() for values in corners.inputs]
        plain = plain_numerics.compute(network, "x", sources)
        assert corners.output[frame].tolist() == plain
        if isinstance(node, AvgPool | GlobalPool | MaxPool):
            _check_pools(node, sources[0], plain, corners.reached, frame)
            continue
        before, shift = exact(network, "x", sources) if "x" in network.formats else (plain, 0)
        half = (1 << shift) >> 1
        for corner in (one for one in corners.reached if one.frame == frame):
            value = before[corner.y][corner.x][corner.channel]
            rounding = half if network.arithmetic.rounding == Rounding.HALF_UP else 0
            if "x" in network.formats:
                assert corner.code == (value + rounding) >> shift
                assert plain[corner.y][corner.x][corner.channel] == min(
                    max(corner.code, fmt.qmin), fmt.qmax
                )
            match corner.kind:
                case rules.ABOVE:
                    assert corner.code > fmt.qmax
                case rules.UPPER:
                    assert corner.code <= fmt.qmax
                case rules.LOWER:
                    assert corner.code >= fmt.qmin
                case rules.BELOW:
                    assert corner.code < fmt.qmin
            for (parity, negative), kind in rules.HALVES.items():
                if corner.kind == kind:
                    code = value >> shift
                    assert value == (code << shift) + half
                    assert (code % 2, code < 0) == (parity, negative)
            for kinds, rise in ((rules.UP, 1), (rules.DOWN, 0)):
                for case, kind in kinds.items():
                    if corner.kind == kind:
                        code = corner.code - rise
                        assert (code % 2, code < 0) == case


def _check_pools(node, q, plain, reached, frame):
    for corner in (one for one in reached if one.frame == frame):
        y, x, c = corner.y, corner.x, corner.channel
        assert plain[y][x][c] == corner.code
        if isinstance(node, GlobalPool):
            seen = [pixel[c] for row in q for pixel in row]
        else:
            seen = plain_numerics.window(node, q, y, x, c)
        if isinstance(node, MaxPool):
            assert sorted(seen)[-2:][0] < corner.code or len(seen) == 1
            continue
        for case, kind in rules.UP.items():
            if corner.kind == kind:
                code = corner.code - 1
                assert (code % 2, code < 0) == case
                assert _mean_of_one(seen, -1) == code
        for case, kind in rules.DOWN.items():
            if corner.kind == kind:
                assert (corner.code % 2, corner.code < 0) == case
                assert _mean_of_one(seen, 1) == corner.code + 1


def _mean_of_one(seen: list[int], more: int) -> int:
    """The mean of a window with its sum a little larger or smaller."""
    k = seen.index(min(seen) if more > 0 else max(seen))
    return plain_numerics.mean([*seen[:k], seen[k] + more, *seen[k + 1 :]], S8)


@pytest.mark.parametrize("seed", range(6))
def test_out_of_reach_is_what_no_input_gives(seed):
    """All inputs of a small pointwise layer, each channel's codes before the clamp."""
    node, shapes = layer_cases.conv((1, 1, 3), (1, 1, 4), relu_in=bool(seed % 2))
    small = [Format(True, 3, 1)]
    arithmetic = ARITHMETIC["guard" if seed % 3 == 0 else "exact"]
    network = layer_network(node, shapes, seed=seed, sources=small, fmt=Format(True, 4, 0),
                            arithmetic=arithmetic, p_min=-4)  # fmt: skip
    corners = make(network, node, 64, seed=seed)
    assert not corners.no_room
    low, high = operand_range(network, "x")
    every = np.array(list(product(range(low, high + 1), repeat=3))).reshape(-1, 1, 1, 3)
    fmt = network.formats["x"]
    wide = replace(fmt, width=fmt.width + 32)
    codes = operation(replace(network, formats=network.formats | {"x": wide}), "x")([every])
    codes = codes.reshape(len(every), 4).astype(int)
    reached = {(one.channel, one.kind): one.code for one in corners.reached}
    out = set(corners.out_of_reach)
    assert len(reached) + len(out) == 4 * len(rules.Scaled.kinds)
    for channel in range(4):
        own = codes[:, channel]
        above, below = own[own > fmt.qmax], own[own < fmt.qmin]
        _same(reached, out, (channel, rules.ABOVE), above.min() if len(above) else None)
        _same(reached, out, (channel, rules.BELOW), below.max() if len(below) else None)
        _nearest_to_a_half(network, every, corners, channel)
        assert {reached[channel, rules.LARGEST], reached[channel, rules.SMALLEST]} == {
            own.min(), own.max()
        }  # fmt: skip


def _nearest_to_a_half(network, every, corners, channel):
    """Of all inputs none lies nearer to where a code ends."""
    shift = max(0, requantisation(network, "x").shift)
    fmt = network.formats["x"]
    wide = replace(fmt, width=fmt.width + 64, frac=fmt.frac + shift)
    exactly = operation(replace(network, formats=network.formats | {"x": wide}), "x")
    values = exactly([every]).reshape(len(every), -1)[:, channel]
    rounding = (1 << shift >> 1) if network.arithmetic.rounding == Rounding.HALF_UP else 0
    own, codes = exactly(list(corners.inputs)), (values + rounding) >> shift
    for kinds, nearest in ((rules.UP, np.min), (rules.DOWN, np.max)):
        for one in corners.reached:
            if one.channel == channel and one.kind in kinds.values():
                value = own[one.frame, one.y, one.x, one.channel]
                assert value == nearest(values[codes == one.code])


def _same(reached, out, key, code):
    assert reached.get(key) == code
    assert (key in out) == (code is None)


def test_frames_are_plain_then_solved_and_repeatable():
    network = network_of("stem", Arithmetic())
    node = network.graph["x"]
    first, again, other = (make(network, node, 6, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.inputs[0], again.inputs[0]) and first.reached == again.reached
    assert not np.array_equal(first.inputs[0], other.inputs[0])
    fmt = in_formats(network, "x")[0]
    assert (first.inputs[0][0] == fmt.qmin).all() and (first.inputs[0][1] == fmt.qmax).all()
    assert min(corner.frame for corner in first.reached) >= PLAIN
    # Six frames are too few for a 3x3 window on 5x4 pixels: that is said.
    assert first.no_room
    assert {(one.channel, one.kind) for one in first.reached}.isdisjoint(first.no_room)


def test_corners_follow_the_tensors():
    network = network_of("add", Arithmetic())
    node = network.graph["x"]
    corners = make(network, node, 3, seed=1)
    tensors = {name: np.zeros((2, 3, 2, 4), np.int64) for name in ("a", "b", "x")}
    fed, given = with_corners(node, tensors, corners)
    assert [len(one) for one in (*fed, given)] == [5, 5, 5]
    assert np.array_equal(given[2:], corners.output) and not fed[0][:2].any()
    assert with_corners(node, tensors, None)[1] is tensors["x"]


def test_frames_where_no_number_is_given():
    network, _ = small_cell()
    names = [node.name for node in network.graph.nodes[1:]]
    frames = frames_for(network, names)
    assert 8 <= frames <= 32
    left = [make(network, network.graph[name], frames, 1).no_room for name in names]
    assert not any(left)
