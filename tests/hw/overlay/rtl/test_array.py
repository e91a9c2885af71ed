"""The grid of lanes, in both forms, against plain integers: random micro-operations."""

import random

import numpy as np
import pytest
from amaranth import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.overlay import isa
from hw.overlay.rtl import micro_op as timing
from hw.overlay.rtl.array import LaneArray
from hw.overlay.rtl.capture import Mode
from hw.overlay.rtl.memory import blocks, depths
from hw.overlay.rtl.micro_op import micro_op
from hw.overlay.rtl.operand import Direction
from sim import gates
from sim.component import check
from tests.support.plain_lanes import NOTHING, Lanes


class Bench(wiring.Component):
    """An array between streams: micro-operations in, the sums' lowest bits out. No back-pressure:
    the stream's sink must be ready always."""

    def __init__(self, array):
        self.array = array
        op = Value.cast(array.i)
        super().__init__(
            {
                "i": In(stream.Signature(len(op))),
                "o": Out(stream.Signature(len(array.falls))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.array = self.array
        m.d.comb += self.i.ready.eq(1)
        with m.If(self.i.valid):
            m.d.comb += Value.cast(self.array.i).eq(self.i.payload)
        valid = self.i.valid
        for cycle in range(self.array.ADD_LATENCY):
            held = Signal(name=f"valid{cycle}")
            m.d.sync += held.eq(valid)
            valid = held
        m.d.comb += [self.o.valid.eq(valid), self.o.payload.eq(self.array.falls)]
        return m


def layout(size):
    return micro_op(size.rows, size.columns, size.bits, size.words)


def encode(size, op):
    """The bits of a micro-operation."""
    names = ("move", "shift", "direction", "flip", "carry", "rectify")
    fields = {name: value for name, value in op.items() if name not in names}
    fields["operand"] = {name: op[name] for name in names}
    return layout(size).const(fields).as_value().value


def random_op(rng, size, written, position):
    """A micro-operation that reads no word captured too late."""
    free = [w for w in range(size.words) if written.get(w, -99) + timing.HAZARD <= position]
    kind = rng.choice(["load", "load", "load", "shift", "shift", "hold", "capture", "loader"])
    every = (1 << size.rows) - 1, (1 << size.columns) - 1
    op = dict(NOTHING)
    op["add"] = rng.random() < 0.7
    op["halve"] = op["add"] and rng.random() < 0.4
    if kind == "load":
        negative = rng.random() < 0.5
        op |= {"move": 1, "read": rng.choice(free), "rectify": rng.random() < 0.4}
        op |= {"flip": ((1 << size.bits) - 1) * negative, "carry": int(negative)}
        if rng.random() < 0.2:
            op |= {"read": 0, "flip": rng.randrange(1 << size.bits), "rectify": 0}
            op["carry"] = rng.randrange(2)
    elif kind == "shift":
        op |= {"move": 1, "shift": 1, "direction": rng.randrange(4)}
    elif kind in ("capture", "loader"):
        op |= {"add": 0, "halve": 0, "write": rng.randrange(1, size.words)}
        op |= {
            "rows_written": rng.choice([every[0], rng.randrange(every[0] + 1)]),
            "columns_written": rng.choice([every[1], rng.randrange(every[1] + 1)]),
            "columns_taken": every[1],
        }
        if kind == "loader":
            op["image"] = rng.randrange(1 << size.bits)
        else:
            op |= {
                "mode": rng.randrange(4),
                "rows_taken": rng.choice([every[0], rng.randrange(every[0] + 1)]),
                "columns_taken": rng.choice([every[1], rng.randrange(every[1] + 1)]),
                "clear": rng.random() < 0.3,
            }
    op["clear_negative"] = not op["add"] and rng.random() < 0.1
    return {name: int(value) for name, value in op.items()}


def show_all(size):
    """Micro-operations that show every bit of every word."""
    ops = []
    for word in range(size.words):
        ops.append(NOTHING | {"clear": 1})
        ops.append(NOTHING | {"move": 1, "read": word, "add": 1})
        ops.append(NOTHING | {"move": 1})
        ops += [NOTHING | {"add": 1, "halve": 1}] * size.bits
    return ops


def session(size, seed, count):
    """Micro-operations that fill the memory, then random ones, then those that show it all."""
    rng = random.Random(seed)
    every = {"rows_written": (1 << size.rows) - 1, "columns_written": (1 << size.columns) - 1}
    ops = [NOTHING | every | {"write": word} for word in range(size.words)]
    ops += [NOTHING | {"clear": 1, "move": 1}] + [NOTHING] * timing.HAZARD
    written = {}
    for _ in range(count):
        op = random_op(rng, size, written, len(ops))
        if op["rows_written"] and op["columns_written"]:
            written[op["write"]] = len(ops)
        ops.append(op)
    return ops + [NOTHING] * timing.HAZARD + show_all(size)


SIZES = [
    (Lanes(3, 5, 9, 17, 9), 2000),
    (Lanes(2, 3, 9, 12, 700), 300),
    (Lanes(2, 2, 9, 19, 1300), 300),
]


@pytest.mark.parametrize("fabric", ["generic", "ecp5"])
@pytest.mark.parametrize("case", range(len(SIZES)))
def test_array_computes_what_plain_integers_do(case, fabric):
    size, count = SIZES[case]
    ops = session(size, case, count)
    plain = Lanes(size.rows, size.columns, size.bits, size.total_bits, size.words)
    expected = []
    for op in ops:
        falls = plain.do(op).reshape(-1)
        expected.append(int(sum(int(bit) << k for k, bit in enumerate(falls))))
    array = LaneArray(
        size.rows,
        size.columns,
        bits=size.bits,
        total_bits=size.total_bits,
        words=size.words,
        fabric=fabric,
    )
    cells = gates.models() if fabric == "ecp5" else None
    check(
        Bench(array),
        {"i": [encode(size, op) for op in ops]},
        expected,
        stalls=[(0, 0), (0.3, 0)],
        cells=cells,
    )
    assert np.any(plain.memory) and any(expected)


def test_hazard_is_that_of_the_encoding():
    assert timing.HAZARD == isa.HAZARD


def test_enumerations_are_those_of_the_encoding():
    for mine, theirs in ((Mode, isa.Mode), (Direction, isa.Direction)):
        assert {e.name: e.value for e in mine} == {e.name: e.value for e in theirs}


@pytest.mark.parametrize(
    ("words", "expected"),
    [(1, (512,)), (512, (512,)), (513, (1024,)), (1024, (1024,)), (1025, (1024, 512)),
     (1535, (1024, 512)), (1536, (2048,)), (4095, (2048, 2048))],
)  # fmt: skip
def test_banks_take_as_few_blocks_as_they_can(words, expected):
    assert depths(words) == expected


def test_more_words_than_two_banks_have_are_refused():
    with pytest.raises(ValueError, match="at most 4095, found 4096"):
        depths(4096)


def test_blocks_of_a_grid():
    assert blocks(16, 16, 1535) == {"blocks": 192, "words": 1535}
    assert blocks(8, 8, 1024) == {"blocks": 32, "words": 1024}
    assert blocks(3, 5, 512) == {"blocks": 6, "words": 512}
