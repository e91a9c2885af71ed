import dataclasses

import numpy as np
import pytest

from hw.ir.arithmetic import (
    accumulation,
    aligned,
    alignment,
    alignments,
    average,
    out_format,
    requantisation,
    term_range,
)
from hw.ir.format import IMAGE_FORMAT, Format, width_of
from hw.ir.graph import Add, Concat, Conv, GlobalPool, Graph, Input, Linear
from hw.ir.network import Network
from hw.ir.parameters import Arithmetic, LayerParams, Rounding
from hw.ir.reference import accumulate
from hw.ir.weights import encode

S8 = Format(signed=True, width=8, frac=4)


def params(codes, bias=None, sign=None, exp=None):
    channels = len(codes)
    sign = np.ones((channels, 1)) if sign is None else np.array(sign)
    exp = np.zeros((channels, 1)) if exp is None else np.array(exp)
    return LayerParams(
        codes, sign.astype(np.int8), exp.astype(np.int16), tuple(bias or (0,) * channels)
    )


def one_conv(
    weights, *, relu_in=False, bits=5, guard=None, out=S8, rounding=Rounding.HALF_UP, **scales
):
    """Network of a 1x1 convolution on 8-bit signed codes; weights (channels out, in) of (s, p)."""
    weights = np.array(weights)
    codes = encode(weights[..., 0], weights[..., 1], bits)[:, :, None, None]
    channels_out, channels_in = codes.shape[:2]
    graph = Graph(
        (
            Input(name="input", inputs=(), shape=(1, 1, channels_in)),
            Conv(name="a", inputs=("input",), shape=(1, 1, channels_in)),
            Conv(name="b", inputs=("a",), shape=(1, 1, channels_out), relu_in=relu_in),
        )
    )
    identity = params(np.ones((channels_in, channels_in, 1, 1), np.uint8))
    return Network(
        graph,
        {"input": IMAGE_FORMAT, "a": S8, "b": out},
        {"a": identity, "b": params(codes, **scales)},
        Arithmetic(weight_bits=bits, guard=guard, rounding=rounding),
    )


def test_exact_accumulator():
    # 1 - 1/4 and -1/2; inputs -128..127.
    network = one_conv([[(1, 0), (-1, -2)], [(-1, -1), (0, 0)]])
    acc = accumulation(network, "b")
    assert acc.p0 == -2
    assert acc.frac == S8.frac + 2
    assert acc.low == (-128 * 4 - 127, -127 * 2)
    assert acc.high == (127 * 4 + 128, 128 * 2)
    assert acc.width == 11  # -639..636


def test_relu_leaves_no_negative_operands():
    acc = accumulation(one_conv([[(1, 0), (-1, -2)]], relu_in=True), "b")
    assert (acc.low, acc.high) == ((-127,), (4 * 127,))


def test_bounds_contain_zero_for_the_padding():
    """Weights of one sign on a format whose smallest code is zero."""
    network = one_conv([[(1, 0), (1, 0)]])
    assert accumulation(network, "a").low == (0, 0)
    assert accumulation(network, "a").high == (2 * 255, 2 * 255)


def test_guard_bits_floor_before_the_sign():
    network = one_conv([[(1, -3), (-1, -3)]], guard=1)
    acc = accumulation(network, "b")
    assert acc.p0 == -1
    assert acc.frac == S8.frac + 1
    # ((-128) << 1) >> 3 = -32, (127 << 1) >> 3 = 31: and not (-127 << 1) >> 3 = -32.
    assert (acc.low, acc.high) == ((-32 - 31,), (31 + 32,))
    assert term_range(-1, 1, -3) == (-1, 0)


def test_guard_does_not_apply_to_the_classifier():
    graph = Graph(
        (
            Input(name="input", inputs=(), shape=(2, 2, 1)),
            GlobalPool(name="pool", inputs=("input",), shape=(1, 1, 1)),
            Linear(name="classifier", inputs=("pool",), shape=(1, 1, 2)),
        )
    )
    codes = encode(np.array([[1], [-1]]), np.array([[-9], [-1]]), 5)
    linear = LayerParams(codes, np.zeros((2, 0), np.int8), np.zeros((2, 0), np.int16), (5, -7))
    formats = {"input": IMAGE_FORMAT, "pool": IMAGE_FORMAT}
    network = Network(graph, formats, {"classifier": linear}, Arithmetic(guard=0))
    acc = accumulation(network, "classifier")
    assert acc.p0 == -9
    assert acc.low == (5, -7 - (255 << 8))
    assert acc.high == (5 + 255, -7)
    assert out_format(network, "classifier") == Format(True, acc.width, 8 + 9)
    assert acc.width == width_of(-7 - (255 << 8), 260)


def test_layer_of_zeros():
    acc = accumulation(one_conv([[(0, 0), (0, 0)]]), "b")
    assert (acc.p0, acc.frac, acc.low, acc.high, acc.width) == (0, S8.frac, (0,), (0,), 1)


@pytest.mark.parametrize("guard", [None, 0, 3])
@pytest.mark.parametrize("relu_in", [False, True])
def test_bounds_are_reached(guard, relu_in):
    """The interval is exact: some input attains either end of every channel."""
    rng = np.random.default_rng(3)
    weights = np.stack([rng.integers(-1, 2, (5, 9)), rng.integers(-14, 1, (5, 9))], axis=-1)
    network = one_conv(weights, relu_in=relu_in, guard=guard)
    acc = accumulation(network, "b")
    total = accumulate(network, "b")
    for channel in range(5):
        sign = weights[channel, :, 0]
        high = np.where(sign > 0, S8.qmax, S8.qmin).reshape(1, 1, 1, -1)
        low = np.where(sign > 0, S8.qmin, S8.qmax).reshape(1, 1, 1, -1)
        assert total([high])[0, 0, 0, channel] == acc.high[channel]
        assert total([low])[0, 0, 0, channel] == acc.low[channel]
    assert acc.width == width_of(min(acc.low), max(acc.high))


def test_requantisation():
    # Channel 0: scale 2**-1 - 2**-3 = 3/8, channel 1 dead, e_min = -3: integers 3 and 0.
    network = one_conv(
        [[(1, 0)], [(1, -1)]],
        sign=[[1, -1], [0, 0]],
        exp=[[-1, -3], [0, 0]],
        bias=(10, -(10**6)),
    )
    acc = accumulation(network, "b")
    q = requantisation(network, "b", acc)
    assert q == requantisation(network, "b")
    assert (q.e_min, q.e_max) == (-3, -1)
    assert q.shift == acc.frac + 3 - S8.frac == 4
    assert q.rounding == 8
    assert q.low == -(10**6) + 8
    assert q.high == 3 * 254 + 10 + 8
    assert q.width == width_of(-(10**6), 780)
    floor = dataclasses.replace(network, arithmetic=Arithmetic(rounding=Rounding.FLOOR))
    assert requantisation(floor, "b").rounding == 0


@pytest.mark.parametrize(("frac", "shift", "rounding"), [(4, 0, 0), (3, 1, 1), (6, -2, 0)])
def test_rounding_only_where_the_shift_is_to_the_right(frac, shift, rounding):
    network = one_conv([[(1, 0)]], out=Format(True, 8, frac))
    q = requantisation(network, "b")
    assert (q.shift, q.rounding) == (shift, rounding)


def test_dead_layer_has_exponent_zero():
    q = requantisation(one_conv([[(1, 0)]], sign=[[0]], exp=[[0]], bias=(3,)), "b")
    assert (q.e_min, q.e_max, q.low, q.high) == (0, 0, 3, 3)


def test_alignment():
    shapes = {"shape": (1, 1, 2)}
    graph = Graph(
        (
            Input(name="input", inputs=(), **shapes),
            Conv(name="a", inputs=("input",), **shapes),
            Add(name="sum", inputs=("a", "input"), **shapes),
            Concat(name="both", inputs=("sum", "a"), shape=(1, 1, 4)),
        )
    )
    formats = {
        "input": IMAGE_FORMAT,
        "a": S8,
        "sum": Format(True, 8, 3),
        "both": Format(True, 6, 3),
    }
    network = Network(graph, formats, {}, Arithmetic())
    total = alignment(network, "sum")
    assert (total.frac, total.left, total.shift, total.rounding) == (8, (4, 0), 5, 16)
    assert (total.low, total.high) == (-128 * 16 + 16, 127 * 16 + 255 + 16)
    assert total.width == 13
    first, second = alignments(network, "both")
    assert (first.shift, first.rounding, first.width) == (0, 0, 8)
    assert (second.shift, second.rounding, second.width) == (1, 1, 9)
    floor = aligned((S8,), Format(True, 6, 3), Rounding.FLOOR)
    assert (floor.rounding, floor.width) == (0, 8)


@pytest.mark.parametrize("width", [2, 8, 32])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 6, 9, 49, 64, 784])
def test_average(width, n):
    constants = average(width, n)
    assert constants.shift == width + 8 + int(np.ceil(np.log2(n)))
    assert abs(constants.multiplier * n - (1 << constants.shift)) <= n // 2
    # The mean of n equal codes is that code.
    half = 1 << (constants.shift - 1)
    for code in (-(1 << (width - 1)), -1, 0, 1, (1 << (width - 1)) - 1):
        assert (code * n * constants.multiplier + half) >> constants.shift == code


def test_average_of_a_power_of_two_is_a_shift():
    multiplier, shift = average(8, 16)
    assert multiplier == 1 << (shift - 4)
