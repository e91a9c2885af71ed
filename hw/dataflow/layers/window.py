"""Operand store and tap sequencer: turns a raster stream into the stream of taps an element works
through.

One circular RAM takes the input beats in order. For every output pixel a program (a ROM, the same
for each pixel) names the taps to read, by their distance from the window's top-left beat; padding
is never stored: a tap outside the image is marked not real. Zero weights are not in the program, so
they cost nothing.

                 ┌────────────┐ base + offset ┌───────┐
    pc ────────▶ │ program    │ ────────────▶ │ store │ ──▶ o.x, o.real
                 └────────────┘ operation ────┴───────┴──▶ o.operation, o.last
"""

# The stubs of amaranth know neither shaped initial values nor integer attributes of a memory.
# pyright: reportArgumentType=false, reportCallIssue=false

from dataclasses import dataclass

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory, ReadPort
from amaranth.lib.wiring import In, Out

from hw.dataflow.design.engine import EngineDesign
from hw.dataflow.fabric import LUT_RAM_DEPTH
from hw.dataflow.layers.rounding import signed_of
from hw.dataflow.loading.memory import Access, address, attach, enable
from hw.dataflow.places import ram, rom
from hw.dataflow.plan import Place


def tap_layout(x: Shape, operation_bits: int) -> data.StructLayout:
    """Payload of the tap stream: x is zero and `real` low where the tap lies in the padding."""
    return data.StructLayout({"x": x, "real": 1, "last": 1, "operation": unsigned(operation_bits)})


@dataclass(frozen=True)
class Pixel:
    """The pixel in progress.

    Parameters
    ----------
    oy, ox: output position; base: address of its first beat
    level: beats beyond its base that are stored; need: those that it needs
    rows, columns: which taps of each axis are real; None: always
    """

    oy: Signal
    ox: Signal
    base: Signal
    level: Signal
    need: Signal
    rows: Signal | None
    columns: Signal | None


class Window(wiring.Component):
    """Operand store and tap sequencer.

    Parameters
    ----------
    design: of the engine; its store is a power of two of at least its window's span

    Members
    -------
    i: input stream, one channel a beat, raster order; o: tap stream (`tap_layout`)
    load: the program's memory, if it is loadable; last_word: then, its address

    Flow: accepts beat n while n < base(pixel in progress) + store; starts a pixel when its last
        real tap is stored.
    Latency: 2 cycles from a stored last beat to the first tap. Throughput: one tap a cycle, one
        idle cycle a pixel.
    """

    def __init__(self, design: EngineDesign):
        store, span, words = design.store, design.geometry.span, design.words
        if store & (store - 1) or store < span:
            raise ValueError(f"store {store}: expected a power of two of at least {span}")
        self.design, self.geometry, self.program = design, design.geometry, design.program
        self.x = signed_of(design.source)
        self.payload = tap_layout(self.x, design.program.operation_bits)
        loads = {}
        if words:
            access = Access(words, design.code.layout.size)
            loads = {"load": In(access), "last_word": In(range(words))}
        super().__init__(
            {"i": In(stream.Signature(self.x)), "o": Out(stream.Signature(self.payload)), **loads}
        )

    def elaborate(self, platform):
        m = Module()
        pixel = self._pixel(m)
        read, accept = self._store(m, pixel.level)

        # Stage 0 issues a program address, stage 1 has the word and reads the store, stage 2 is
        # the output.
        advance = Signal()
        word, valid1, final1 = self._fetch(m, pixel, advance)
        self._output(m, pixel, read, word, valid1, advance)

        # The pixel's last word has left the program: move the window.
        move = Signal()
        m.d.comb += move.eq(valid1 & final1 & advance)
        self._move(m, pixel, move, accept)
        return m

    def _pixel(self, m: Module) -> Pixel:
        g, store = self.geometry, self.design.store
        oy = Signal(range(g.out[0]))
        ox = Signal(range(g.out[1]))
        base = Signal((store - 1).bit_length(), init=g.base(0, 0) % store)
        reach = max(store, g.span, -g.base(0, 0)) + max(self._steps())
        level = Signal(range(-reach, reach + 1), init=-g.base(0, 0))
        return Pixel(oy, ox, base, level, *self._borders(m, oy, ox))

    def _store(self, m: Module, level: Signal) -> tuple[ReadPort, Signal]:
        """The operand store's read port, and whether a beat is taken."""
        depth = self.design.store
        address_bits = (depth - 1).bit_length()
        m.submodules.store = store = Memory(
            shape=unsigned(self.x.width),
            depth=depth,
            init=[],
            attrs=ram(Place.LUTRAM if depth <= LUT_RAM_DEPTH else Place.BLOCK),
        )
        write = store.write_port()
        read = store.read_port()
        write_address = Signal(address_bits)
        accept = Signal()
        negative = self.i.payload[-1] if self.design.relu and self.x.signed else Const(0)
        m.d.comb += [
            # `depth` is a power of two, and level is below its double (a window that lies before
            # the one before it does so by padding, less than a span): not full where negative or
            # without that bit.
            self.i.ready.eq(level[-1] | ~level[address_bits]),
            accept.eq(self.i.valid & self.i.ready),
            write.addr.eq(write_address),
            write.data.eq(Mux(negative, 0, self.i.payload.as_unsigned())),
            write.en.eq(accept),
        ]
        with m.If(accept):
            m.d.sync += write_address.eq(write_address + 1)
        return read, accept

    def _fetch(self, m: Module, pixel: Pixel, advance: Signal) -> tuple[data.View, Signal, Signal]:
        """Stages 0 and 1: the word, whether there is one, and whether it is the pixel's last."""
        code, words, place = self.design.code, self.design.words, self.design.place
        depth = words or len(self.program)
        m.submodules.program = taps = Memory(
            shape=code.layout,
            depth=depth,
            init=code.words(self.program),
            attrs=ram(place) if words else rom(place),
        )
        fetch = taps.read_port()
        loader = self.load if words else None
        attach(m, taps, fetch, loader)
        issue = Signal()
        running = Signal()
        pc = Signal(range(depth))
        end = self.last_word if words else len(self.program) - 1
        final = Signal()
        valid1 = Signal()
        final1 = Signal()
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            issue.eq(running | (~valid1 & (pixel.level >= pixel.need))),
            final.eq(pc == end),
            fetch.addr.eq(address(loader, pc)),
            fetch.en.eq(enable(loader, advance)),
        ]
        with m.If(advance):
            m.d.sync += [valid1.eq(issue), final1.eq(final), running.eq(issue & ~final)]
            with m.If(issue):
                m.d.sync += pc.eq(Mux(final, 0, pc + 1))
        return fetch.data, valid1, final1

    def _output(
        self,
        m: Module,
        pixel: Pixel,
        read: ReadPort,
        word: data.View,
        valid1: Signal,
        advance: Signal,
    ) -> None:
        """Stage 2: the tap."""
        real = Signal()
        m.d.comb += [
            real.eq(
                (pixel.rows.bit_select(word.ky, 1) if pixel.rows is not None else 1)
                & (pixel.columns.bit_select(word.kx, 1) if pixel.columns is not None else 1)
            ),
            read.addr.eq(pixel.base + word.offset),
            read.en.eq(advance),
        ]
        out = self.o.payload
        real2 = Signal()
        with m.If(advance):
            m.d.sync += [
                self.o.valid.eq(valid1),
                real2.eq(real),
                out.last.eq(word.last),
                out.operation.eq(word.operation),
            ]
        m.d.comb += [out.real.eq(real2), out.x.eq(Mux(real2, read.data, 0))]

    def _move(self, m: Module, pixel: Pixel, move: Signal, accept: Signal) -> None:
        """On to the next pixel where `move` is high."""
        g, level, (column, row, frame) = self.geometry, pixel.level, self._steps()
        back = Signal(level.shape())
        moved = Signal(len(level) + 1)
        last_column, last_row = pixel.ox == g.out[1] - 1, pixel.oy == g.out[0] - 1
        with m.If(move):
            m.d.comb += back.eq(Mux(last_column, Mux(last_row, -frame, -row), -column))
            m.d.sync += [
                pixel.base.eq(pixel.base - back),
                pixel.ox.eq(Mux(last_column, 0, pixel.ox + 1)),
            ]
            with m.If(last_column):
                m.d.sync += pixel.oy.eq(Mux(last_row, 0, pixel.oy + 1))
        # level + accept - step in one carry chain: the accepted beat enters as the carry.
        m.d.comb += moved.eq(Cat(accept, level) + Cat(accept, back))
        m.d.sync += level.eq(moved[1:])

    def _steps(self) -> tuple[int, int, int]:
        """Beats the base moves to the next pixel, to the next row, to the next frame."""
        g = self.geometry
        last = g.base(g.out[0] - 1, g.out[1] - 1)
        return (
            g.stride[1] * g.shape[2],
            g.base(1, 0) - g.base(0, g.out[1] - 1),
            g.frame + g.base(0, 0) - last,
        )

    def _borders(self, m: Module, oy: Signal, ox: Signal):
        """Beats the pixel needs beyond its base, and which taps of each axis are real (None:
        always)."""
        g = self.geometry
        strides = (g.dilation[0] * g.row, g.dilation[1] * g.shape[2])
        need = Const(g.shape[2])
        real = []
        for axis, position in enumerate((oy, ox)):
            if not g.has_border(axis):
                need = need + (g.kernel[axis] - 1) * strides[axis]
                real.append(None)
                continue
            flags = Signal(g.kernel[axis], name=("real_rows", "real_columns")[axis])
            reach = Const(0)
            for k in range(g.kernel[axis]):
                # A table of the few positions, not two comparators: one or two LUTs.
                first, last = g.valid(axis, k)
                table = sum(1 << n for n in range(first, last + 1))
                m.d.comb += flags[k].eq(Const(table, g.out[axis]).bit_select(position, 1))
                reach = Mux(flags[k], k * strides[axis], reach)
            need = need + reach
            real.append(flags)
        total = Signal(range(g.span + 1), name="need")
        m.d.comb += total.eq(need)
        return total, *real
