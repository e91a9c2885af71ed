"""Logits as bytes, lowest first."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class LogitBytes(wiring.Component):
    """Takes a logit, then gives its bytes.

    Parameters
    ----------
    count: bytes of a logit

    Members
    -------
    i: logits; o: their bytes, lowest first

    Latency: a cycle. Throughput: a logit in 1 + `count` cycles.
    """

    def __init__(self, count: int):
        self.count = count
        super().__init__({"i": In(stream.Signature(8 * count)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        left = Signal(range(self.count + 1))
        logit = Signal(8 * self.count)
        m.d.comb += [
            self.i.ready.eq(left == 0),
            self.o.valid.eq(left != 0),
            self.o.payload.eq(logit[:8]),
        ]
        with m.If(left == 0):
            with m.If(self.i.valid):
                m.d.sync += [logit.eq(self.i.payload), left.eq(self.count)]
        with m.Elif(self.o.ready):
            m.d.sync += [logit.eq(logit >> 8), left.eq(left - 1)]
        return m
