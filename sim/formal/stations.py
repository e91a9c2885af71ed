"""What is proved of a layer's end of the bus: hw.dataflow.loading.bus.Station with its memories.

Every access to an address of the layer is answered once, a cycle later, any other never, and then
the answer is zero. A word written in its parts, lowest first, is what the memory holds, what is
read back part by part, and what the layer reads; nothing but that changes a word.

Assumed of the bus: the address is held in the cycle after the strobe, and an access comes only
while the memories are the loader's, as hw.dataflow.loading.axi.Loader sees to (sim.formal.loaders).
Stated of one arbitrary word of each memory, so of all. No reset touches any of it.
"""

# The stubs of amaranth know no integer attributes of a memory.
# pyright: reportArgumentType=false, reportCallIssue=false

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.dataflow.loading.bus import DATA_BITS, Bus, Region, Station
from hw.dataflow.loading.memory import address, attach, enable
from sim.formal.bench import Bench, implies


class Layer(wiring.Component):
    """A station and its memories, each read by a layer that may do as it likes.

    Members
    -------
    bus: towards the loader
    <name>_own, <name>_wants, <name>_value: of a memory: the layer's address, when it looks, what it
        sees one cycle later; <name>: of a register, its value
    """

    def __init__(self, regions: Sequence[Region], registers: Sequence[str], *, address_bits: int):
        self.memories = [one for one in regions if one.name not in registers]
        self.station = Station(regions, dict.fromkeys(registers, 1), address_bits=address_bits)
        members = {
            one.name: Out(one.bits) for one in regions if one.name in registers
        }  # fmt: skip
        for one in self.memories:
            members |= {
                f"{one.name}_own": In(range(one.words)),
                f"{one.name}_wants": In(1),
                f"{one.name}_value": Out(one.bits),
            }
        self.registers = tuple(registers)
        super().__init__({"bus": In(Bus(address_bits)), **members})

    def elaborate(self, platform):
        m = Module()
        m.submodules.station = self.station
        wiring.connect(m, wiring.flipped(self.bus), self.station.bus)
        for name in self.registers:
            m.d.comb += getattr(self, name).eq(getattr(self.station, name))
        for one in self.memories:
            rows = Memory(shape=one.bits, depth=one.words, init=[], attrs={"no_rw_check": 1})
            m.submodules[one.name] = rows
            port, access = rows.read_port(), getattr(self.station, one.name)
            attach(m, rows, port, access)
            m.d.comb += [
                port.addr.eq(address(access, getattr(self, f"{one.name}_own"))),
                port.en.eq(enable(access, getattr(self, f"{one.name}_wants"))),
                getattr(self, f"{one.name}_value").eq(port.data),
            ]
        return m


def lanes_of(bits: int) -> int:
    """Accesses that a word of so many bits takes."""
    return -(-bits // DATA_BITS)


def stride_bits(bits: int) -> int:
    """Bits of an address that name the part of a word: as many as its accesses need."""
    return next(e for e in range(32) if 1 << e >= lanes_of(bits))


def place_of(at: Value, base: int, words: int, bits: int) -> tuple[Value, Value, Value]:
    """Whether the address is one of the memory at `base`; of which word; of which part."""
    beyond, below = (at - base)[: len(at)], stride_bits(bits)
    index, lane = beyond >> below, beyond[:below]
    hit = (at >= base) & (index < words) & (lane < lanes_of(bits))
    return hit, index, lane


def station(regions: Sequence[Region], registers: Sequence[str], address_bits: int) -> Bench:
    """A station with these regions."""
    dut = Layer(regions, registers, address_bits=address_bits)
    bench, bus = Bench(dut), dut.bus
    m = bench.module
    at = bench.free("address", address_bits)
    strobe, write, halt = (bench.free(name, 1) for name in ("strobe", "write", "halt"))
    wanted = bench.free("data", DATA_BITS)
    m.d.comb += [
        bus.strobe.eq(strobe), bus.write.eq(write), bus.halt.eq(halt), bus.address.eq(at),
        bus.data.eq(wanted),
    ]  # fmt: skip
    last = Signal(address_bits, reset_less=True)
    struck = bench.register("struck", 1, kept=True)
    m.d.sync += [struck.eq(strobe), last.eq(at)]
    bench.assume("address_held", implies(struck, at == last))
    bench.assume("memories_open", implies(strobe, halt))

    places = [place_of(at, one.base, one.words, one.bits) for one in regions]
    hit = bench.named("hit", Cat(place[0] for place in places).any())
    answered = bench.register("answered", 1, kept=True)
    m.d.sync += answered.eq(strobe & hit)
    done, value = bench.named("done", bus.done), bench.named("value", bus.value)
    bench.rule("answered_once_in_a_cycle", done == answered)
    bench.rule("silent_otherwise", implies(~done, value == 0))
    for one, (here, index, lane) in zip(regions, places, strict=True):
        begins = bench.named(f"{one.name}_begins", strobe & here)
        access = Access(strobe & write & hit, begins, index, lane, struck, last)
        _word(bench, one, one.name in registers, access)
    return bench


@dataclass(frozen=True)
class Access:
    """The access of this cycle, seen from a region.

    Attributes
    ----------
    writes: something of the layer is written
    begins: an access to the region begins, to the part `lane` of word `index`
    struck, last: an access began in the last cycle; the address of the last cycle
    """

    writes: Value
    begins: Value
    index: Value
    lane: Value
    struck: Value
    last: Value


def _word(bench: Bench, region: Region, is_register: bool, access: Access) -> None:
    """What is proved of one arbitrary word of a region."""
    m, bus, name = bench.module, bench.dut.bus, region.name
    lanes = lanes_of(region.bits)
    number = bench.fixed(f"{name}_number", range(max(region.words, 2)))
    bench.assume(f"{name}_number_exists", number < region.words)
    lane = access.lane
    mine = bench.named(f"{name}_mine", access.begins & (access.index == number))

    # Parts written in order, and nothing else written to this layer in between.
    widest = max(lanes_of(one.bits) for one in bench.dut.station.regions)
    got = bench.register(f"{name}_parts_there", range(lanes + 1), kept=True)
    parts = [
        bench.register(f"{name}_part{n}", DATA_BITS, kept=True) for n in range(lanes - 1)
    ]  # fmt: skip
    word = bench.register(f"{name}_word", region.bits, kept=True)
    known = bench.register(f"{name}_known", 1, kept=True)
    final = mine & bus.write & (lane == lanes - 1)
    with m.If(access.writes):
        m.d.sync += got.eq(0)
        with m.If(mine & ((lane == got) | (lane == 0)) & (lane != lanes - 1)):
            m.d.sync += got.eq(lane + 1)
    for n, part in enumerate(parts):
        with m.If(mine & bus.write & (lane == n)):
            m.d.sync += part.eq(bus.data)
    with m.If(final):
        m.d.sync += [known.eq(got == lanes - 1), word.eq(Cat(*parts, bus.data))]

    if is_register:
        held = bench.probe(f"station.{name}_register", region.bits)
    else:
        held = bench.memory(name, region.bits, region.words)[number]
    before = Signal(region.bits, name=f"{name}_before", reset_less=True)
    stored = bench.register(f"{name}_stored", 1, kept=True)
    started = bench.register(f"{name}_started", 1, kept=True)
    m.d.sync += [before.eq(held), stored.eq(final), started.eq(1)]
    bench.rule(f"{name}_holds_what_was_written", implies(known, held == word))
    bench.rule(f"{name}_else_unchanged", implies(started & ~stored, held == before))

    # Reading back, and reading by the layer.
    asked = bench.register(f"{name}_asked", 1, kept=True)
    which = bench.register(f"{name}_asked_part", range(max(lanes, 2)), kept=True)
    m.d.sync += [asked.eq(mine & ~bus.write), which.eq(lane)]
    whole = Cat(word, *[0] * (DATA_BITS * lanes - region.bits))
    bench.rule(
        f"{name}_read_back",
        implies(asked & known, bus.value == whole.word_select(which, DATA_BITS)),
    )
    _, _, part_before = place_of(access.last, region.base, region.words, region.bits)
    bench.lemma(f"{name}_asked_with_strobe", implies(asked, access.struck & (which == part_before)))
    chosen = bench.register(f"{name}_was_begun", 1, kept=True)
    m.d.sync += chosen.eq(access.begins)
    bench.lemma(f"{name}_chosen", bench.probe(f"station.{name}_chosen", 1) == chosen)
    if not is_register:
        _layer_reads(bench, region, number, held, asked)
    if lanes > 1:
        held_parts = bench.probe("station.parts", DATA_BITS * (widest - 1))
        for n, part in enumerate(parts):
            bench.lemma(
                f"{name}_part_{n}_waits",
                implies(got > n, held_parts.word_select(n, DATA_BITS) == part),
            )
        bench.lemma(f"{name}_parts_counted", got < lanes)
    bench.cover(f"{name}_written_and_read", asked & known)


def _layer_reads(bench: Bench, region: Region, number: Value, held: Value, asked: Value) -> None:
    """What the port shows a cycle after the layer, or the loader, looked at the word."""
    m, dut, name = bench.module, bench.dut, region.name
    own = bench.free(f"{name}_own", range(region.words))
    wants = bench.free(f"{name}_wants", 1)
    m.d.comb += [
        getattr(dut, f"{name}_own").eq(own),
        getattr(dut, f"{name}_wants").eq(wants),
    ]
    looked = bench.register(f"{name}_looked", 1, kept=True)
    seen = Signal(region.bits, name=f"{name}_seen", reset_less=True)
    m.d.sync += [looked.eq(~dut.bus.halt & wants & (own == number)), seen.eq(held)]
    shown = getattr(dut, f"{name}_value")
    bench.rule(f"{name}_layer_reads_it", implies(looked, shown == seen))
    bench.lemma(f"{name}_loader_reads_it", implies(asked, shown == held))
