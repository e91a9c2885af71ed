"""Programs against plain loops over the weights; words and tables of a window."""

from collections import defaultdict

import numpy as np
import pytest
from amaranth import Const
from amaranth.lib import data
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_cases import DENSE, LAYERS, S8, layer_network

from hw.dataflow.design.geometry import Geometry
from hw.dataflow.design.program import (
    Tap,
    Weights,
    WordCode,
    WordLayout,
    barrel_program,
    horner_program,
    pool_program,
)
from hw.ir import graph as g
from hw.ir.weights import decode

WEIGHTED = [name for name, (node, _) in LAYERS.items() if isinstance(node, g.Weighted)]


def channels_of(network) -> list[list[tuple[int, int, int, int, int]]]:
    """(row, column, input channel, sign, power) of each output channel's weights."""
    node = network.graph["x"]
    sign, power = decode(network.params["x"].codes, network.arithmetic.weight_bits)
    outputs, depth = sign.shape[:2]
    found = [[] for _ in range(outputs)]
    for place in np.ndindex(*sign.shape):
        output, channel, *tap = place
        if not sign[place]:
            continue
        if isinstance(node, g.FactorizedReduce):
            tap = (0, 0) if output < outputs // 2 else (1, 1)
        if isinstance(node, g.Conv):
            channel += output // (outputs // node.groups) * depth
        ky, kx = tap or (0, 0)
        found[output].append((ky, kx, channel, int(sign[place]), int(power[place])))
    return found


def barrel(channels, pe: int, p0: int) -> tuple[list[tuple], tuple[int, int], bool]:
    """(place, (sign, shift) or None of each lane, last) of each tap; shifts; sparse."""
    taps, sparse = [], False
    for first in range(0, len(channels), pe):
        lanes = [{w[:3]: w[3:] for w in one} for one in channels[first : first + pe]]
        places = sorted({place for lane in lanes for place in lane}) or [(0, 0, 0)]
        for place in places:
            does = tuple(
                (lane[place][0], lane[place][1] - p0) if place in lane else None for lane in lanes
            )
            sparse |= None in does
            taps.append((place, does, place == places[-1]))
    shifts = [shift for _, does, _ in taps for _, shift in filter(None, does)] or [0]
    return taps, (min(shifts), max(shifts)), sparse


def horner(channels, p0: int) -> list[Tap]:
    """Weights sorted by falling exponent, an empty step for each doubling."""
    taps = []
    for channel in channels:
        by_power = defaultdict(list)
        for ky, kx, c, sign, power in channel:
            by_power[power].append((ky, kx, c, 2 if sign < 0 else 0))
        steps = []
        for power in range(max(by_power, default=p0), p0 - 1, -1):
            steps += by_power[power]
            steps += [(0, 0, 0, 1)] * (power > p0)
        steps = steps or [(0, 0, 0, 1)]
        taps += [Tap(*step, n == len(steps) - 1) for n, step in enumerate(steps)]
    return taps


def random_layer(name: str, seed: int, zeros: float):
    node, shapes = LAYERS[name]
    return node, layer_network(node, shapes, seed=seed, fmt=S8, zeros=zeros)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(WEIGHTED),
    seed=st.integers(0, 99),
    zeros=st.sampled_from([0.0, 0.3, 0.9, 1.0]),
    below=st.integers(0, 3),
)
def test_programs_are_those_of_plain_loops(name, seed, zeros, below):
    node, network = random_layer(name, seed, zeros)
    channels = channels_of(network)
    weights = Weights.of(network, node)
    powers = [power for one in channels for *_, power in one]
    p0 = min(powers, default=0) - below
    assert list(horner_program(weights, p0)) == horner(channels, p0)
    lanes = [pe for pe in range(1, len(channels) + 1) if len(channels) % pe == 0]
    for pe in lanes if name in DENSE else [1]:
        code, program = barrel_program(weights, pe, p0)
        taps, shifts, sparse = barrel(channels, pe, p0)
        assert (code.shifts, code.sparse) == (shifts, sparse)
        assert [(t.ky, t.kx, t.channel) for t in program] == [place for place, _, _ in taps]
        assert [t.last for t in program] == [last for _, _, last in taps]
        for tap, (_, does, _) in zip(program, taps, strict=True):
            for k, one in enumerate(does):
                field = tap.operation >> k * code.lane.size & (1 << code.lane.size) - 1
                assert field == (0 if one is None else code.bits(*one))
        ends = np.flatnonzero([last for _, _, last in taps])
        assert program.groups.tolist() == np.diff([-1, *ends]).tolist()


def test_a_tap_takes_15_bytes_and_its_lanes():
    """A planner holds several programs of each layer, a tap for each weight: of ResNet-101 that is
    most of its memory."""
    node, network = random_layer(next(iter(DENSE)), 1, 0.3)
    weights = Weights.of(network, node)
    for program in (barrel_program(weights, 1, -20)[1], horner_program(weights, -20)):
        columns = (program.ky, program.kx, program.channel, program.last, program.lanes)
        assert sum(one.nbytes for one in columns) == 15 * len(program)


def test_wide_operations_do_not_wrap():
    """Lanes of more bits together than an int64 has."""
    node = g.Conv(name="x", inputs=("a",), shape=(1, 1, 24))
    network = layer_network(node, [(1, 1, 2)], seed=1, fmt=S8, zeros=0.0)
    code, program = barrel_program(Weights.of(network, node), 24, -14)
    assert program.operation_bits == 24 * code.lane.size > 63
    for number, tap in enumerate(program):
        mask = (1 << code.lane.size) - 1
        fields = [tap.operation >> k * code.lane.size & mask for k in range(24)]
        assert fields == program.lanes[number].tolist()


@pytest.mark.parametrize("shape", [(5, 4, 3), (1, 1, 1)])
def test_pools_read_whole_windows(shape):
    node = g.MaxPool(name="x", inputs=("a",), shape=shape)
    place = Geometry.of(g.Graph((g.Input(name="a", inputs=(), shape=shape), node)), node)
    program = pool_program(place)
    assert program.groups.tolist() == [9] * shape[2]
    assert [(t.channel, t.ky, t.kx) for t in program] == list(np.ndindex(shape[2], 3, 3))


@pytest.mark.parametrize("name", WEIGHTED)
def test_words_say_where_taps_lie(name):
    node, network = random_layer(name, 1, 0.3)
    place = Geometry.of(network.graph, node)
    program = horner_program(Weights.of(network, node), -14)
    code = WordCode(place, 16, program.operation_bits)
    for tap, word in zip(program, code.words(program), strict=True):
        beats = (tap.ky * place.dilation[0]) * place.row + tap.kx * place.dilation[1] * place.shape[
            2
        ]
        fields = data.Const(code.layout, word)
        assert fields.offset == (beats + tap.channel) % 16
        assert (fields.operation, fields.last) == (tap.operation, tap.last)
        names = code.layout.members
        assert all(fields[axis] == getattr(tap, axis) for axis in ("ky", "kx") if axis in names)


def test_a_word_is_given_as_a_whole_or_by_its_fields():
    """Both make the same constant, wide ones too; a size is that of the fields."""
    layout = WordLayout({"offset": 5, "operation": 90, "last": 1})
    fields = {"offset": 19, "operation": (1 << 88) + 7, "last": 1}
    word = 19 | (1 << 88) + 7 << 5 | 1 << 95
    assert layout.size == 96 and layout == data.StructLayout(layout.members)
    assert Const.cast(layout.const(word)).value == word
    assert Const.cast(layout.const(fields)).value == word
