"""Places the bytes of images in one of two buffers of the data memory."""

# By the stubs of amaranth a Component has no `elaborate`, a flipped interface is none.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.overlay.hardware import Overlay
from hw.overlay.rtl.about import about
from hw.overlay.rtl.issue import write


class Loader(wiring.Component):
    """A byte a cycle at most, in raster order, channels innermost; first of all, zero everywhere.

    Members
    -------
    run: whether a program is there; a new one begins with a memory of zeros
    about: see `hw.overlay.header`
    close: no new image begins
    i: bytes of images
    o, valid, ready: pixels, see `Issue`
    cleared: the memory is zero
    image, took, free: see `Sequencer`
    empty: there is no image, not even a part of one
    """

    def __init__(self, overlay: Overlay):
        self.overlay = overlay
        super().__init__(
            {
                "run": In(1),
                "about": In(about(overlay)),
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
        said = self.about
        taken = Signal()
        bits = len(said.image_address)
        rows = Signal(self.overlay.rows)
        columns = Signal(self.overlay.columns)
        y = Signal(8)
        x = Signal(8)
        c = Signal(12)
        wy = Signal(7)
        wx = Signal(7)
        at = Signal(bits)
        pixel = Signal(bits)
        line = Signal(bits)
        buffer = Signal()
        fresh = Signal(init=1)
        # Buffers that are full, those of them that wait, and whether one is being filled.
        full = Signal(2)
        waiting = Signal(2)
        first = Signal()
        base = Signal(bits)
        m.d.comb += [
            base.eq((said.image_address + Mux(buffer, said.image_step, 0))[:bits]),
            first.eq((y == 0) & (x == 0) & (c == 0)),
            self.empty.eq(first & (full == 0)),
            self.image.eq(waiting != 0),
        ]
        clearing = Signal(init=1)
        clear_at = Signal(bits)
        m.d.comb += self.cleared.eq(~clearing & self.run)
        # A choice for each part: the Verilog then has one for each too.
        offered = {name: Signal.like(self.o[name], name=name) for name, _ in write(self.overlay)}
        m.d.comb += [self.o[name].eq(value) for name, value in offered.items()]
        may = Signal()
        m.d.comb += [
            may.eq(~clearing & self.run & ~fresh & (full != 2) & ~(first & self.close)),
            self.valid.eq(Mux(clearing, self.run, self.i.valid & may)),
            self.i.ready.eq(self.ready & may),
            offered["address"].eq(Mux(clearing, clear_at, at)),
            offered["pixel"].eq(Mux(clearing, 0, self.i.payload)),
            offered["rows"].eq(rows | clearing.replicate(self.overlay.rows)),
            offered["columns"].eq(columns | clearing.replicate(self.overlay.columns)),
            offered["clear"].eq(clearing),
        ]
        with m.If(clearing & self.ready & self.run):
            m.d.sync += clear_at.eq(clear_at + 1)
            with m.If(clear_at == (1 << bits) - 1):
                m.d.sync += clearing.eq(0)
        m.d.comb += taken.eq(self.i.valid & self.i.ready)
        done = Signal()
        m.d.sync += fresh.eq(0)
        with m.If(fresh):
            m.d.sync += [at.eq(base), pixel.eq(base), line.eq(base), rows.eq(1), columns.eq(1)]
        with m.If(taken):
            self._advance(m, c, x, y, wx, wy, at, pixel, line, rows, columns, done)
        with m.If(done):
            m.d.sync += [buffer.eq(~buffer), fresh.eq(1)]
        m.d.sync += [
            full.eq(full + done - self.free),
            waiting.eq(waiting + done - self.took),
        ]
        with m.If(~self.run):
            m.d.sync += [
                signal.eq(0) for signal in (y, x, c, wy, wx, buffer, full, waiting, clear_at)
            ]
            m.d.sync += [fresh.eq(1), clearing.eq(1)]
        return m

    def _advance(self, m, c, x, y, wx, wy, at, pixel, line, rows, columns, done) -> None:
        """To the next byte's place."""
        said, bits = self.about, len(self.about.image_address)
        m.d.sync += [c.eq(c + 1), at.eq(at + said.plane_words)]
        next_pixel = Signal(bits)
        next_line = Signal(bits)
        m.d.comb += [next_pixel.eq(pixel + 1), next_line.eq(line + said.pitch_x + 1)]
        with m.If(c == said.channels):
            m.d.sync += [
                c.eq(0),
                x.eq(x + 1),
                wx.eq(wx + 1),
                pixel.eq(next_pixel),
                at.eq(next_pixel),
            ]
            with m.If(wx == said.pitch_x):
                m.d.sync += [wx.eq(0), columns.eq(columns << 1), pixel.eq(line), at.eq(line)]
            with m.If(x == said.width):
                m.d.sync += [
                    x.eq(0),
                    wx.eq(0),
                    columns.eq(1),
                    y.eq(y + 1),
                    wy.eq(wy + 1),
                    line.eq(next_line),
                    pixel.eq(next_line),
                    at.eq(next_line),
                ]
                with m.If(wy == said.pitch_y):
                    first = Signal(bits)
                    m.d.comb += first.eq(line - self._lines(said))
                    m.d.sync += [wy.eq(0), rows.eq(rows << 1)]
                    m.d.sync += [line.eq(first), pixel.eq(first), at.eq(first)]
                with m.If(y == said.height):
                    m.d.sync += [y.eq(0), wy.eq(0)]
                    m.d.comb += done.eq(1)

    def _lines(self, said) -> Value:
        """Words from a lane's first line to its last one: plane_words less one line."""
        return said.plane_words - said.pitch_x - 1
