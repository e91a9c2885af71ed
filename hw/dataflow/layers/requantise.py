"""From accumulator to activation: scale by signed powers of two, add the bias, round, saturate."""

# The stubs of amaranth know neither shaped initial values nor integer attributes of a memory.
# pyright: reportArgumentType=false, reportCallIssue=false

from collections.abc import Sequence
from typing import NamedTuple

from amaranth import *
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.dataflow.design.program import naf_digits
from hw.dataflow.layers.elements import sums_layout
from hw.dataflow.layers.memory import Access, address, attach, attributes, enable
from hw.dataflow.layers.rounding import shift_saturate, signed_of
from hw.ir.format import Format, width_of

BIAS_LOGIC_ROWS = 32
"""Most rows whose biases are kept in logic (a LUT a bit up to 16 rows)."""


class Scale(NamedTuple):
    """v = acc·multiplier + constant, of one output channel; the rounding constant is part of it."""

    multiplier: int
    constant: int


def is_unit(scales: Sequence[Sequence[Scale]]) -> bool:
    """Whether all channels have scale 1 and one constant: a rounding shift, no requantiser
    needed."""
    lanes = [lane for row in scales for lane in row]
    return all(lane.multiplier == 1 and lane.constant == lanes[0].constant for lane in lanes)


def digit_count(scales: Sequence[Sequence[Scale]]) -> int:
    """Binary digits (non-adjacent form) of the longest multiplier: the Horner steps of every
    row."""
    # The form of n is that of the binary digits of 3·n xor n, without the last.
    longest = max(abs(lane.multiplier) for row in scales for lane in row)
    return max(1, (3 * longest).bit_length() - 1)


class Operand(enum.Enum, shape=2):
    """What a step adds. A code of two bits, so that choosing it takes one 4-input LUT a bit."""

    ZERO = 0
    PLUS = 1
    MINUS = 2
    BIAS = 3

    @classmethod
    def of(cls, digit: int) -> "Operand":
        """The operand of a multiplier's digit."""
        return {0: cls.ZERO, 1: cls.PLUS, -1: cls.MINUS}[digit]


def steps_layout(pe: int) -> data.StructLayout:
    """A word of the requantiser's program: what each lane adds and which bit enters below."""
    step = data.StructLayout({"operand": Operand, "bit": 1})
    return data.StructLayout({"lanes": data.ArrayLayout(step, pe), "last": 1})


def step_words(scales: Sequence[Sequence[Scale]], count: int) -> list[dict]:
    """Steps of each row: the constant's high part, then `count` digits, highest first."""
    words = []
    for row in scales:
        words.append({"lanes": [{"operand": Operand.BIAS, "bit": 0}] * len(row), "last": 0})
        digits = [naf_digits(lane.multiplier) for lane in row]
        for n in reversed(range(count)):
            lanes = [
                {
                    "operand": Operand.of(d[n] if n < len(d) else 0),
                    "bit": lane.constant >> n & 1,
                }
                for d, lane in zip(digits, row, strict=True)
            ]
            words.append({"lanes": lanes, "last": n == 0})
    return words


def high_parts(scales: Sequence[Sequence[Scale]], count: int) -> list[list[int]]:
    """The constants of each row, without the `count` bits that enter with the digits."""
    return [[lane.constant >> count for lane in row] for row in scales]


class Room(NamedTuple):
    """What the memories of a loadable requantiser hold.

    Parameters
    ----------
    digits: the most of a multiplier
    bias_bits: of a constant's high part
    """

    digits: int
    bias_bits: int


class Requantise(wiring.Component):
    """Serial requantiser: v by Horner over the multiplier's digits, one adder a lane, no shifter,
    no multiplier.

    v = 2·(… 2·(2·(constant >> D) + d·acc + b) …) + d0·acc + b0, with D digits d of the multiplier
    in {-1, 0, 1} and the D low bits b of the constant. Then q = clamp(v >> shift).

    Parameters
    ----------
    scales: one row of `pe` scales for each group of output channels, in stream order; or one row
        for each value of i.payload.row
    acc_width: of an accumulator; width: of v
    shift: right shift, negative to the left
    fmt: output format
    by_row: true if i.payload.row names the row, else rows follow each other
    rom_style: where the digits lie: "block" or "logic", "block" or "lutram" if they are loadable
    room: for scales loaded at run time, not by row; None: they are fixed

    Members
    -------
    i: sums (`sums_layout`); o: output stream, one channel a beat
    load_steps, load_bias: the memories, if loadable

    Latency: D + 2 cycles. Throughput: `pe` beats in D + 1 + pe cycles.
    """

    def __init__(
        self,
        scales: Sequence[Sequence[Scale]],
        *,
        acc_width: int,
        width: int,
        shift: int,
        fmt: Format,
        by_row: bool = False,
        rom_style: str = "logic",
        room: Room | None = None,
    ):
        self.scales, self.acc_width, self.width = [tuple(row) for row in scales], acc_width, width
        self.shift, self.fmt, self.by_row, self.rom_style = shift, fmt, by_row, rom_style
        self.pe, self.digits, self.room = len(self.scales[0]), digit_count(scales), room
        loads = {}
        if room is not None:
            rows = len(self.scales)
            steps = Access(rows * (room.digits + 1), steps_layout(self.pe).size)
            bias = Access(rows, self.pe * room.bias_bits)
            loads = {"load_steps": In(steps), "load_bias": In(bias)}
        super().__init__(
            {
                "i": In(
                    stream.Signature(sums_layout(acc_width, self.pe, len(scales) if by_row else 1))
                ),
                "o": Out(stream.Signature(signed_of(fmt))),
                **loads,
            }
        )

    def elaborate(self, platform):
        m = Module()
        rows, length = len(self.scales), self.digits + 1
        bias_rom, step_rom = self._memories(m)
        bias = bias_rom.read_port()
        steps = step_rom.read_port()
        load_bias = self.load_bias if self.room else None
        load_steps = self.load_steps if self.room else None
        attach(m, bias_rom, bias, load_bias)
        attach(m, step_rom, steps, load_steps)
        row = Signal(range(rows))
        pointer = Signal(range(rows * ((self.room.digits if self.room else self.digits) + 1)))
        lane = Signal(range(self.pe))
        accept = Signal()
        busy = Signal()
        done = Signal()
        leave = Signal()
        last = steps.data.last

        # Idle, then a row's steps, then `pe` beats; the last of them makes room for the next sums.
        m.d.comb += [
            leave.eq(done & self.o.ready & (lane == self.pe - 1)),
            self.i.ready.eq((~busy & ~done) | leave),
            accept.eq(self.i.valid & self.i.ready),
            self.o.valid.eq(done),
            bias.addr.eq(self.i.payload.row if self.by_row else address(load_bias, row)),
            bias.en.eq(enable(load_bias, accept)),
            steps.addr.eq(address(load_steps, pointer)),
            # The step read now is done in the next cycle.
            steps.en.eq(enable(load_steps, accept | (busy & ~last))),
        ]
        if self.by_row:
            with m.If(accept), m.Switch(self.i.payload.row):
                for number in range(rows):
                    with m.Case(number):
                        m.d.comb += steps.addr.eq(number * length)
        else:
            with m.If(accept):
                m.d.sync += row.eq(Mux(row == rows - 1, 0, row + 1))
        if self.room is None:
            with m.If(steps.en):
                m.d.sync += pointer.eq(Mux(steps.addr == rows * length - 1, 0, steps.addr + 1))
        else:
            # Rows end where their words say so; the row after the last one is the first.
            with m.If(steps.en):
                m.d.sync += pointer.eq(pointer + 1)
            with m.If(busy & last & (row == 0)):
                m.d.sync += pointer.eq(0)
        with m.If(done & self.o.ready):
            m.d.sync += lane.eq(Mux(lane == self.pe - 1, 0, lane + 1))
        with m.If(leave):
            m.d.sync += done.eq(0)
        with m.If(accept):
            m.d.sync += busy.eq(1)
        with m.If(busy & last):
            m.d.sync += [busy.eq(0), done.eq(1)]

        results = []
        for k in range(self.pe):
            acc = Signal(signed(self.acc_width), name=f"acc{k}")
            v = Signal(signed(self.width), name=f"v{k}")
            addend = Signal(signed(self.width), name=f"addend{k}")
            total = Signal(self.width + 1, name=f"total{k}")
            step = steps.data.lanes[k]
            with m.If(accept):
                m.d.sync += acc.eq(self.i.payload.acc[k])
            with m.Switch(step.operand):
                with m.Case(Operand.PLUS):
                    m.d.comb += addend.eq(acc)
                with m.Case(Operand.MINUS):
                    m.d.comb += addend.eq(~acc)
                with m.Case(Operand.BIAS):
                    m.d.comb += addend.eq(bias.data[k])
            carry = step.operand == Operand.MINUS
            m.d.comb += total.eq(Cat(carry, step.bit, v[:-1]) + Cat(carry, addend))
            # Never both; in this order clearing is the flip-flop's own reset.
            with m.If(accept):
                m.d.sync += v.eq(0)
            with m.Elif(busy):
                m.d.sync += v.eq(total[1:])
            results.append(shift_saturate(m, v, self.shift, self.fmt, name=f"lane{k}"))
        m.d.comb += self.o.payload.eq(Array(results)[lane] if self.pe > 1 else results[0])
        return m

    def _memories(self, m: Module) -> tuple[Memory, Memory]:
        """High parts of each row's constants; each row's steps: the constant, then the digits,
        highest first."""
        highs, words = high_parts(self.scales, self.digits), step_words(self.scales, self.digits)
        room, few = self.room, len(highs) <= BIAS_LOGIC_ROWS
        if room is None:
            extremes = [value for row in highs for value in row]
            bits = width_of(min(extremes), max(extremes))
            bias_attributes = {"rom_style": "logic" if few else "block"}
            step_attributes = {"rom_style": self.rom_style}
            depth = len(words)
        else:
            bits, depth = room.bias_bits, len(highs) * (room.digits + 1)
            bias_attributes = attributes("lutram" if few else self.rom_style)
            step_attributes = attributes(self.rom_style)
        m.submodules.bias = bias = Memory(
            shape=data.ArrayLayout(signed(bits), self.pe),
            depth=len(highs),
            init=highs,
            attrs=bias_attributes,
        )
        m.submodules.steps = steps = Memory(
            shape=steps_layout(self.pe), depth=depth, init=words, attrs=step_attributes
        )
        return bias, steps


class Round(wiring.Component):
    """Requantiser of a layer without batch norm: scale 1, so q = clamp((acc + constant) >> shift).

    Parameters
    ----------
    acc_width: of the accumulator; constant: rounding constant; shift: right shift; fmt: output
        format
    pe: accumulators a group

    Members
    -------
    i: sums (`sums_layout`); o: output stream

    Latency: 1 cycle. Throughput: one beat a cycle.
    """

    def __init__(self, *, acc_width: int, constant: int, shift: int, fmt: Format, pe: int = 1):
        self.acc_width, self.constant, self.shift = acc_width, constant, shift
        self.fmt, self.pe = fmt, pe
        super().__init__(
            {
                "i": In(stream.Signature(sums_layout(acc_width, pe))),
                "o": Out(stream.Signature(signed_of(fmt))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lane = Signal(range(self.pe))
        last = lane == self.pe - 1
        acc = self.i.payload.acc[lane]
        v = Signal(signed(self.acc_width + 1 + self.constant.bit_length()))
        m.d.comb += v.eq(acc + self.constant)
        room = ~self.o.valid | self.o.ready
        m.d.comb += self.i.ready.eq(room & last)
        with m.If(room):
            m.d.sync += [
                self.o.valid.eq(self.i.valid),
                self.o.payload.eq(shift_saturate(m, v, self.shift, self.fmt, name="lane")),
            ]
            with m.If(self.i.valid):
                m.d.sync += lane.eq(Mux(last, 0, lane + 1))
        return m


class AddBias(wiring.Component):
    """End of the classifier: logit = acc + bias of its class, not requantised.

    Parameters
    ----------
    biases: one row of `pe` integers for each group of classes
    acc_width: of the accumulator; fmt: format of a logit
    bias_bits: of biases loaded at run time; 0: they are fixed

    Members
    -------
    i: sums (`sums_layout`); o: output stream
    load: the biases' memory, if they are loadable

    Latency: 1 cycle. Throughput: one beat a cycle.
    """

    def __init__(
        self,
        biases: Sequence[int],
        *,
        acc_width: int,
        fmt: Format,
        pe: int = 1,
        bias_bits: int = 0,
    ):
        self.biases, self.acc_width, self.fmt, self.pe = tuple(biases), acc_width, fmt, pe
        self.bias_bits = bias_bits
        loads = {"load": In(Access(len(self.biases), bias_bits))} if bias_bits else {}
        super().__init__(
            {
                "i": In(stream.Signature(sums_layout(acc_width, pe))),
                "o": Out(stream.Signature(signed_of(fmt))),
                **loads,
            }
        )

    def elaborate(self, platform):
        m = Module()
        low, high = min(self.biases), max(self.biases)
        bits = self.bias_bits or width_of(low, high)
        m.submodules.biases = rom = Memory(
            shape=signed(bits),
            depth=len(self.biases),
            init=self.biases,
            # Read in the same cycle: no block RAM does that.
            attrs=attributes("lutram") if self.bias_bits else {"rom_style": "logic"},
        )
        bias = rom.read_port(domain="comb")
        loader = self.load if self.bias_bits else None
        attach(m, rom, bias, loader)
        number = Signal(range(len(self.biases)))
        lane = Signal(range(self.pe))
        room = ~self.o.valid | self.o.ready
        m.d.comb += [
            bias.addr.eq(address(loader, number)),
            self.i.ready.eq(room & (lane == self.pe - 1)),
        ]
        with m.If(room):
            m.d.sync += [
                self.o.valid.eq(self.i.valid),
                self.o.payload.eq(self.i.payload.acc[lane] + bias.data),
            ]
            with m.If(self.i.valid):
                m.d.sync += [
                    lane.eq(Mux(lane == self.pe - 1, 0, lane + 1)),
                    number.eq(Mux(number == len(self.biases) - 1, 0, number + 1)),
                ]
        return m
