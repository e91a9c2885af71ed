"""AXI4-Lite slave that loads the weights: registers, and a window onto the layers' memories."""

# By the stubs of amaranth a Component has no `elaborate`.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from hw import axi_lite
from hw.axi_lite import OKAY, SLVERR
from hw.dataflow.loading.addresses import DIGEST_BITS
from hw.dataflow.loading.bus import DATA_BITS, Bus

IDENTITY = int.from_bytes(b"SNAS", "big")
VERSION = 1


class Register(enum.IntEnum):
    """Addresses of the port's own registers, in units of 32 bits; a digest takes two, the higher
    half first."""

    IDENTITY = 0
    VERSION = 1
    CONTROL = 2
    STATUS = 3
    MAP = 4
    NETWORK = 6


HALT = 1
"""Bit of CONTROL: hold the network in reset and open its memories."""

HALTED, BUSY = 1, 2
"""Bits of STATUS: the memories are open; frames are inside."""


MEANINGS = {
    **axi_lite.MEANINGS,
    "awaddr": "AXI4-Lite, to load weights: byte address of a write, a multiple of 4",
    "wdata": "32 bits of a register or a memory, whole",
}
"""What the less obvious of the ports carry."""


class Loader(wiring.Component):
    """One access at a time; a write waits for both its address and its data.

    SLVERR answers a part of a word, an address that nobody has, a write to a register that cannot
    be written, and a memory while the network is not halted.

    Parameters
    ----------
    address_bits: of the bus
    controls: addresses below are registers, above memories
    hops: the most on the way to a memory
    map_digest, network_digest: leading bits of the digests of the address map and of the network
        that is there after configuration

    Members
    -------
    s_axil_*: AXI4-Lite, 32 bits
    bus: towards the memories
    busy: whether frames are inside the network
    reset: to the network

    Latency: of a register 2 cycles, of a memory 2·hops + 5. Halting takes 1 cycle; to go on, and to
        begin after a reset, hops + 2, so that no memory is the loader's any more.
    """

    def __init__(
        self,
        address_bits: int,
        *,
        controls: int,
        hops: int,
        map_digest: int,
        network_digest: int,
    ):
        self.address_bits, self.controls, self.hops = address_bits, controls, hops
        self.map_digest, self.network_digest = map_digest, network_digest
        super().__init__(
            {
                **axi_lite.signature(address_bits),
                "bus": Out(Bus(address_bits)),
                "busy": In(1),
                "reset": Out(1, init=1),  # pyright: ignore[reportCallIssue]
            }
        )

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        answer_cycles = 2 * self.hops + 3
        # From reset it waits as long as an access on its way may take: an answer that is late
        # must not be taken for that to the first access.
        timer = Signal(range(answer_cycles + 1), init=answer_cycles)
        # Then, too, the far memories may be the loader's for a while.
        settle = Signal(range(self.hops + 2), init=self.hops + 1)
        halt = Signal()
        network = Signal(DIGEST_BITS, init=self.network_digest, reset_less=True)
        value = Signal(DATA_BITS)
        response = Signal(2)
        write_next = Signal()
        whole = Signal()

        m.d.comb += [
            bus.halt.eq(halt),
            self.s_axil_rdata.eq(value),
            self.s_axil_rresp.eq(response),
            self.s_axil_bresp.eq(response),
        ]
        with m.If(halt):
            m.d.sync += [self.reset.eq(1), settle.eq(self.hops + 1)]
        with m.Elif(settle != 0):
            m.d.sync += settle.eq(settle - 1)
        with m.Else():
            m.d.sync += self.reset.eq(0)

        writing = self.s_axil_awvalid & self.s_axil_wvalid
        with m.FSM(init="LATE"):
            with m.State("LATE"):
                m.d.sync += timer.eq(timer - 1)
                with m.If(timer == 0):
                    m.next = "IDLE"
            with m.State("IDLE"):
                # In turn, where both wait: neither can keep the other out.
                with m.If(writing & (write_next | ~self.s_axil_arvalid)):
                    m.d.comb += [self.s_axil_awready.eq(1), self.s_axil_wready.eq(1)]
                    m.d.sync += [
                        bus.write.eq(1),
                        bus.address.eq(self.s_axil_awaddr[2:]),
                        bus.data.eq(self.s_axil_wdata),
                        whole.eq(self.s_axil_wstrb.all() & (self.s_axil_awaddr[:2] == 0)),
                        write_next.eq(0),
                    ]
                    m.next = "DECODE"
                with m.Elif(self.s_axil_arvalid):
                    m.d.comb += self.s_axil_arready.eq(1)
                    m.d.sync += [
                        bus.write.eq(0),
                        bus.address.eq(self.s_axil_araddr[2:]),
                        whole.eq(self.s_axil_araddr[:2] == 0),
                        write_next.eq(1),
                    ]
                    m.next = "DECODE"
            with m.State("DECODE"):
                m.d.sync += [response.eq(SLVERR), value.eq(0), timer.eq(answer_cycles)]
                m.next = "ANSWER"
                with m.If(whole):
                    with m.If(bus.address < self.controls):
                        self._registers(m, halt, network, value, response)
                    with m.Elif(halt & self.reset):
                        m.d.comb += bus.strobe.eq(1)
                        m.next = "WAIT"
            with m.State("WAIT"):
                m.d.sync += timer.eq(timer - 1)
                with m.If(bus.done):
                    m.d.sync += [value.eq(Mux(bus.write, 0, bus.value)), response.eq(OKAY)]
                    m.next = "ANSWER"
                with m.Elif(timer == 0):
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += [self.s_axil_bvalid.eq(bus.write), self.s_axil_rvalid.eq(~bus.write)]
                with m.If(Mux(bus.write, self.s_axil_bready, self.s_axil_rready)):
                    m.next = "IDLE"
        return m

    def _registers(
        self, m: Module, halt: Signal, network: Signal, value: Signal, response: Signal
    ) -> None:
        bus = self.bus

        def shown(what) -> None:
            with m.If(~bus.write):
                m.d.sync += [value.eq(what), response.eq(OKAY)]

        with m.Switch(bus.address[: (self.controls - 1).bit_length()]):
            with m.Case(Register.IDENTITY):
                shown(IDENTITY)
            with m.Case(Register.VERSION):
                shown(VERSION)
            with m.Case(Register.CONTROL):
                shown(halt)
                with m.If(bus.write):
                    m.d.sync += [halt.eq(bus.data[0]), response.eq(OKAY)]
            with m.Case(Register.STATUS):
                shown(Cat(halt & self.reset, self.busy))
            for half in range(2):
                part = slice(DATA_BITS * (1 - half), DATA_BITS * (2 - half))
                with m.Case(Register.MAP + half):
                    shown(Const(self.map_digest, DIGEST_BITS)[part])
                with m.Case(Register.NETWORK + half):
                    shown(network[part])
                    with m.If(bus.write & halt):
                        m.d.sync += [network[part].eq(bus.data), response.eq(OKAY)]
