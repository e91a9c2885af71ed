"""From a word of the program, its addresses known, to micro-operations."""

# By the stubs of amaranth a Component has no `elaborate`.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.overlay import isa
from hw.overlay.hardware import Overlay
from hw.overlay.isa import Direction, Mode
from hw.overlay.rtl.broadcast import Leaf
from hw.overlay.rtl.micro_op import OUTPUT_CONTROL, micro_op

GO_COPIES = 5
"""Registers that say the same: what moves on by one of them has its own, nearby."""


def travel(lanes: int) -> int:
    """Bits of the number of lanes that a pixel travels on an axis of so many lanes."""
    return isa.farthest(lanes).bit_length()


def step(overlay: Overlay) -> data.StructLayout:
    """A word of the program that is ready to be done.

    weight, immediate, shift, capture, clear_negative, free, out: what it is; nothing of it: a cycle
        passes
    negative, rectify, halve, add: of a weight, an immediate or a shift
    direction: of a shift
    value, carry: immediate
    address: of the word that is read or written
    across, lanes: lanes that a weight's pixel travels along its row, and in all: from the left or
        the right, from above or below
    mode, clear, rows_written, columns_written, rows_beyond, columns_beyond: of a capture
    collect, lane: halvings are collected, of which corner lane
    final: of an output, the image's last
    """
    address = (overlay.words - 1).bit_length()
    kinds = ("weight", "immediate", "shift", "capture", "clear_negative", "free", "out")
    flags = ("negative", "rectify", "halve", "add", "carry", "clear", "collect", "final")
    return data.StructLayout(
        {
            **dict.fromkeys((*kinds, *flags), 1),
            "direction": Direction,
            "value": overlay.data_bits,
            "address": address,
            "across": travel(overlay.columns),
            "lanes": travel(max(overlay.rows, overlay.columns)) + 1,
            "from_left": 1,
            "from_above": 1,
            "mode": Mode,
            "rows_written": overlay.rows,
            "columns_written": overlay.columns,
            "rows_beyond": overlay.rows,
            "columns_beyond": overlay.columns,
            "lane": 4,
        }
    )


def write(overlay: Overlay) -> data.StructLayout:
    """A pixel from elsewhere: where it goes; `clear`: it is zero, as accumulators and operands."""
    return data.StructLayout(
        {
            "address": (overlay.words - 1).bit_length(),
            "pixel": overlay.data_bits,
            "rows": overlay.rows,
            "columns": overlay.columns,
            "clear": 1,
        }
    )


class Issue(wiring.Component):
    """A step after the other; a weight whose pixel travels takes a cycle more for each lane.

    Members
    -------
    i: the step
    next_lasts, next_waits: the step that comes next takes more than a cycle, or is an output, for
        which there may be no room
    go: the step is done in this cycle, the next one comes: a register for each of its readers,
        whose enables they are
    room: whether the output takes another logit
    write, write_valid, write_ready: a pixel from elsewhere, in a cycle without a capture
    o: micro-operation
    logit: for the output, with the micro-operation
    free: the image is not read any more
    """

    def __init__(self, overlay: Overlay):
        self.overlay = overlay
        size = overlay.rows, overlay.columns, overlay.data_bits, overlay.words
        super().__init__(
            {
                "i": In(step(overlay)),
                "next_lasts": In(1),
                "next_waits": In(1),
                "go": Out(GO_COPIES),
                "room": In(1),
                "write": In(write(overlay)),
                "write_valid": In(1),
                "write_ready": Out(1),
                "o": Out(micro_op(*size)),
                "logit": Out(OUTPUT_CONTROL),
                "free": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        step, op = self.i, _Parts(m, self.o)
        go = Signal()
        travelling = Signal()
        reading = Signal()
        adding = Signal()
        clears = Signal()
        m.d.comb += [
            reading.eq(step.weight & ~travelling),
            adding.eq(go & (step.weight | step.immediate | (step.shift & step.add))),
            clears.eq(self.write_valid & self.write.clear),
        ]
        outs = step.out & go
        self._go(m, go, travelling, outs)
        m.d.sync += [
            travelling.eq(step.weight & ~go),
            op.move.eq(step.weight | step.immediate | step.shift | clears),
            op.shift.eq(travelling & step.weight | step.shift),
            op.direction.eq(Mux(travelling, self._direction(m, reading), step.direction)),
            op.add.eq(adding),
            op.halve.eq(adding & step.halve),
            op.clear.eq((step.capture & step.clear) | clears),
            op.clear_negative.eq(step.clear_negative),
        ]
        self._operand(m, op, reading)
        self._capture(m, op, clears)
        m.d.sync += [
            self.logit.collect.eq(adding & step.halve & step.collect),
            self.logit.lane.eq(step.lane),
            self.logit.out.eq(outs),
            self.logit.final.eq(step.final),
            self.free.eq(step.free),
        ]
        return m

    def _go(self, m: Module, go: Signal, travelling: Signal, outs: Value) -> None:
        """Whether a step ends is known a cycle before: all that moves on is told by a register."""
        step = self.i
        left = Signal.like(step.lanes)
        may = Signal()
        following = Signal()
        m.d.comb += may.eq(self.room & ~outs)
        with m.If(travelling):
            m.d.sync += left.eq(left - 1)
        with m.Else():
            m.d.sync += left.eq(step.lanes)
        with m.If(go):
            m.d.comb += following.eq(~(self.next_lasts | (self.next_waits & ~may)))
        with m.Elif(step.weight):
            m.d.comb += following.eq(Mux(travelling, left == 2, step.lanes == 1))
        with m.Else():
            m.d.comb += following.eq(may)
        # It needs no reset: without a step it is one.
        copies = Leaf(1 + GO_COPIES, self.overlay.fabric)
        m.submodules.going = copies
        m.d.comb += [
            copies.i.eq(following.replicate(1 + GO_COPIES)),
            go.eq(copies.o[0]),
            self.go.eq(copies.o[1:]),
        ]

    def _direction(self, m: Module, reading: Signal) -> Value:
        """Where a pixel comes from: it travels along its row, then along its column."""
        step = self.i
        across = Signal.like(step.across)
        with m.If(reading):
            m.d.sync += across.eq(step.across)
        with m.Else():
            m.d.sync += across.eq(across - 1)
        sideways = Signal()
        with m.If(reading):
            m.d.sync += sideways.eq(step.across != 0)
        with m.Elif(across == 1):
            m.d.sync += sideways.eq(0)
        # LEFT, RIGHT, ABOVE, BELOW are 0 to 3.
        return Cat(~Mux(sideways, step.from_left, step.from_above), ~sideways)

    def _operand(self, m: Module, op: "_Parts", reading: Signal) -> None:
        step = self.i
        loads = Signal()
        negative = step.negative.replicate(self.overlay.data_bits)
        m.d.comb += loads.eq(step.immediate | reading)
        m.d.sync += [
            op.read.eq(step.address),
            op.flip.eq(Mux(step.immediate, step.value, negative)),
            op.carry.eq(Mux(step.immediate, step.carry, step.negative)),
            op.rectify.eq(reading & step.rectify),
        ]
        with m.If(~reading):
            m.d.sync += op.read.eq(0)
        with m.If(~loads):
            m.d.sync += [op.flip.eq(0), op.carry.eq(0)]

    def _capture(self, m: Module, op: "_Parts", clears: Signal) -> None:
        """What is written: a capture of the accumulators, else a pixel from elsewhere."""
        step, pixel = self.i, self.write
        capturing = Signal()
        m.d.comb += [
            capturing.eq(step.capture),
            self.write_ready.eq(~capturing),
        ]
        rows = pixel.rows & self.write_valid.replicate(self.overlay.rows)
        m.d.sync += [
            op.mode.eq(step.mode),
            op.rows_taken.eq(~step.rows_beyond),
            op.columns_taken.eq(~step.columns_beyond),
            op.image.eq(pixel.pixel),
            op.write.eq(Mux(capturing, step.address, pixel.address)),
            op.rows_written.eq(Mux(capturing, step.rows_written, rows)),
            op.columns_written.eq(Mux(capturing, step.columns_written, pixel.columns)),
        ]
        with m.If(~capturing):
            m.d.sync += [op.rows_taken.eq(0), op.columns_taken.eq(~0)]
        with m.If(capturing | clears):
            m.d.sync += op.image.eq(0)


class _Parts:
    """The registers of a micro-operation: a signal for each part, those of the operand among them.
    The Verilog then has a choice for each part. None has a reset: the array's have none either, and
    what is under way is done before the memory is cleared.
    """

    def __init__(self, m: Module, whole: data.View):
        self._parts = {}
        operand = whole.operand
        for view in (whole, operand):
            for name, field in view.shape():
                if name != "operand":
                    part = Signal(field.shape, name=f"op_{name}", reset_less=True)
                    self._parts[name] = part
                    m.d.comb += view[name].eq(part)

    def __getattr__(self, name: str) -> Signal:
        return self._parts[name]
