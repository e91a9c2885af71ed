"""Puts logits together from the bits that halvings lose, and hands them out."""

# By the stubs of amaranth a Component has no `elaborate`, a flipped interface is none.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.overlay.hardware import Overlay
from hw.overlay.rtl.array import LaneArray
from hw.overlay.rtl.broadcast import delayed
from hw.overlay.rtl.micro_op import OUTPUT_CONTROL


def logit(overlay: Overlay) -> data.StructLayout:
    """A logit, and whether it is the frame's last."""
    return data.StructLayout({"value": signed(overlay.logit_bits), "last": 1})


class Output(wiring.Component):
    """A logit's bits come lowest first, one with each halving that is collected.

    While one logit waits to be taken the next one is collected; its output waits.

    Members
    -------
    run: whether a program is there; without it the bits collected are zero
    i: with a micro-operation
    falls: see `LaneArray`
    room: another output may be issued: none is under way or waits
    o: logits

    Latency: LATENCY cycles from an output to its logit.
    """

    LATENCY = LaneArray.ADD_LATENCY + 2

    def __init__(self, overlay: Overlay):
        self.overlay = overlay
        super().__init__(
            {
                "run": In(1),
                "i": In(OUTPUT_CONTROL),
                "falls": In(overlay.lanes),
                "room": Out(1),
                "o": Out(stream.Signature(logit(overlay))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bits = self.overlay.logit_bits
        corner = self.overlay.corner
        told = OUTPUT_CONTROL(delayed(m, "told", self.i, LaneArray.ADD_LATENCY))
        falls = Signal(16)
        for row in range(min(corner, self.overlay.rows)):
            for column in range(min(corner, self.overlay.columns)):
                lane = row * self.overlay.columns + column
                m.d.comb += falls[4 * row + column].eq(self.falls[lane])
        bit = Signal(reset_less=True)
        collect = Signal(name="collects", reset_less=True)
        # A program ends with its last logits still under way: its end goes through behind them.
        run = delayed(m, "runs", self.run, LaneArray.ADD_LATENCY + 1)
        m.d.sync += [bit.eq(falls.bit_select(told.lane, 1)), collect.eq(told.collect)]
        # Behind a reset there is no program: zero as well.
        collected = Signal(bits, reset_less=True)
        with m.If(collect):
            m.d.sync += collected.eq(Cat(collected[1:], bit))
        with m.If(~run):
            m.d.sync += collected.eq(0)
        # An output comes here with what was collected before it.
        under_way = Signal(self.LATENCY - 1)
        m.d.sync += under_way.eq(Cat(self.i.out, under_way))
        last = Signal(reset_less=True)
        held = Signal(logit(self.overlay), reset_less=True)
        m.d.sync += last.eq(told.final)
        with m.If(under_way[-1]):
            m.d.sync += [
                self.o.valid.eq(1),
                held.value.eq(collected),
                held.last.eq(last),
            ]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        m.d.comb += self.o.payload.eq(held)
        m.d.comb += self.room.eq(~(self.i.out | under_way.any() | self.o.valid))
        return m
