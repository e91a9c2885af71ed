"""From accumulator to activation: scale by signed powers of two, add the bias, round, saturate."""

from collections.abc import Sequence
from typing import NamedTuple

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.ir.format import Format
from hw.layers.elements import sums_layout
from hw.layers.program import naf_digits
from hw.layers.rounding import shift_saturate, signed_of

BIAS_LOGIC_ROWS = 32
"""Most rows whose biases are kept in logic (a LUT a bit up to 16 rows)."""


class Scale(NamedTuple):
    """v = acc·multiplier + constant, of one output channel; the rounding constant is part of it."""

    multiplier: int
    constant: int


def is_unit(scales: Sequence[Sequence[Scale]]) -> bool:
    """Whether all channels have scale 1 and one constant: a rounding shift, no requantiser needed."""
    lanes = [lane for row in scales for lane in row]
    return all(lane.multiplier == 1 and lane.constant == lanes[0].constant for lane in lanes)


def digit_count(scales: Sequence[Sequence[Scale]]) -> int:
    """Binary digits (non-adjacent form) of the longest multiplier: the Horner steps of every row."""
    return max(1, max(len(naf_digits(lane.multiplier)) for row in scales for lane in row))


class Requantise(wiring.Component):
    """Serial requantiser: v by Horner over the multiplier's digits, one adder a lane, no shifter, no multiplier.

    v = 2·(… 2·(2·(constant >> D) + d·acc + b) …) + d0·acc + b0, with D digits d of the multiplier in {-1, 0, 1} and the D low bits b
    of the constant. Then q = clamp(v >> shift).

    Parameters
    ----------
    scales: one row of `pe` scales for each group of output channels, in stream order; or one row for each value of i.payload.row
    acc_width: of an accumulator; width: of v
    shift: right shift, negative to the left
    fmt: output format
    by_row: true if i.payload.row names the row, else rows follow each other
    rom_style: "block" or "logic", where the digits lie

    Members
    -------
    i: sums (`sums_layout`); o: output stream, one channel a beat

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
    ):
        self.scales, self.acc_width, self.width = [tuple(row) for row in scales], acc_width, width
        self.shift, self.fmt, self.by_row, self.rom_style = shift, fmt, by_row, rom_style
        self.pe, self.digits = len(self.scales[0]), digit_count(scales)
        super().__init__(
            {
                "i": In(stream.Signature(sums_layout(acc_width, self.pe, len(scales) if by_row else 1))),
                "o": Out(stream.Signature(signed_of(fmt))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rows, steps = len(self.scales), self.digits
        bias_rom, digit_rom = self._roms(m)
        bias, digit = bias_rom.read_port(), digit_rom.read_port()
        row = Signal(range(rows))
        pointer = Signal(range(rows * steps))
        step = Signal(range(steps + 2))
        lane = Signal(range(self.pe))
        accept, busy, done, leave = Signal(), Signal(), Signal(), Signal()

        # Idle (step 0 and not done), then `steps` + 1 additions, then `pe` beats; the last one makes room for the next sums.
        m.d.comb += [
            leave.eq(done & self.o.ready & (lane == self.pe - 1)),
            self.i.ready.eq((~busy & ~done) | leave),
            accept.eq(self.i.valid & self.i.ready),
            self.o.valid.eq(done),
            bias.addr.eq(self.i.payload.row if self.by_row else row),
            bias.en.eq(accept),
            digit.addr.eq(pointer),
            digit.en.eq(busy),
        ]
        with m.If(done & self.o.ready):
            m.d.sync += lane.eq(Mux(lane == self.pe - 1, 0, lane + 1))
        with m.If(leave):
            m.d.sync += done.eq(0)
        with m.If(accept):
            m.d.sync += [busy.eq(1), step.eq(0)]
            if self.by_row:
                with m.Switch(self.i.payload.row):
                    for number in range(rows):
                        with m.Case(number):
                            m.d.sync += pointer.eq(number * steps)
            else:
                m.d.sync += row.eq(Mux(row == rows - 1, 0, row + 1))
        with m.If(busy):
            m.d.sync += step.eq(step + 1)
            # The digit read now is used in the next step; the last step reads none.
            with m.If(step != steps):
                wrap = pointer == rows * steps - 1
                m.d.sync += pointer.eq(Mux(wrap, 0, pointer + 1))
            with m.Else():
                m.d.sync += [busy.eq(0), done.eq(1)]

        results = []
        for k in range(self.pe):
            acc = Signal(signed(self.acc_width), name=f"acc{k}")
            v = Signal(signed(self.width), name=f"v{k}")
            operand = Signal(signed(self.width), name=f"operand{k}")
            code = digit.data[k]
            with m.If(accept):
                m.d.sync += [acc.eq(self.i.payload.acc[k]), v.eq(0)]
            with m.If(step == 0):
                m.d.comb += operand.eq(bias.data[k])
            with m.Else():
                m.d.comb += operand.eq(Mux(code.used, Mux(code.negative, ~acc, acc), 0))
            carry = Signal(name=f"carry{k}")
            low = Signal(name=f"low{k}")
            m.d.comb += [
                carry.eq((step != 0) & code.used & code.negative),
                low.eq((step != 0) & code.bit),
            ]
            total = Signal(self.width + 1, name=f"total{k}")
            m.d.comb += total.eq(Cat(carry, low, v[:-1]) + Cat(carry, operand))
            with m.If(busy):
                m.d.sync += v.eq(total[1:])
            results.append(shift_saturate(m, v, self.shift, self.fmt, name=f"lane{k}"))
        m.d.comb += self.o.payload.eq(Array(results)[lane] if self.pe > 1 else results[0])
        return m

    def _roms(self, m: Module) -> tuple[Memory, Memory]:
        """High part of each row's constants; digits and low bits of each row's steps, most significant first."""
        D, pe = self.digits, self.pe
        highs = [[lane.constant >> D for lane in row] for row in self.scales]
        flat = [value for row in highs for value in row]
        bits = max(max(v if v >= 0 else ~v for v in flat).bit_length() + 1, 1)
        bias_shape = data.ArrayLayout(signed(bits), pe)
        m.submodules.bias = bias = Memory(
            shape=bias_shape,
            depth=len(highs),
            init=highs,
            attrs={"rom_style": "logic" if len(highs) <= BIAS_LOGIC_ROWS else "block"},
        )
        code = data.StructLayout({"used": 1, "negative": 1, "bit": 1})
        words = []
        for row in self.scales:
            digits = [naf_digits(lane.multiplier) for lane in row]
            for n in reversed(range(D)):
                words.append(
                    [
                        {
                            "used": n < len(d) and d[n] != 0,
                            "negative": n < len(d) and d[n] < 0,
                            "bit": lane.constant >> n & 1,
                        }
                        for d, lane in zip(digits, row, strict=True)
                    ]
                )
        m.submodules.digits = digits = Memory(
            shape=data.ArrayLayout(code, pe),
            depth=len(words),
            init=words,
            attrs={"rom_style": self.rom_style},
        )
        return bias, digits


class Round(wiring.Component):
    """Requantiser of a layer without batch norm: scale 1, so q = clamp((acc + constant) >> shift).

    Parameters
    ----------
    acc_width: of the accumulator; constant: rounding constant; shift: right shift; fmt: output format
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

    Members
    -------
    i: sums (`sums_layout`); o: output stream

    Latency: 1 cycle. Throughput: one beat a cycle.
    """

    def __init__(self, biases: Sequence[int], *, acc_width: int, fmt: Format, pe: int = 1):
        self.biases, self.acc_width, self.fmt, self.pe = tuple(biases), acc_width, fmt, pe
        super().__init__(
            {
                "i": In(stream.Signature(sums_layout(acc_width, pe))),
                "o": Out(stream.Signature(signed_of(fmt))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        low, high = min(self.biases), max(self.biases)
        bits = max(v.bit_length() if v >= 0 else (~v).bit_length() for v in (low, high)) + 1
        m.submodules.biases = rom = Memory(
            shape=signed(bits), depth=len(self.biases), init=self.biases, attrs={"rom_style": "logic"}
        )
        bias = rom.read_port(domain="comb")
        number = Signal(range(len(self.biases)))
        lane = Signal(range(self.pe))
        room = ~self.o.valid | self.o.ready
        m.d.comb += [
            bias.addr.eq(number),
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
