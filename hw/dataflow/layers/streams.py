"""Fork, register slice and FIFO for valid/ready streams.

Rules of every stream here: `valid` never waits for `ready`; the payload is stable from `valid`
    until it is taken.
"""

# The stubs of amaranth know no integer attributes of a memory.
# pyright: reportArgumentType=false, reportCallIssue=false

from amaranth import *
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.dataflow.fabric import LUT_RAM_DEPTH
from hw.dataflow.places import ram
from hw.dataflow.plan import Place


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


class Skid(wiring.Component):
    """Register slice: cuts the paths of `valid`, payload and `ready` at once ("skid buffer").

    The sender learns a cycle late that the reader waits; the beat it sends meanwhile goes into a
    spare register.

    Parameters
    ----------
    shape: payload shape

    Members
    -------
    i, o: input and output stream; i.ready, o.valid and o.payload are registers

    Latency: 1 cycle. Throughput: one beat a cycle. Storage: two beats.
    """

    def __init__(self, shape):
        self.shape = shape
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        ready = Signal(init=1)
        spare = Signal(self.shape)
        m.d.comb += self.i.ready.eq(ready)
        with m.If(ready):
            m.d.sync += spare.eq(self.i.payload)
        with m.If(~self.o.valid | self.o.ready):
            # `ready` is low exactly while the spare register holds a beat.
            m.d.sync += [
                self.o.valid.eq(self.i.valid | ~ready),
                self.o.payload.eq(Mux(ready, self.i.payload, spare)),
                ready.eq(1),
            ]
        with m.Elif(self.i.valid):
            m.d.sync += ready.eq(0)
        return m


class Fifo(wiring.Component):
    """First-in first-out queue whose `ready` depends on nothing but its fill.

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
        if self.depth > LUT_RAM_DEPTH:
            self._in_block_ram(m)
            return m
        m.submodules.queue = queue = fifo.SyncFIFO(
            width=Shape.cast(self.shape).width, depth=self.depth
        )
        m.d.comb += [
            queue.w_data.eq(self.i.payload),
            queue.w_en.eq(self.i.valid),
            self.i.ready.eq(queue.w_rdy),
            self.o.payload.eq(queue.r_data),
            self.o.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.o.ready),
        ]
        return m

    def _in_block_ram(self, m: Module) -> None:
        """The RAM's output register is the last of the `depth` places.

        Unlike amaranth.lib's, the memory asks for block RAM: left alone, Yosys puts up to some 160
        bytes into LUTs, at twice the logic.
        """
        places = self.depth - 1
        m.submodules.storage = storage = Memory(
            shape=self.shape,
            depth=places,
            init=[],
            attrs=ram(Place.BLOCK),
        )
        write = storage.write_port()
        read = storage.read_port()
        stored = Signal(range(places + 1))
        put = Signal()
        get = Signal()
        m.d.comb += [
            self.i.ready.eq(stored != places),
            put.eq(self.i.valid & self.i.ready),
            get.eq((stored != 0) & (~self.o.valid | self.o.ready)),
            write.data.eq(self.i.payload),
            write.en.eq(put),
            read.en.eq(get),
            self.o.payload.eq(read.data),
        ]
        for port, move in ((write, put), (read, get)):
            with m.If(move):
                m.d.sync += port.addr.eq(Mux(port.addr == places - 1, 0, port.addr + 1))
        m.d.sync += stored.eq(stored + put - get)
        with m.If(get):
            m.d.sync += self.o.valid.eq(1)
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
