"""AXI4-Lite, the slave's side: the ports, and one access after the other."""

# By the stubs of amaranth a Component has no `elaborate`.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

DATA_BITS = 32
"""Bits that an access moves."""

OKAY, SLVERR = 0, 2
"""Responses."""


def signature(address_bits: int) -> dict[str, wiring.Member]:
    """The ports, for addresses of so many bits (of 32-bit words; the port counts bytes)."""
    return {
        "s_axil_awaddr": In(address_bits + 2),
        "s_axil_awvalid": In(1),
        "s_axil_awready": Out(1),
        "s_axil_wdata": In(DATA_BITS),
        "s_axil_wstrb": In(DATA_BITS // 8),
        "s_axil_wvalid": In(1),
        "s_axil_wready": Out(1),
        "s_axil_bresp": Out(2),
        "s_axil_bvalid": Out(1),
        "s_axil_bready": In(1),
        "s_axil_araddr": In(address_bits + 2),
        "s_axil_arvalid": In(1),
        "s_axil_arready": Out(1),
        "s_axil_rdata": Out(DATA_BITS),
        "s_axil_rresp": Out(2),
        "s_axil_rvalid": Out(1),
        "s_axil_rready": In(1),
    }


MEANINGS = {
    "awaddr": "byte address of a write, a multiple of 4",
    "wdata": "32 bits, whole",
    "bresp": "0: done; 2 (SLVERR): refused",
    "araddr": "byte address of a read, a multiple of 4",
    "rresp": "0: done; 2 (SLVERR): refused",
}
"""What the less obvious of the ports carry."""


def join(m: Module, outer: wiring.Component, inner: wiring.Component, address_bits: int) -> None:
    """The ports of a component are those of one inside it."""
    for name, member in signature(address_bits).items():
        own, its = getattr(outer, name), getattr(inner, name)
        m.d.comb += its.eq(own) if member.flow is In else own.eq(its)


class Port(wiring.Component):
    """One access at a time; a write waits for both its address and its data.

    Where a read and a write wait, they take turns: neither can keep the other out.

    Parameters
    ----------
    address_bits: of the addresses behind the port, in units of 32 bits

    Members
    -------
    s_axil_*: AXI4-Lite, 32 bits
    open: whether an access may begin
    active: there is an access, and no answer to it yet
    write, address, data: of the access, held until the next one
    whole: it is of all of a word
    done, okay, value: the answer, while `active`; a write and a refused access have the value 0

    Latency: one cycle from the bus to `active`, one from `done` to the bus.
    """

    def __init__(self, address_bits: int):
        self.address_bits = address_bits
        super().__init__(
            {
                **signature(address_bits),
                "open": In(1),
                "active": Out(1),
                "write": Out(1),
                "address": Out(address_bits),
                "data": Out(DATA_BITS),
                "whole": Out(1),
                "done": In(1),
                "okay": In(1),
                "value": In(DATA_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        value = Signal(DATA_BITS)
        response = Signal(2)
        write_next = Signal()
        m.d.comb += [
            self.s_axil_rdata.eq(value),
            self.s_axil_rresp.eq(response),
            self.s_axil_bresp.eq(response),
        ]
        writing = self.s_axil_awvalid & self.s_axil_wvalid
        with m.FSM(init="IDLE"):
            with m.State("IDLE"):
                with m.If(self.open & writing & (write_next | ~self.s_axil_arvalid)):
                    m.d.comb += [self.s_axil_awready.eq(1), self.s_axil_wready.eq(1)]
                    m.d.sync += [
                        self.write.eq(1),
                        self.address.eq(self.s_axil_awaddr[2:]),
                        self.data.eq(self.s_axil_wdata),
                        self.whole.eq(self.s_axil_wstrb.all() & (self.s_axil_awaddr[:2] == 0)),
                        write_next.eq(0),
                    ]
                    m.next = "ACCESS"
                with m.Elif(self.open & self.s_axil_arvalid):
                    m.d.comb += self.s_axil_arready.eq(1)
                    m.d.sync += [
                        self.write.eq(0),
                        self.address.eq(self.s_axil_araddr[2:]),
                        self.whole.eq(self.s_axil_araddr[:2] == 0),
                        write_next.eq(1),
                    ]
                    m.next = "ACCESS"
            with m.State("ACCESS"):
                m.d.comb += self.active.eq(1)
                m.d.sync += [
                    value.eq(Mux(self.okay & ~self.write, self.value, 0)),
                    response.eq(Mux(self.okay, OKAY, SLVERR)),
                ]
                with m.If(self.done):
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += [self.s_axil_bvalid.eq(self.write), self.s_axil_rvalid.eq(~self.write)]
                with m.If(Mux(self.write, self.s_axil_bready, self.s_axil_rready)):
                    m.next = "IDLE"
        return m
