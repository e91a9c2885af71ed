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

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.dataflow.layers.memory import Access, address, attach, attributes, enable
from hw.ir.graph import Pair
from hw.ir.graph import Shape as FeatureShape


@dataclass(frozen=True)
class Geometry:
    """How an output pixel's window lies on the input.

    `out` is the output's height and width; the other fields as in hw.ir.graph.Conv. Positions
    beyond the image on any side are padding, which covers the odd sides of a FactorizedReduce.
    """

    shape: FeatureShape
    out: Pair
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)

    @property
    def row(self) -> int:
        """Beats in a row of the input."""
        return self.shape[1] * self.shape[2]

    @property
    def frame(self) -> int:
        """Beats in a frame of the input."""
        return self.shape[0] * self.row

    @property
    def span(self) -> int:
        """Beats from the window's first to its last tap, both included: the least a store must
        hold."""
        (kh, kw), (dy, dx) = self.kernel, self.dilation
        return (kh - 1) * dy * self.row + ((kw - 1) * dx + 1) * self.shape[2]

    def offset(self, ky: int, kx: int, channel: int) -> int:
        """Beats from the window's first beat to a tap."""
        return ky * self.dilation[0] * self.row + kx * self.dilation[1] * self.shape[2] + channel

    def base(self, oy: int, ox: int) -> int:
        """Index within the frame of the window's first beat; negative where that lies in the
        padding."""
        return (oy * self.stride[0] - self.padding[0]) * self.row + (
            ox * self.stride[1] - self.padding[1]
        ) * self.shape[2]

    def valid(self, axis: int, k: int) -> tuple[int, int]:
        """First and last output row (axis 0) or column (axis 1) for which tap k of that axis is a
        real pixel."""
        real = [
            n
            for n in range(self.out[axis])
            if 0
            <= n * self.stride[axis] + k * self.dilation[axis] - self.padding[axis]
            < self.shape[axis]
        ]
        return (real[0], real[-1]) if real else (1, 0)


@dataclass(frozen=True)
class Tap:
    """One step of the program: read tap (ky, kx, channel) and do `operation` (element-specific
    bits) with it.

    `last` closes a group: the element hands its result on.
    """

    ky: int
    kx: int
    channel: int
    operation: int
    last: bool


@dataclass(frozen=True)
class WordCode:
    """How a tap is encoded in a word of the program.

    Parameters
    ----------
    geometry: of the window
    store: beats of the operand store
    operation_bits: width of a tap's operation
    """

    geometry: Geometry
    store: int
    operation_bits: int

    @property
    def layout(self) -> data.StructLayout:
        fields = {"offset": range(self.store), "operation": self.operation_bits, "last": 1}
        if self.has_border(0):
            fields["ky"] = range(self.geometry.kernel[0])
        if self.has_border(1):
            fields["kx"] = range(self.geometry.kernel[1])
        return data.StructLayout(fields)

    def word(self, tap: Tap) -> dict:
        """The fields of a tap's word."""
        word = {
            "offset": self.geometry.offset(tap.ky, tap.kx, tap.channel) % self.store,
            "operation": tap.operation,
            "last": tap.last,
        }
        if self.has_border(0):
            word["ky"] = tap.ky
        if self.has_border(1):
            word["kx"] = tap.kx
        return word

    def has_border(self, axis: int) -> bool:
        """Whether any tap of this axis can lie outside the image."""
        g = self.geometry
        return any(g.valid(axis, k) != (0, g.out[axis] - 1) for k in range(g.kernel[axis]))


def tap_layout(x: Shape, operation_bits: int) -> data.StructLayout:
    """Payload of the tap stream: x is zero and `real` low where the tap lies in the padding."""
    return data.StructLayout({"x": x, "real": 1, "last": 1, "operation": unsigned(operation_bits)})


class Window(wiring.Component):
    """Operand store and tap sequencer.

    Parameters
    ----------
    geometry: of the window
    program: the taps of one output pixel, in order
    store: beats the operand store holds, a power of two of at least `geometry.span`
    x: shape of an input beat; operation_bits: width of a tap's operation
    relu: store max(x, 0)
    rom_style: where the program lies: "block" or "logic", "block" or "lutram" if it is loadable
    words: room for a program loaded at run time; 0: the program is fixed

    Members
    -------
    i: input stream, one channel a beat, raster order; o: tap stream (`tap_layout`)
    load: the program's memory, if it is loadable; last_word: then, its address

    Flow: accepts beat n while n < base(pixel in progress) + store; starts a pixel when its last
        real tap is stored.
    Latency: 2 cycles from a stored last beat to the first tap. Throughput: one tap a cycle, one
        idle cycle a pixel.
    """

    def __init__(
        self,
        geometry: Geometry,
        program: Sequence[Tap],
        *,
        store: int,
        x: Shape,
        operation_bits: int,
        relu: bool = False,
        rom_style: str = "block",
        words: int = 0,
    ):
        if store & (store - 1) or store < geometry.span:
            raise ValueError(f"store {store}: expected a power of two of at least {geometry.span}")
        self.geometry, self.program, self.store = geometry, tuple(program), store
        self.x, self.operation_bits, self.relu, self.rom_style = x, operation_bits, relu, rom_style
        self.code, self.words = WordCode(geometry, store, operation_bits), words
        loads = {}
        if words:
            access = Access(words, self.code.layout.size)
            loads = {"load": In(access), "last_word": In(range(words))}
        super().__init__(
            {
                "i": In(stream.Signature(x)),
                "o": Out(stream.Signature(tap_layout(x, operation_bits))),
                **loads,
            }
        )

    def elaborate(self, platform):
        m = Module()
        g = self.geometry
        address_bits = (self.store - 1).bit_length()

        # The pixel in progress: output position, base address, and how many beats beyond its base
        # are stored.
        oy = Signal(range(g.out[0]))
        ox = Signal(range(g.out[1]))
        base = Signal(address_bits, init=g.base(0, 0) % self.store)
        steps = self._steps()
        reach = max(self.store, g.span, -g.base(0, 0)) + max(steps)
        level = Signal(range(-reach, reach + 1), init=-g.base(0, 0))
        need, real_rows, real_columns = self._borders(m, oy, ox)

        # Operand store.
        m.submodules.store = store = Memory(
            shape=unsigned(self.x.width),
            depth=self.store,
            init=[],
            attrs={"ram_style": "distributed" if self.store <= 32 else "block", "no_rw_check": 1},
        )
        write = store.write_port()
        read = store.read_port()
        write_address = Signal(address_bits)
        accept = Signal()
        negative = self.i.payload[-1] if self.relu and self.x.signed else Const(0)
        m.d.comb += [
            # level is at most `store`, a power of two: not full where negative or below that bit.
            self.i.ready.eq(level[-1] | ~level[address_bits]),
            accept.eq(self.i.valid & self.i.ready),
            write.addr.eq(write_address),
            write.data.eq(Mux(negative, 0, self.i.payload.as_unsigned())),
            write.en.eq(accept),
        ]
        with m.If(accept):
            m.d.sync += write_address.eq(write_address + 1)

        # Program.
        m.submodules.program = rom = Memory(
            shape=self.code.layout,
            depth=self.words or len(self.program),
            init=[self.code.word(tap) for tap in self.program],
            attrs=attributes(self.rom_style)
            if self.words
            else {"rom_style": "block" if self.rom_style == "block" else "logic"},
        )
        fetch = rom.read_port()
        loader = self.load if self.words else None
        attach(m, rom, fetch, loader)

        # Stage 0 issues a program address, stage 1 has the word and reads the store, stage 2 is
        # the output.
        advance = Signal()
        issue = Signal()
        running = Signal()
        pc = Signal(range(self.words or len(self.program)))
        end = self.last_word if self.words else len(self.program) - 1
        final = Signal()
        valid1 = Signal()
        final1 = Signal()
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            issue.eq(running | (~valid1 & (level >= need))),
            final.eq(pc == end),
            fetch.addr.eq(address(loader, pc)),
            fetch.en.eq(enable(loader, advance)),
        ]
        with m.If(advance):
            m.d.sync += [valid1.eq(issue), final1.eq(final), running.eq(issue & ~final)]
            with m.If(issue):
                m.d.sync += pc.eq(Mux(final, 0, pc + 1))

        word = fetch.data
        real = Signal()
        m.d.comb += [
            real.eq(
                (real_rows.bit_select(word.ky, 1) if real_rows is not None else 1)
                & (real_columns.bit_select(word.kx, 1) if real_columns is not None else 1)
            ),
            read.addr.eq(base + word.offset),
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

        # The pixel's last word has left the program: move the window.
        back = Signal(level.shape())
        moved = Signal(len(level) + 1)
        move = Signal()
        last_column, last_row = ox == g.out[1] - 1, oy == g.out[0] - 1
        m.d.comb += move.eq(valid1 & final1 & advance)
        with m.If(move):
            m.d.comb += back.eq(Mux(last_column, Mux(last_row, -steps[2], -steps[1]), -steps[0]))
            m.d.sync += [base.eq(base - back), ox.eq(Mux(last_column, 0, ox + 1))]
            with m.If(last_column):
                m.d.sync += oy.eq(Mux(last_row, 0, oy + 1))
        # level + accept - step in one carry chain: the accepted beat enters as the carry.
        m.d.comb += moved.eq(Cat(accept, level) + Cat(accept, back))
        m.d.sync += level.eq(moved[1:])
        return m

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
            if not self.code.has_border(axis):
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
