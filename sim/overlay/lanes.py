"""The grid of lanes on its own: random micro-operations; in the end every bit of it is shown."""

import random
import time

from amaranth import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.overlay.hardware import Overlay
from hw.overlay.rtl import micro_op as timing
from hw.overlay.rtl.array import LaneArray
from hw.overlay.rtl.micro_op import micro_op
from sim import gates
from sim.component import check
from sim.cosim import Cosim
from sim.level import Level
from sim.overlay.plain_lanes import NOTHING, Lanes
from sim.runner import Build
from sim.scoreboard import Compared
from sim.stimuli import Stimuli

LABEL = "lanes"

OPERATIONS = 500
"""Random ones for each image that a whole network would be given."""


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


def shown(size: Lanes, ops) -> list[int]:
    """The sums' lowest bits that plain integers give."""
    plain = Lanes(size.rows, size.columns, size.bits, size.total_bits, size.words)
    found = []
    for op in ops:
        falls = plain.do(op).reshape(-1)
        found.append(sum(int(bit) << lane for lane, bit in enumerate(falls)))
    return found


def check_lanes(overlay: Overlay, stimuli: Stimuli, build: Build) -> Cosim:
    """The lanes of an overlay and their memory, in Verilog of their own.

    Raises
    ------
    CheckFailed: a bit that plain integers have otherwise
    """
    size = Lanes(overlay.rows, overlay.columns, overlay.data_bits, overlay.acc_bits, overlay.words)
    ops = session(size, stimuli.seed, OPERATIONS * len(stimuli.images))
    expected = shown(size, ops)
    array = LaneArray(
        overlay.rows,
        overlay.columns,
        bits=overlay.data_bits,
        total_bits=overlay.acc_bits,
        words=overlay.words,
        fabric=overlay.fabric,
    )
    stalls = [(0, 0), (stimuli.stall, 0)] if stimuli.stalled else [(0, 0)]
    start = time.monotonic()
    checked = check(
        Bench(array),
        {"i": [encode(size, op) for op in ops]},
        expected,
        stalls=stalls,
        seed=stimuli.seed,
        simulator=build.simulator,
        cells=gates.models() if overlay.fabric == "ecp5" else None,
    )
    seconds = time.monotonic() - start - checked.model.seconds
    bits = checked.beats * overlay.lanes
    return Cosim(
        level=Level.PE,
        simulator=build.simulator,
        frames=len(stalls) * len(stimuli.images),
        stalled_frames=(len(stalls) - 1) * len(stimuli.images),
        beats=checked.beats,
        bits=bits,
        mismatches=0,
        layers=1,
        cycles=sum(checked.cycles),
        cycles_per_frame=checked.cycles[0] / len(stimuli.images),
        latency=LaneArray.ADD_LATENCY,
        cycles_per_second=sum(checked.cycles) / seconds,
        build_seconds=checked.model.seconds,
        seconds=seconds,
        compared=(Compared(LABEL, checked.beats, checked.beats, 0, None),),
        corners=dict.fromkeys(("frames", "reached", "out_of_reach", "no_room"), 0),
    )
