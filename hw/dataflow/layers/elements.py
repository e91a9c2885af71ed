"""Processing elements: what is done with the taps of a window. One interface, exchangeable by the
plan.

An element takes the tap stream of `window` and gives one result for each group of taps: the
accumulators of the group's `pe` output channels, or the pooled value. Each registers its result, so
that the next group starts while the requantiser works on the last one.

Latency: the result is there the cycle after the group's last tap. Throughput: one tap a cycle.
"""

from collections.abc import Sequence

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.dataflow.design.engine import BarrelDesign, Element, HornerDesign, MaximumDesign, SumDesign
from hw.dataflow.design.program import HORNER_LANE, BarrelCode
from hw.dataflow.layers.window import tap_layout


def sums_layout(width: int, pe: int, rows: int = 1) -> data.StructLayout:
    """Payload from element to requantiser: `pe` accumulators, and the row of scales where it
    depends on the data."""
    return data.StructLayout(
        {"acc": data.ArrayLayout(signed(width), pe), "row": unsigned((rows - 1).bit_length())}
    )


def add_signed(m: Module, a: Signal, b: Value, negative: Value, *, name: str) -> Value:
    """a ± b in one carry chain of a's width: the sign inverts b and enters as the carry. Wraps."""
    operand = Signal.like(a, name=f"{name}_operand")
    addend = Signal.like(a, name=f"{name}_addend")
    total = Signal(len(a) + 1, name=f"{name}_total")
    m.d.comb += [
        operand.eq(b),
        addend.eq(Mux(negative, ~operand, operand)),
        total.eq(Cat(negative, a) + Cat(negative, addend)),
    ]
    return total[1:].as_signed()


def restart(m: Module, register: Signal, value: Value, take: Value, close: Value) -> None:
    """Load `value` at every tap but a group's last, which clears. Written so that clearing is the
    flip-flop's own reset."""
    with m.If(close):
        m.d.sync += register.eq(0)
    with m.Elif(take):
        m.d.sync += register.eq(value)


class ProcessingElement(wiring.Component):
    """What all elements share: taps in, one registered result a group out.

    Parameters
    ----------
    x: shape of an activation
    operation_bits: width of a tap's operation
    result: payload shape of the output

    Members
    -------
    i: tap stream (`tap_layout`); o: result stream
    """

    def __init__(self, x: Shape, operation_bits: int, result):
        self.x, self.operation_bits, self.result = x, operation_bits, result
        super().__init__(
            {
                "i": In(stream.Signature(tap_layout(x, operation_bits))),
                "o": Out(stream.Signature(result)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        take = Signal()
        close = Signal()
        tap = self.i.payload
        m.d.comb += [
            self.i.ready.eq(~tap.last | ~self.o.valid | self.o.ready),
            take.eq(self.i.valid & self.i.ready),
            close.eq(take & tap.last),
        ]
        with m.If(close):
            m.d.sync += self.o.valid.eq(1)
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        self.accumulate(m, tap, take, close)
        return m

    def accumulate(self, m: Module, tap: data.View, take: Signal, close: Signal) -> None:
        """Add to `m` what happens to a taken tap; when `close` is high it is the group's last and
        o.payload is due."""
        raise TypeError("a processing element is built through one of its kinds")


class Barrel(ProcessingElement):
    """Shift, then add or subtract: one tap a cycle for each of `pe` output channels that share the
    activation.

    Parameters
    ----------
    x: shape of an activation
    code: of the operations
    width: of an accumulator
    """

    def __init__(self, x: Shape, code: BarrelCode, *, width: int):
        self.code, self.width = code, width
        super().__init__(x, code.lane.size * code.pe, sums_layout(width, code.pe))

    def accumulate(self, m, tap, take, close):
        low, high = self.code.shifts
        lanes = data.View(data.ArrayLayout(self.code.lane, self.code.pe), tap.operation)
        for k in range(self.code.pe):
            lane = lanes[k]
            acc = Signal(signed(self.width), name=f"acc{k}")
            if low >= 0:
                term = (tap.x << lane.amount) << low
            else:
                term = (tap.x << max(high, 0)) >> (lane.amount + (max(high, 0) - high))
            if self.code.sparse:
                term = Mux(lane.used, term, 0)
            total = add_signed(m, acc, term, lane.negative, name=f"sum{k}")
            restart(m, acc, total, take, close)
            with m.If(close):
                m.d.sync += self.o.payload.acc[k].eq(total)


class Horner(ProcessingElement):
    """Sorted Horner: no shifter. Taps come sorted by falling exponent, the accumulator doubles
    from one exponent to the next.

    Exact arithmetic only, one output channel. Its program has a step for each non-zero weight and
    one for each doubling.

    Parameters
    ----------
    x: shape of an activation
    width: of the accumulator
    """

    def __init__(self, x: Shape, *, width: int):
        self.width = width
        super().__init__(x, HORNER_LANE.size, sums_layout(width, 1))

    def accumulate(self, m, tap, take, close):
        operation = data.View(HORNER_LANE, tap.operation)
        acc = Signal(signed(self.width))
        x = Signal(signed(self.width))
        m.d.comb += x.eq(tap.x)
        total = add_signed(m, acc, Mux(operation.double, acc, x), operation.negative, name="sum")
        restart(m, acc, total, take, close)
        with m.If(close):
            m.d.sync += self.o.payload.acc[0].eq(total)


class Maximum(ProcessingElement):
    """Running maximum over the real taps (max pool)."""

    def __init__(self, x: Shape):
        super().__init__(x, 0, x)

    def accumulate(self, m, tap, take, close):
        best = Signal(self.x)
        some = Signal()
        winner = Signal(self.x)
        m.d.comb += winner.eq(Mux(tap.real & (~some | (tap.x > best)), tap.x, best))
        with m.If(take):
            m.d.sync += [best.eq(winner), some.eq(~close & (some | tap.real))]
        with m.If(close):
            m.d.sync += self.o.payload.eq(winner)


class Sum(ProcessingElement):
    """Sum of the real taps and the row of scales that their number selects (average pool).

    Parameters
    ----------
    x: shape of an activation
    counts: the numbers of real taps that occur; their positions are the rows
    width: of the sum
    """

    def __init__(self, x: Shape, *, counts: Sequence[int], width: int):
        self.counts, self.width = tuple(counts), width
        super().__init__(x, 0, sums_layout(width, 1, len(counts)))

    def accumulate(self, m, tap, take, close):
        acc = Signal(signed(self.width))
        total = Signal(signed(self.width))
        most = max(self.counts)
        count = Signal(range(most + 1))
        number = Signal(range(most + 1))
        m.d.comb += [total.eq(acc + tap.x), number.eq(count + tap.real)]
        restart(m, acc, total, take, close)
        restart(m, count, number, take, close)
        with m.If(close):
            m.d.sync += self.o.payload.acc[0].eq(total)
            with m.Switch(number):
                for row, value in enumerate(self.counts):
                    with m.Case(value):
                        m.d.sync += self.o.payload.row.eq(row)


def processing_element(design: Element, x: Shape) -> ProcessingElement:
    """The component of an element whose activations have the shape `x`."""
    match design:
        case BarrelDesign():
            return Barrel(x, design.code, width=design.width)
        case HornerDesign():
            return Horner(x, width=design.width)
        case MaximumDesign():
            return Maximum(x)
        case SumDesign():
            return Sum(x, counts=design.counts, width=design.width)
