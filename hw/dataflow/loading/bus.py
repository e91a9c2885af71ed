"""The bus between the AXI4-Lite port and the loadable memories of the layers.

One access at a time. The loader holds address and data from the strobe until an answer comes, or
none: then the address belongs to nobody. A hop registers requests on their way out and answers on
their way back; behind it the requests go to all layers of one cell, and their answers, zero but for
the layer that is meant, are ORed.

    loader ⇄ hop ⇄ hop ⇄ hop
              ⇅     ⇅     ⇅
            stem  cell0  cell1 …

No register here has a reset: halting resets the network, which must not touch an access on its way;
and weights stay what they are when the device is reset.
"""

# By the stubs of amaranth a Component has no `elaborate`, a flipped interface is none.
# pyright: reportArgumentType=false

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.dataflow.loading.memory import Access

DATA_BITS = 32
"""Bits that an access moves, those of AXI4-Lite."""


@dataclass(frozen=True)
class Region:
    """Where a memory, or a register, lies on the bus.

    Parameters
    ----------
    name: of the memory in its layer
    base: address of its first word, in units of 32 bits; a multiple of `size`
    words, bits: of the memory
    """

    name: str
    base: int
    words: int
    bits: int

    @property
    def lanes(self) -> int:
        """Accesses that a word takes, lowest bits first; the last one of a write stores it."""
        return -(-self.bits // DATA_BITS)

    @property
    def stride(self) -> int:
        """Addresses from a word to the next one."""
        return 1 << (self.lanes - 1).bit_length()

    @property
    def size(self) -> int:
        """Addresses that belong to the region, a power of two."""
        return 1 << (self.words * self.stride - 1).bit_length()


class Bus(wiring.Signature):
    """Requests towards the memories, answers back.

    Members
    -------
    halt: the network is in reset, the memories are the loader's
    strobe: an access begins, for one cycle
    write, address, data: of the access, held until the next one
    done: one cycle: the access is done
    value: what was read, in the cycle of `done`
    """

    def __init__(self, address_bits: int):
        self.address_bits = address_bits
        super().__init__(
            {
                "halt": Out(1),
                "strobe": Out(1),
                "write": Out(1),
                "address": Out(address_bits),
                "data": Out(DATA_BITS),
                "done": In(1),
                "value": In(DATA_BITS),
            }
        )


REQUEST = ("halt", "strobe", "write", "address", "data")


class Hop(wiring.Component):
    """Registers between the loader, or the hop before, and one cell's layers.

    Members
    -------
    i: towards the loader; o: towards the next hop; local: towards the cell

    Latency: one cycle out, one cycle back.
    """

    def __init__(self, address_bits: int):
        bus = Bus(address_bits)
        super().__init__({"i": In(bus), "o": Out(bus), "local": Out(bus)})

    def elaborate(self, platform):
        m = Module()
        for name in REQUEST:
            member = getattr(self.i, name)
            held = Signal.like(member, name=f"{name}_held", reset_less=True)
            m.d.sync += held.eq(member)
            m.d.comb += [getattr(self.o, name).eq(held), getattr(self.local, name).eq(held)]
        for name in ("done", "value"):
            local, beyond = getattr(self.local, name), getattr(self.o, name)
            held = Signal.like(local, name=f"{name}_held", reset_less=True)
            m.d.sync += held.eq(local | beyond)
            m.d.comb += getattr(self.i, name).eq(held)
        return m


def share(m: Module, bus: wiring.PureInterface, ends: Sequence[wiring.PureInterface]) -> None:
    """Requests of `bus` to all `ends`, their answers ORed. Combinational."""
    for end in ends:
        m.d.comb += [getattr(end, name).eq(getattr(bus, name)) for name in REQUEST]
    for name in ("done", "value"):
        answer = Const(0)
        for end in ends:
            answer = answer | getattr(end, name)
        m.d.comb += getattr(bus, name).eq(answer)


class Station(wiring.Component):
    """A layer's end of the bus: decodes addresses, puts wide words together.

    A word of more than 32 bits is written lowest part first; the parts wait here until the last one
    stores them all.

    Parameters
    ----------
    regions: of the layer's memories and registers
    registers: name -> initial value, for the regions of one word that are registers of the station
    address_bits: of the bus

    Members
    -------
    bus: towards the loader
    <name>: `Access` of a memory, or the value of a register

    Latency: `done` one cycle after `strobe`.
    """

    def __init__(
        self, regions: Sequence[Region], registers: Mapping[str, int], *, address_bits: int
    ):
        self.regions, self.registers = tuple(regions), dict(registers)
        members = {
            region.name: Out(
                region.bits if region.name in registers else Access(region.words, region.bits)
            )
            for region in regions
        }
        super().__init__({"bus": In(Bus(address_bits)), **members})

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        widest = max(region.lanes for region in self.regions)
        parts = Signal(DATA_BITS * (widest - 1), reset_less=True)
        done = Signal(reset_less=True)
        hits, answers = [], []
        for region in self.regions:
            lane, hit, chosen = self._decode(m, region)
            hits.append(hit)
            end = getattr(self, region.name)
            word = Cat(parts[: DATA_BITS * (region.lanes - 1)], bus.data)
            store = Signal(name=f"{region.name}_store")
            m.d.comb += store.eq(hit & bus.write & (lane == region.lanes - 1))
            with m.If(hit & bus.write):
                for part in range(region.lanes - 1):
                    with m.If(lane == part):
                        m.d.sync += parts.word_select(part, DATA_BITS).eq(bus.data)
            if region.name in self.registers:
                held = Signal(
                    region.bits,
                    name=f"{region.name}_register",
                    init=self.registers[region.name],
                    reset_less=True,
                )
                with m.If(store):
                    m.d.sync += held.eq(word)
                m.d.comb += end.eq(held)
                value = held
            else:
                first = (region.stride - 1).bit_length()
                m.d.comb += [
                    end.halt.eq(bus.halt),
                    end.address.eq(bus.address[first:]),
                    end.data.eq(word),
                    end.write.eq(store),
                ]
                value = end.value
            if region.lanes > 1:
                value = value.word_select(lane, DATA_BITS)
            answers.append(Mux(chosen, value, 0))
        m.d.sync += done.eq(Cat(hits).any())
        answer = answers[0]
        for one in answers[1:]:
            answer = answer | one
        m.d.comb += [bus.done.eq(done), bus.value.eq(answer)]
        return m

    def _decode(self, m: Module, region: Region) -> tuple[Value, Signal, Signal]:
        """Part of the word addressed; whether an access begins here; the same a cycle later."""
        address, bits = self.bus.address, (region.size - 1).bit_length()
        first = (region.stride - 1).bit_length()
        lane, index = address[:first], address[first:bits]
        here = address[bits:] == region.base >> bits
        if region.words * region.stride < region.size:
            here = here & (index < region.words)
        if region.lanes < region.stride:
            here = here & (lane < region.lanes)
        hit = Signal(name=f"{region.name}_hit")
        chosen = Signal(name=f"{region.name}_chosen", reset_less=True)
        m.d.comb += hit.eq(self.bus.strobe & here)
        m.d.sync += chosen.eq(hit)
        return lane, hit, chosen
