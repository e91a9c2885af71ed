"""Processing elements: what is done with the taps of a window. One interface, exchangeable by the
plan.

An element takes the tap stream of `window` and gives one result for each group of taps: the
accumulators of the group's `pe` output channels, or the pooled value. Each registers its result, so
that the next group starts while the requantiser works on the last one.

Latency: the result is there the cycle after the group's last tap. Throughput: one tap a cycle.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.dataflow.design.program import Weight, lane_groups
from hw.dataflow.layers.window import Tap, tap_layout
from hw.ir.format import width_of


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


class Element(wiring.Component):
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
        raise TypeError("an Element is built through one of its kinds")


@dataclass(frozen=True)
class BarrelCode:
    """How a barrel's operation is encoded: a field for each lane.

    Parameters
    ----------
    shifts: smallest and largest exponent p - p0 of the layer; negative ones floor (guard bits)
    pe: lanes
    sparse: whether some tap has a lane without a weight
    """

    shifts: tuple[int, int]
    pe: int
    sparse: bool

    @classmethod
    def of(cls, groups: Sequence[Sequence[Sequence[Weight]]], p0: int) -> "BarrelCode":
        """The narrowest code for these weights."""
        shifts = [w.power - p0 for group in groups for lane in group for w in lane] or [0]
        sparse = any(
            not lane or {w[:3] for w in lane} != {w[:3] for w in group[0]}
            for group in groups
            for lane in group
        )
        return cls((min(shifts), max(shifts)), len(groups[0]), sparse)

    @property
    def lane(self) -> data.StructLayout:
        amount = unsigned((self.shifts[1] - self.shifts[0]).bit_length())
        return data.StructLayout(
            {"amount": amount, "negative": 1, "used": unsigned(int(self.sparse))}
        )

    def amount(self, shift: int) -> int:
        """Left shifts count from the smallest; where some floor, right shifts count down from the
        largest."""
        low, high = self.shifts
        return shift - low if low >= 0 else high - shift

    def pack(self, lane: int, weight: Weight, p0: int) -> int:
        """The operation's bits for one lane's weight."""
        fields = self.lane
        value = self.amount(weight.power - p0)
        value |= (weight.sign < 0) << fields["negative"].offset
        value |= int(self.sparse) << fields["used"].offset
        return value << lane * fields.size

    def program(self, groups: Sequence[Sequence[Sequence[Weight]]], p0: int) -> list[Tap]:
        """Taps of all groups; a group without weights keeps one tap that adds nothing."""
        taps = []
        for group in groups:
            weights = [{w[:3]: w for w in lane} for lane in group]
            places = sorted({place for lane in weights for place in lane}) or [(0, 0, 0)]
            for place in places:
                operation = 0
                for k, lane in enumerate(weights):
                    if place in lane:
                        operation |= self.pack(k, lane[place], p0)
                taps.append(Tap(*place, operation, place == places[-1]))
        return taps


class Barrel(Element):
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


HORNER_LANE = data.StructLayout({"double": 1, "negative": 1})
"""Operation of the Horner element."""


class Horner(Element):
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


def horner_program(groups: Sequence[Sequence[Sequence[Weight]]], p0: int) -> list[Tap]:
    """Taps of all groups of one channel each; a channel without weights doubles zero once."""
    double = (0, 0, 0, 1)
    taps = []
    for (channel,) in groups:
        steps: list[tuple[int, int, int, int]] = []
        powers = sorted({w.power for w in channel}, reverse=True)
        for power, lower in zip(powers, [*powers, p0][1:], strict=True):
            steps += [(*w[:3], 2 * (w.sign < 0)) for w in channel if w.power == power]
            steps += [double] * (power - lower)
        steps = steps or [double]
        taps += [Tap(*step, last=n == len(steps) - 1) for n, step in enumerate(steps)]
    return taps


class Maximum(Element):
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


class Sum(Element):
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


def weighted_program(channels: Sequence[list[Weight]], element: str, pe: int, p0: int) -> list[Tap]:
    """Program of a weighted layer for the element "barrel" or "horner" with `pe` lanes."""
    groups = lane_groups(channels, pe)
    if element == "horner":
        return horner_program(groups, p0)
    return BarrelCode.of(groups, p0).program(groups, p0)


def weighted_element(
    channels: Sequence[list[Weight]], element: str, pe: int, p0: int, *, x: Shape, width: int
) -> Barrel | Horner:
    """The element that works through `weighted_program`; `width` is the accumulator's."""
    if element == "horner":
        return Horner(x, width=width)
    return Barrel(x, BarrelCode.of(lane_groups(channels, pe), p0), width=width)


def pool_program(kernel: tuple[int, int], channels: int) -> list[Tap]:
    """Taps of a pool: the whole window of one channel after the other."""
    kh, kw = kernel
    return [
        Tap(ky, kx, channel, 0, (ky, kx) == (kh - 1, kw - 1))
        for channel in range(channels)
        for ky in range(kh)
        for kx in range(kw)
    ]


def sum_width(low: int, high: int, n: int) -> int:
    """Bits of a sum of up to n values in [low, high]."""
    return width_of(n * min(low, 0), n * max(high, 0))
