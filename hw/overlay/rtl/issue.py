"""From a word of the program, its addresses known, to micro-operations."""

# By the stubs of amaranth a Component has no `elaborate`.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.overlay.hardware import Overlay
from hw.overlay.isa import Direction, Mode
from hw.overlay.rtl.micro_op import micro_op

TRAVEL_BITS = 9
"""Of the lanes that a pixel travels on an axis, with their sign."""


def step(overlay: Overlay) -> data.StructLayout:
    """A word of the program that is ready to be done.

    weight, immediate, shift, capture, clear_negative, free, out: what it is; nothing of it: a cycle
        passes
    negative, rectify, halve, add: of a weight, an immediate or a shift
    direction: of a shift
    value, carry: immediate
    address: of the word that is read or written
    down, right: lanes that a weight's pixel travels
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
            "down": signed(TRAVEL_BITS),
            "right": signed(TRAVEL_BITS),
            "mode": Mode,
            "rows_written": overlay.rows,
            "columns_written": overlay.columns,
            "rows_beyond": overlay.rows,
            "columns_beyond": overlay.columns,
            "lane": 4,
        }
    )


def write(overlay: Overlay) -> data.StructLayout:
    """A pixel from elsewhere: where it goes; `clear`: to all accumulators and operands too."""
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
    i: the next step; i_valid: whether there is one; i_ready: whether it is done in this cycle
    room: whether the output takes another logit
    write, write_valid, write_ready: a pixel from elsewhere, in a cycle without a capture
    o: micro-operation
    free: the image is not read any more
    collect, lane, out, final: for the output, with the micro-operation
    """

    def __init__(self, overlay: Overlay):
        self.overlay = overlay
        size = overlay.rows, overlay.columns, overlay.data_bits, overlay.words
        super().__init__(
            {
                "i": In(step(overlay)),
                "i_valid": In(1),
                "i_ready": Out(1),
                "room": In(1),
                "write": In(write(overlay)),
                "write_valid": In(1),
                "write_ready": Out(1),
                "o": Out(micro_op(*size)),
                "collect": Out(1),
                "lane": Out(4),
                "free": Out(1),
                "out": Out(1),
                "final": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        step = self.i
        op = _Parts(m, self.o.shape())
        held = Signal(self.o.shape())
        travelling = Signal()
        down = Signal(signed(TRAVEL_BITS))
        right = Signal(signed(TRAVEL_BITS))
        left_down = Signal(signed(TRAVEL_BITS))
        left_right = Signal(signed(TRAVEL_BITS))
        done = Signal()
        m.d.comb += [
            left_down.eq(Mux(travelling, down, step.down)),
            left_right.eq(Mux(travelling, right, step.right)),
            self.i_ready.eq(done),
            done.eq(1),
        ]
        capturing = Signal()
        m.d.comb += capturing.eq(self.i_valid & step.capture)
        adding = Signal()
        m.d.comb += [
            op.mode.eq(step.mode),
            op.columns_taken.eq(~0),
            op.add.eq(adding),
            op.halve.eq(adding & step.halve),
            op.direction.eq(step.direction),
        ]
        with m.If(self.i_valid):
            with m.If(step.weight):
                self._weight(m, step, op, travelling, left_down, left_right, done, adding)
            with m.If(step.immediate):
                m.d.comb += [
                    op.move.eq(1),
                    op.flip.eq(step.value),
                    op.carry.eq(step.carry),
                    adding.eq(1),
                ]
            with m.If(step.shift):
                m.d.comb += [op.move.eq(1), op.shift.eq(1), adding.eq(step.add)]
            with m.If(step.clear_negative):
                m.d.comb += op.clear_negative.eq(1)
            with m.If(step.out):
                m.d.comb += done.eq(self.room)
        m.d.sync += [down.eq(left_down), right.eq(left_right)]
        with m.If(travelling | (self.i_valid & step.weight)):
            self._travelled(m, travelling, left_down, left_right, down, right)
        with m.If(self.i_valid):
            m.d.sync += travelling.eq(step.weight & ~done)
        with m.If(capturing):
            m.d.comb += [
                op.write.eq(step.address),
                op.rows_taken.eq(~step.rows_beyond),
                op.columns_taken.eq(~step.columns_beyond),
                op.rows_written.eq(step.rows_written),
                op.columns_written.eq(step.columns_written),
                op.clear.eq(step.clear),
            ]
        with m.Else():
            m.d.comb += [
                self.write_ready.eq(1),
                op.write.eq(self.write.address),
                op.image.eq(self.write.pixel),
                op.rows_written.eq(Mux(self.write_valid, self.write.rows, 0)),
                op.columns_written.eq(self.write.columns),
            ]
            with m.If(self.write_valid & self.write.clear):
                m.d.comb += [op.clear.eq(1), op.move.eq(1)]
        m.d.sync += [
            Value.cast(held).eq(Value.cast(op.whole)),
            self.collect.eq(adding & step.halve & step.collect),
            self.lane.eq(step.lane),
            self.out.eq(self.i_valid & step.out & done),
            self.final.eq(step.final),
            self.free.eq(self.i_valid & step.free),
        ]
        m.d.comb += self.o.eq(held)
        return m

    def _weight(self, m: Module, step, op, travelling, down, right, done, adding) -> None:
        """The pixel is read, then it travels along its row, then along its column."""
        near = Signal()
        with m.If(travelling):
            m.d.comb += [
                op.shift.eq(1),
                near.eq(Mux(right == 0, (down == 1) | (down == -1), (down == 0) & is_one(right))),
            ]
            with m.If(right != 0):
                m.d.comb += op.direction.eq(Mux(right < 0, Direction.LEFT, Direction.RIGHT))
            with m.Else():
                m.d.comb += op.direction.eq(Mux(down < 0, Direction.ABOVE, Direction.BELOW))
        with m.Else():
            m.d.comb += [
                op.read.eq(step.address),
                op.flip.eq(step.negative.replicate(self.overlay.data_bits)),
                op.carry.eq(step.negative),
                op.rectify.eq(step.rectify),
                near.eq((down == 0) & (right == 0)),
            ]
        m.d.comb += [op.move.eq(1), adding.eq(near), done.eq(near)]

    def _travelled(self, m: Module, travelling, left_down, left_right, down, right) -> None:
        """What is left after this cycle; the first one only reads."""
        with m.If(travelling):
            with m.If(left_right != 0):
                m.d.sync += right.eq(left_right + Mux(left_right < 0, 1, -1))
            with m.Else():
                m.d.sync += down.eq(left_down + Mux(left_down < 0, 1, -1))


class _Parts:
    """A micro-operation under construction: a signal for each part, those of the operand among
    them. The Verilog then has a choice for each part.

    whole: the micro-operation
    """

    def __init__(self, m: Module, shape: data.StructLayout):
        self.whole = Signal(shape)
        operand = shape["operand"].shape
        assert isinstance(operand, data.StructLayout)
        self._parts = {
            name: Signal(field.shape, name=f"op_{name}")
            for layout in (shape, operand)
            for name, field in layout
            if name != "operand"
        }
        for name, part in self._parts.items():
            inside = self.whole.operand if name in operand.members else self.whole
            m.d.comb += inside[name].eq(part)

    def __getattr__(self, name: str) -> Signal:
        return self._parts[name]


def is_one(value: Value) -> Value:
    return (value == 1) | (value == -1)
