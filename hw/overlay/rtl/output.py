"""Puts logits together from the bits that halvings lose, and hands them out."""

# By the stubs of amaranth a Component has no `elaborate`, a flipped interface is none.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from hw.overlay.hardware import Overlay
from hw.overlay.rtl.array import LaneArray
from hw.overlay.rtl.broadcast import delayed

DEPTH = 16
"""Logits that wait to be taken."""

_UNDER_WAY = LaneArray.ADD_LATENCY + 3
"""Outputs that may have been issued and not come to the queue yet."""


def logit(overlay: Overlay) -> data.StructLayout:
    """A logit, and whether it is the frame's last."""
    return data.StructLayout({"value": signed(overlay.logit_bits), "last": 1})


class Output(wiring.Component):
    """A logit's bits come lowest first, one with each halving that is collected.

    Members
    -------
    run: whether a program is there; without it the bits collected are zero
    collect, lane, out, final: with a micro-operation, see `Issue`
    falls: see `LaneArray`
    room: another output may be issued
    o: logits

    Latency: LATENCY cycles from `out` to the queue.
    """

    LATENCY = LaneArray.ADD_LATENCY + 1

    def __init__(self, overlay: Overlay):
        self.overlay = overlay
        super().__init__(
            {
                "run": In(1),
                "collect": In(1),
                "lane": In(4),
                "out": In(1),
                "final": In(1),
                "falls": In(overlay.lanes),
                "room": Out(1),
                "o": Out(stream.Signature(logit(overlay))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bits = self.overlay.logit_bits
        m.submodules.queue = queue = SyncFIFOBuffered(width=bits + 1, depth=DEPTH)
        # A program ends with its last logits still under way: its end goes through behind them.
        told = Cat(self.collect, self.lane, self.final, self.run)
        told = delayed(m, "told", told, LaneArray.ADD_LATENCY)
        # A reset forgets those that are under way: none of them is to leave after it.
        out = self.out
        for cycle in range(self.LATENCY):
            held = Signal(name=f"out_{cycle + 1}")
            m.d.sync += held.eq(out)
            out = held
        corner = self.overlay.corner
        falls = Signal(16)
        for row in range(min(corner, self.overlay.rows)):
            for column in range(min(corner, self.overlay.columns)):
                lane = row * self.overlay.columns + column
                m.d.comb += falls[4 * row + column].eq(self.falls[lane])
        bit = Signal()
        m.d.sync += bit.eq(falls.bit_select(told[1:5], 1))
        collect, final, run = (Signal(name=name) for name in ("collects", "finals", "runs"))
        m.d.sync += [collect.eq(told[0]), final.eq(told[5]), run.eq(told[6])]
        collected = Signal(bits)
        with m.If(collect):
            m.d.sync += collected.eq(Cat(collected[1:], bit))
        with m.If(~run):
            m.d.sync += collected.eq(0)
        m.d.comb += [
            queue.w_data.eq(Cat(collected, final)),
            queue.w_en.eq(out),
            self.room.eq(queue.level < DEPTH - _UNDER_WAY),
            Value.cast(self.o.payload).eq(queue.r_data),
            self.o.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.o.ready),
        ]
        return m
