"""Joins: node sums and concatenations. A FIFO on every input evens out the paths that meet here."""

from collections.abc import Sequence

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.dataflow.layers.rounding import shift_saturate, signed_of
from hw.dataflow.layers.streams import Fifo
from hw.ir.arithmetic import Alignment
from hw.ir.format import Format


def aligned(m: Module, operands: Sequence[Value], how: Alignment, fmt: Format, name: str) -> Value:
    """The sum of the operands in the format `fmt`: shifted, added, rounded, saturated.
    Combinational."""
    total = Signal(signed(how.width), name=f"{name}_sum")
    value: Value = Const(how.rounding)
    for operand, left in zip(operands, how.left, strict=True):
        value = value + (operand << left)
    m.d.comb += total.eq(value)
    return shift_saturate(m, total, how.shift, fmt, name=name)


class Join(wiring.Component):
    """What both joins share: FIFOs `fifo0`, `fifo1`, … on the inputs and a registered output.

    Parameters
    ----------
    sources: formats of the inputs; fmt: of the output
    depths: beats of each input's FIFO

    Members
    -------
    i0, i1, …: input streams; o: output stream

    Latency: 2 cycles (3 through a block RAM FIFO). Throughput: one beat a cycle.
    """

    def __init__(self, sources: Sequence[Format], fmt: Format, depths: Sequence[int]):
        if len(depths) != len(sources):
            raise ValueError(f"{len(depths)} FIFO depths for {len(sources)} inputs")
        self.sources, self.fmt, self.depths = tuple(sources), fmt, tuple(depths)
        super().__init__(
            {f"i{k}": In(stream.Signature(signed_of(f))) for k, f in enumerate(sources)}
            | {"o": Out(stream.Signature(signed_of(fmt)))}
        )

    def elaborate(self, platform):
        m = Module()
        heads = []
        for k, (source, depth) in enumerate(zip(self.sources, self.depths, strict=True)):
            m.submodules[f"fifo{k}"] = queue = Fifo(signed_of(source), depth)
            wiring.connect(m, wiring.flipped(getattr(self, f"i{k}")), queue.i)
            heads.append(queue.o)
        room = Signal()
        m.d.comb += room.eq(~self.o.valid | self.o.ready)
        value, valid = self.join(m, heads, room)
        with m.If(room):
            m.d.sync += [self.o.valid.eq(valid), self.o.payload.eq(value)]
        return m

    def join(self, m: Module, heads, room: Value) -> tuple[Value, Value]:
        """Next output beat and whether there is one; sets the heads' `ready`, only where `room` is
        high."""
        raise TypeError("a Join is built through one of its kinds")


class Add(Join):
    """Sum of aligned inputs: a beat of each at once.

    `how` is the alignment of hw.ir.arithmetic.
    """

    def __init__(self, sources, fmt, depths, how: Alignment):
        self.how = how
        super().__init__(sources, fmt, depths)

    def join(self, m, heads, room):
        valid = Signal()
        m.d.comb += valid.eq(Cat(head.valid for head in heads).all())
        m.d.comb += [head.ready.eq(room & valid) for head in heads]
        return aligned(m, [head.payload for head in heads], self.how, self.fmt, "node"), valid


class Concat(Join):
    """Channels of input 0, then of input 1, … of each pixel, each brought to the output's format.

    `channels` of each input; `how` has an alignment for each.
    """

    def __init__(self, sources, fmt, depths, channels: Sequence[int], how: Sequence[Alignment]):
        self.channels, self.how = tuple(channels), tuple(how)
        super().__init__(sources, fmt, depths)

    def join(self, m, heads, room):
        turn = Signal(range(len(heads)))
        channel = Signal(range(max(self.channels)))
        value = Signal(signed_of(self.fmt))
        valid = Signal()
        results = [
            aligned(m, [head.payload], how, self.fmt, f"input{k}")
            for k, (head, how) in enumerate(zip(heads, self.how, strict=True))
        ]
        with m.Switch(turn):
            for k, head in enumerate(heads):
                with m.Case(k):
                    m.d.comb += [
                        value.eq(results[k]),
                        valid.eq(head.valid),
                        head.ready.eq(room),
                    ]
                    with m.If(room & head.valid):
                        m.d.sync += channel.eq(channel + 1)
                        with m.If(channel == self.channels[k] - 1):
                            m.d.sync += [channel.eq(0), turn.eq((k + 1) % len(heads))]
        return value, valid
