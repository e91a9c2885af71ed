"""Fork and FIFO for valid/ready streams.

Rules of every stream here: `valid` never waits for `ready`; the payload is stable from `valid`
    until it is taken.
"""

from amaranth import *
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

LUT_RAM_DEPTH = 32
"""Deepest FIFO kept in LUT-RAM (asynchronous read); deeper ones use block RAM."""


class Fork(wiring.Component):
    """Give every beat of one stream to several readers, each at its own pace (eager fork).

    Parameters
    ----------
    shape: payload shape
    branches: number of readers, 2 or more

    Members
    -------
    i: input stream; o0, o1, …: output streams

    Latency: none. Throughput: one beat a cycle. Storage: one bit a branch (has it taken the
        current beat?).
    """

    def __init__(self, shape, branches: int):
        self.shape, self.branches = shape, branches
        super().__init__(
            {"i": In(stream.Signature(shape))}
            | {f"o{k}": Out(stream.Signature(shape)) for k in range(branches)}
        )

    def elaborate(self, platform):
        m = Module()
        done = Signal(self.branches)
        served = Signal(self.branches)
        for k in range(self.branches):
            o = getattr(self, f"o{k}")
            m.d.comb += [
                o.payload.eq(self.i.payload),
                o.valid.eq(self.i.valid & ~done[k]),
                served[k].eq(done[k] | o.ready),
            ]
        m.d.comb += self.i.ready.eq(served.all())
        with m.If(self.i.valid):
            m.d.sync += done.eq(Mux(self.i.ready, 0, served))
        return m


class Fifo(wiring.Component):
    """First-in first-out queue with a registered `ready`.

    Parameters
    ----------
    shape: payload shape
    depth: beats it holds, 2 or more

    Members
    -------
    i, o: input and output stream

    Latency: 1 cycle in LUT-RAM (up to LUT_RAM_DEPTH beats), 2 in block RAM. Throughput: one beat a
        cycle.
    """

    def __init__(self, shape, depth: int):
        if depth < 2:
            raise ValueError(f"FIFO depth {depth}: expected 2 or more")
        self.shape, self.depth = shape, depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        queue = fifo.SyncFIFO if self.depth <= LUT_RAM_DEPTH else fifo.SyncFIFOBuffered
        m.submodules.queue = queue = queue(width=Shape.cast(self.shape).width, depth=self.depth)
        m.d.comb += [
            queue.w_data.eq(self.i.payload),
            queue.w_en.eq(self.i.valid),
            self.i.ready.eq(queue.w_rdy),
            self.o.payload.eq(queue.r_data),
            self.o.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.o.ready),
        ]
        return m
