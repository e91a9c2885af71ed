"""Places the bytes of images in one of two buffers of the data memory."""

# By the stubs of amaranth a Component has no `elaborate`, a flipped interface is none.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.overlay.hardware import Overlay
from hw.overlay.header import STEPS
from hw.overlay.rtl.about import about
from hw.overlay.rtl.issue import write

NO_STEP = len(STEPS)
"""Behind the steps there is one of no words."""


class Loader(wiring.Component):
    """A byte every other cycle, in raster order, channels innermost; first of all, zero everywhere.

    Members
    -------
    run: whether a program is there; a new one begins with a memory of zeros
    about: see `hw.overlay.header`
    step, words: which of the header's steps is asked for, and what it is
    close: no new image begins, nor one that was first offered in the cycle before
    i: bytes of images
    o, valid, ready: pixels, see `Issue`
    cleared: the memory is zero
    image, took, free: see `Sequencer`
    empty: there is no image, not even a part of one
    """

    def __init__(self, overlay: Overlay):
        self.overlay = overlay
        self.address_bits = (overlay.words - 1).bit_length()
        super().__init__(
            {
                "run": In(1),
                "about": In(about(overlay)),
                "step": Out(range(NO_STEP + 1)),
                "words": In(self.address_bits),
                "close": In(1),
                "i": In(stream.Signature(8)),
                "o": Out(write(overlay)),
                "valid": Out(1),
                "ready": In(1),
                "cleared": Out(1),
                "image": Out(1),
                "took": In(1),
                "free": In(1),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # Without a program all is as at first, so that no reset is needed.
        rows = Signal(self.overlay.rows, init=-1, reset_less=True)
        columns = Signal(self.overlay.columns, init=-1, reset_less=True)
        at = Signal(self.address_bits, reset_less=True)
        following = Signal(self.address_bits)
        clearing = Signal(init=1, reset_less=True)
        moves = Signal(reset_less=True)
        fresh = Signal(init=1, reset_less=True)
        taken = Signal()
        moved = Signal(reset_less=True)
        may = Signal()
        may_soon = Signal(reset_less=True)
        seen = Signal()
        step = Signal(range(NO_STEP + 1), init=NO_STEP, reset_less=True)
        buffer = Signal(reset_less=True)
        # An image has just come.
        arrives = Signal(reset_less=True)
        # Buffers that are full, and those of them that wait.
        full = Signal(2, reset_less=True)
        waiting = Signal(2, reset_less=True)
        m.d.comb += [
            self.step.eq(step),
            following.eq(at + self.words + clearing),
            self.empty.eq(fresh & (full == 0) & ~arrives),
            self.image.eq(waiting != 0),
            self.cleared.eq(~clearing & self.run),
            may.eq(may_soon & ~(fresh & self.close)),
            self.valid.eq(Mux(clearing, self.run, self.i.valid & may)),
            self.i.ready.eq(self.ready & may),
            self.o.address.eq(at),
            self.o.pixel.eq(self.i.payload),
            self.o.rows.eq(rows),
            self.o.columns.eq(columns),
            self.o.clear.eq(clearing),
            taken.eq(self.i.valid & self.i.ready),
        ]
        # An image that comes together with a program is the new program's: `close` knows of that a
        # cycle later. Behind each byte there is a cycle in which the address moves.
        m.d.sync += [
            seen.eq(self.i.valid & ~self.i.ready),
            may_soon.eq(
                self.cleared & ~taken & ~full[1] & ~(fresh & (self.close | ~seen | arrives))
            ),
        ]
        with m.If(moves | (clearing & self.ready)):
            m.d.sync += at.eq(following)
        with m.If(clearing & self.ready & at.all()):
            # The first byte's place is as far from word 0 as its address says.
            first = STEPS.index("image_address")
            m.d.sync += [clearing.eq(0), moves.eq(1), step.eq(first), rows.eq(1), columns.eq(1)]
        with m.If(moves):
            m.d.sync += moves.eq(0)
        # Channel, column and row of the byte.
        c = Signal(12, reset_less=True)
        x = Signal(8, reset_less=True)
        y = Signal(8, reset_less=True)
        # Between two bytes there is a cycle more, in which these are found.
        about = self.about
        turn = {axis: Signal(name=f"turn_{axis}", reset_less=True) for axis in "yx"}
        # The byte is a pixel's last one, a row's, the image's.
        last = {axis: Signal(name=f"last_{axis}", reset_less=True) for axis in "cxy"}
        ends = {"c": c == about.channels, "x": x == about.width, "y": y == about.height}
        m.d.sync += [
            turn["x"].eq(((x | ~about.wrap_x)[:7]).all()),
            turn["y"].eq(((y | ~about.wrap_y)[:7]).all()),
            last["c"].eq(ends["c"]),
            last["x"].eq(ends["c"] & ends["x"]),
            last["y"].eq(ends["c"] & ends["x"] & ends["y"]),
            arrives.eq(taken & last["y"]),
        ]
        with m.If(taken):
            m.d.sync += [moves.eq(1), fresh.eq(last["y"])]
            self._advance(m, step, buffer, c, x, y, last, turn)
        # The lanes follow a cycle later.
        m.d.sync += moved.eq(taken)
        with m.If(moved & last["c"] & turn["x"]):
            m.d.sync += columns.eq(columns << 1)
        with m.If(moved & last["x"]):
            m.d.sync += columns.eq(1)
            with m.If(turn["y"]):
                m.d.sync += rows.eq(rows << 1)
        with m.If(moved & last["y"]):
            m.d.sync += rows.eq(1)
        m.d.sync += [
            full.eq(counted(full, arrives, self.free)),
            waiting.eq(counted(waiting, arrives, self.took)),
        ]
        with m.If(~self.run):
            m.d.sync += [
                signal.eq(signal.init)
                for signal in (at, clearing, moves, step, rows, columns, buffer, full, waiting,
                               arrives, moved, fresh, c, x, y)
            ]  # fmt: skip
        return m

    def _advance(self, m: Module, step, buffer, c, x, y, last, turn) -> None:
        """Which step leads to the next byte's place."""
        m.d.sync += [c.eq(c + 1), step.eq(STEPS.index("to_channel"))]
        with m.If(last["c"]):
            m.d.sync += [c.eq(0), x.eq(x + 1), step.eq(STEPS.index("to_column"))]
        with m.If(last["c"] & turn["x"]):
            m.d.sync += step.eq(STEPS.index("to_lane"))
        with m.If(last["x"]):
            m.d.sync += [x.eq(0), y.eq(y + 1), step.eq(STEPS.index("to_row"))]
        with m.If(last["x"] & turn["y"]):
            m.d.sync += step.eq(STEPS.index("to_lane_below"))
        with m.If(last["y"]):
            m.d.sync += [y.eq(0), buffer.eq(~buffer)]
            first, second = STEPS.index("to_first"), STEPS.index("to_second")
            m.d.sync += step.eq(Mux(buffer, first, second))


def counted(number: Value, more: Value, less: Value) -> Value:
    """A number up to 2, one more or one less, or neither where it is both."""
    up, down = more & ~less, less & ~more
    zero, one, two = number == 0, number[0], number[1]
    return Cat(Mux(up, zero, Mux(down, two, one)), Mux(up, one, Mux(down, 0, two)))
