"""Joins: node sums and concatenations. A FIFO on every input evens out the paths that meet here."""

from collections.abc import Sequence

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.dataflow.design.joins import JoinDesign
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

    Members
    -------
    i0, i1, …: input streams; o: output stream

    Latency: 2 cycles (3 through a block RAM FIFO). Throughput: one beat a cycle.
    """

    def __init__(self, design: JoinDesign):
        sources, depths = design.sources, design.depths
        if len(depths) != len(sources):
            raise ValueError(f"{len(depths)} FIFO depths for {len(sources)} inputs")
        self.design = design
        super().__init__(
            {f"i{k}": In(stream.Signature(signed_of(f))) for k, f in enumerate(sources)}
            | {"o": Out(stream.Signature(signed_of(design.out)))}
        )

    def elaborate(self, platform):
        m = Module()
        heads = []
        queues = zip(self.design.sources, self.design.depths, strict=True)
        for k, (source, depth) in enumerate(queues):
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
    """Sum of aligned inputs: a beat of each at once."""

    def join(self, m, heads, room):
        valid = Signal()
        m.d.comb += valid.eq(Cat(head.valid for head in heads).all())
        m.d.comb += [head.ready.eq(room & valid) for head in heads]
        return aligned(
            m, [head.payload for head in heads], self.design.how, self.design.out, "node"
        ), valid


class Concat(Join):
    """Channels of input 0, then of input 1, … of each pixel, each brought to one format."""

    def join(self, m, heads, room):
        turn = Signal(range(len(heads)))
        fmt, channels = self.design.out, self.design.channels
        channel = Signal(range(max(channels)))
        value = Signal(signed_of(fmt))
        valid = Signal()
        results = [
            aligned(m, [head.payload], how, fmt, f"input{k}")
            for k, (head, how) in enumerate(zip(heads, self.design.how, strict=True))
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
                        with m.If(channel == channels[k] - 1):
                            m.d.sync += [channel.eq(0), turn.eq((k + 1) % len(heads))]
        return value, valid
