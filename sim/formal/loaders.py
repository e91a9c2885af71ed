"""What is proved of the AXI4-Lite port of hw.dataflow.loading.axi, hops and stations behind it.

Every access accepted is answered once, after a number of cycles that its address tells, with the
response that it must have; writes and reads take turns. Memories are reached only while the network
is halted; a word changes only by a write that is answered with OKAY, and reads back as it was
written. The memories are the loader's only while the network is in reset.

Nothing is assumed of the two sides. Hops, stations and memories know no reset: an access on its way
when the device is reset still ends, and its answer is not taken for that of another.
"""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.axi_lite import OKAY, SLVERR, signature
from hw.dataflow.loading.axi import (
    HALT,
    IDENTITY,
    VERSION,
    Loader,
    Register,
)
from hw.dataflow.loading.bus import DATA_BITS, Hop, Region
from sim.formal.bench import Bench, Port, implies
from sim.formal.rules import follows
from sim.formal.stations import Layer, place_of

ADDRESS_BITS, CONTROLS, HOPS = 5, 16, 2
MAP_DIGEST, NETWORK_DIGEST = 0x0123456789ABCDEF, 0xFEDCBA9876543210

NEAR = (Region("steps", 16, 3, 8),)
FAR = (Region("program", 20, 2, 40), Region("last_word", 24, 1, 2))
"""Regions behind the first and the second hop."""

LATE, IDLE, DECODE, ANSWER, WAIT = range(5)
"""States of the loader, in the order in which its source first names them."""


class LoadPort(wiring.Component):
    """The port with two hops and a layer behind each."""

    def __init__(self):
        self.loader = Loader(
            ADDRESS_BITS, controls=CONTROLS, hops=HOPS, map_digest=MAP_DIGEST,
            network_digest=NETWORK_DIGEST,
        )  # fmt: skip
        self.hops = [Hop(ADDRESS_BITS) for _ in range(HOPS)]
        self.layers = [
            Layer(NEAR, [], address_bits=ADDRESS_BITS),
            Layer(FAR, ["last_word"], address_bits=ADDRESS_BITS),
        ]
        super().__init__({**signature(ADDRESS_BITS), "busy": In(1), "reset": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.loader = loader = self.loader
        for name, member in signature(ADDRESS_BITS).items():
            own, inner = getattr(self, name), getattr(loader, name)
            m.d.comb += inner.eq(own) if member.flow is In else own.eq(inner)
        m.d.comb += [loader.busy.eq(self.busy), self.reset.eq(loader.reset)]
        before = loader.bus
        for number, (hop, layer) in enumerate(zip(self.hops, self.layers, strict=True), 1):
            m.submodules[f"hop{number}"] = hop
            m.submodules[f"layer{number}"] = layer
            wiring.connect(m, before, hop.i)
            wiring.connect(m, hop.local, layer.bus)
            before = hop.o
        return m


@dataclass(frozen=True)
class Access:
    """The access in progress.

    Attributes
    ----------
    age: cycles since it was accepted; 0: there is none
    write, address, data, whole: of it; the address in units of 32 bits, whole: all of a word
    due: its age when it is answered; response, value: what it is answered
    """

    age: Value
    write: Value
    address: Value
    data: Value
    whole: Value
    due: Value
    response: Value
    value: Value


def loader() -> Bench:
    """The port, two hops, two layers."""
    bench = Bench(LoadPort())
    m, dut = bench.module, bench.dut
    for name, member in signature(ADDRESS_BITS).items():
        if member.flow is In:
            own = {"s_axil_bready": "b_ready", "s_axil_rready": "r_ready"}.get(name, name)
            m.d.comb += getattr(dut, name).eq(bench.free(own, getattr(dut, name).shape()))
    m.d.comb += dut.busy.eq(bench.free("busy", 1))
    b = answers(bench, "b", Cat(dut.s_axil_bresp))
    r = answers(bench, "r", Cat(dut.s_axil_rresp, dut.s_axil_rdata))
    written = bench.named("written", dut.s_axil_awvalid & dut.s_axil_awready)
    asked = bench.named("asked", dut.s_axil_arvalid & dut.s_axil_arready)

    # From reset nothing is accepted for as long as an answer may be on its way.
    answer_cycles = 2 * HOPS + 3
    late = bench.register("late", range(answer_cycles + 2), init=answer_cycles + 1)
    with m.If(late != 0):
        m.d.sync += late.eq(late - 1)
    access = _access(bench, written, asked, b, r)
    writing = dut.s_axil_awvalid & dut.s_axil_wvalid
    writes_turn = bench.register("writes_turn", 1)
    with m.If(written | asked):
        m.d.sync += writes_turn.eq(asked)
    idle = (access.age == 0) & (late == 0)
    takes = idle & writing & (writes_turn | ~dut.s_axil_arvalid)
    bench.rule("write_taken_in_turn", dut.s_axil_awready == takes)
    bench.rule("address_with_data", dut.s_axil_awready == dut.s_axil_wready)
    bench.rule("read_taken_in_turn", dut.s_axil_arready == (idle & dut.s_axil_arvalid & ~takes))
    bench.lemma("turn", bench.probe("loader.write_next", 1) == writes_turn)
    _flight(bench, access, late)
    bench.cover("refused", b.transfer & (dut.s_axil_bresp == SLVERR))
    bench.cover("nobody_has_it", r.transfer & (access.age == 2 * HOPS + 6))
    return bench


def answers(bench: Bench, name: str, payload: Value) -> Port:
    """The rules of an answer's channel: held, stable, without waiting for the master."""
    dut = bench.dut
    valid = bench.named(f"{name}_valid", getattr(dut, f"s_axil_{name}valid"))
    ready = getattr(dut, f"s_axil_{name}ready")
    port = Port(valid, ready, payload, bench.named(f"{name}_transfer", valid & ready))
    held, stable = bench.holds(name, port)
    bench.rule(f"{name}_held", held)
    bench.rule(f"{name}_stable", stable)
    bench.outputs.append(name)
    return port


def _access(bench: Bench, written: Value, asked: Value, b: Port, r: Port) -> Access:
    """Model of the access in progress and of the registers, and the rules of its answer."""
    m, dut = bench.module, bench.dut
    longest = 2 * HOPS + 6
    age = bench.register("age", range(longest + 1))
    write, whole = bench.register("is_write", 1), bench.register("is_whole", 1)
    address, data = bench.register("at", ADDRESS_BITS), bench.register("written_data", DATA_BITS)
    with m.If(written):
        m.d.sync += [
            age.eq(1), write.eq(1), address.eq(dut.s_axil_awaddr[2:]), data.eq(dut.s_axil_wdata),
            whole.eq((dut.s_axil_wstrb == 0b1111) & (dut.s_axil_awaddr[:2] == 0)),
        ]  # fmt: skip
    with m.Elif(asked):
        m.d.sync += [
            age.eq(1), write.eq(0), address.eq(dut.s_axil_araddr[2:]),
            whole.eq(dut.s_axil_araddr[:2] == 0),
        ]  # fmt: skip

    # What a register shows, and whether it can be written.
    halt = bench.register("halt", 1)
    network = bench.register("network", 64, init=NETWORK_DIGEST, kept=True)
    halted = halt & dut.reset
    status = Cat(halted, dut.busy)
    shown = {
        Register.IDENTITY: Const(IDENTITY), Register.VERSION: Const(VERSION),
        Register.CONTROL: halt, Register.STATUS: status,
        Register.MAP: Const(MAP_DIGEST >> DATA_BITS),
        Register.MAP + 1: Const(MAP_DIGEST, 64)[:DATA_BITS],
        Register.NETWORK: network[DATA_BITS:], Register.NETWORK + 1: network[:DATA_BITS],
    }  # fmt: skip
    reads, content = Value.cast(0), Value.cast(0)
    for at, what in shown.items():
        here = address == int(at)
        reads, content = reads | here, Mux(here, what, content)
    writable = (address == int(Register.CONTROL)) | (
        halt & ((address == int(Register.NETWORK)) | (address == int(Register.NETWORK) + 1))
    )
    decides = bench.named("decides", age == 1)
    is_register = address < CONTROLS
    okay_register = whole & is_register & Mux(write, writable, reads)
    with m.If(decides & okay_register & write):
        with m.If(address == int(Register.CONTROL)):
            m.d.sync += halt.eq(data & HALT)
        with m.If(address == int(Register.NETWORK)):
            m.d.sync += network[DATA_BITS:].eq(data)
        with m.If(address == int(Register.NETWORK) + 1):
            m.d.sync += network[:DATA_BITS].eq(data)

    # A memory answers by the place of its hop; if nobody does, the time runs out.
    reaches = bench.named("reaches", decides & whole & ~is_register & halted)
    hops = [_hits(address, regions).any() for regions in (NEAR, FAR)]
    mapped = hops[0] | hops[1]
    memory_due = Mux(hops[0], 5, Mux(hops[1], 7, longest))
    due = bench.register("due", range(longest + 1))
    response, value = bench.register("response", 2), bench.register("answer", DATA_BITS)
    with m.If(decides):
        m.d.sync += [
            due.eq(Mux(reaches, memory_due, 2)),
            response.eq(Mux(okay_register | (reaches & mapped), OKAY, SLVERR)),
            value.eq(Mux(okay_register & ~write, content, 0)),
        ]
    ended = b.transfer | r.transfer
    with m.If(ended):
        m.d.sync += age.eq(0)
    with m.Elif((age == 1) | ((age != 0) & (age != due))):
        m.d.sync += age.eq(age + 1)

    answers = (age > 1) & (age == due)
    bench.rule("write_answered_once_in_time", b.valid == (answers & write))
    bench.rule("read_answered_once_in_time", r.valid == (answers & ~write))
    bench.rule("right_write_response", implies(b.valid, dut.s_axil_bresp == response))
    bench.rule("right_read_response", implies(r.valid, dut.s_axil_rresp == response))
    of_register = r.valid & (is_register | (response != OKAY))
    bench.rule("register_read", implies(of_register, dut.s_axil_rdata == value))
    strobe = bench.probe("loader.bus__strobe", 1)
    bench.rule("memory_reached_only_while_halted", strobe == reaches)
    follows(bench, "halting_resets", halt, dut.reset)
    bench.lemma("halt_register", bench.probe("loader.halt", 1) == halt)
    bench.lemma("network_register", bench.probe("loader.network", 64) == network)
    bench.lemma("due_in_range", implies(age > 1, (due >= 2) & (due <= longest) & (age <= due)))
    of_memory = ~is_register & (due == memory_due)
    bench.lemma("due_by_address", implies(age > 1, (due == 2) | of_memory))
    kinds = (response == OKAY) | (response == SLVERR)
    bench.lemma("response_is_one", implies(age > 1, kinds))
    bench.lemma("refused_value", implies((age > 1) & (response != OKAY), value == 0))
    bench.lemma("okay_of_memory", implies((age > 1) & (due > 2), (response == OKAY) == mapped))
    return Access(age, write, address, data, whole, due, response, value)


def _flight(bench: Bench, access: Access, late: Value) -> None:
    """An access on its way through the hops, and what holds of it there."""
    m, age = bench.module, access.age
    strobe = bench.probe("loader.bus__strobe", 1)
    back = 2 * HOPS + 1
    # Cycles since the strobe; a reset of the device does not touch it. 0: nothing on its way.
    since = bench.register("since", range(back + 1), kept=True)
    m.d.sync += since.eq(Mux(strobe, 1, Mux((since == 0) | (since == back), 0, since + 1)))
    sent = {
        name: bench.register(f"sent_{name}", shape, kept=True)
        for name, shape in (("write", 1), ("address", ADDRESS_BITS), ("data", DATA_BITS))
    }
    with m.If(strobe):
        m.d.sync += [sent[name].eq(getattr(access, name)) for name in sent]
    # It is the access in progress: no reset came since.
    own = bench.register("own", 1)
    with m.If(strobe | (age == 0)):
        m.d.sync += own.eq(strobe)
    _loader_lemmas(bench, access, late, since, sent, own)

    # The hops, out and back, and the stations.
    at = sent["address"]
    hits = [_hits(at, regions) for regions in (NEAR, FAR)]
    for j in range(1, HOPS + 1):
        out = {
            name: bench.probe(f"hop{j}.{name}_held", shape)
            for name, shape in (("write", 1), ("address", ADDRESS_BITS), ("data", DATA_BITS))
        }
        bench.lemma(f"hop{j}_strobe", bench.probe(f"hop{j}.strobe_held", 1) == (since == j))
        for name, wire in out.items():
            there = (since == j) & (sent["write"] if name == "data" else 1)
            bench.lemma(f"hop{j}_{name}", implies(there, wire == sent[name]))
        steady = own & (age > 1) & (since >= j)
        bench.lemma(f"hop{j}_keeps_address", implies(steady, out["address"] == at))
        open_here = bench.probe(f"hop{j}.halt_held", 1)
        bench.lemma(f"hop{j}_open", implies(since == j, open_here))
        returns = Cat(
            (since == k + 2 + (k - j)) & hits[k - 1].any() for k in range(j, HOPS + 1)
        ).any()
        done = bench.probe(f"hop{j}.done_held", 1)
        bench.lemma(f"hop{j}_done", done == returns)
        silent = bench.probe(f"hop{j}.value_held", DATA_BITS) == 0
        bench.lemma(f"hop{j}_silent", implies(~done, silent))
        station = f"layer{j}.station"
        bench.lemma(
            f"station{j}_done",
            bench.probe(f"{station}.done", 1) == ((since == j + 1) & hits[j - 1].any()),
        )
        for n, region in enumerate((NEAR, FAR)[j - 1]):
            chosen = bench.probe(f"{station}.{region.name}_chosen", 1)
            bench.lemma(f"{region.name}_chosen", chosen == ((since == j + 1) & hits[j - 1][n]))
    _open_in_reset(bench)
    _far_word(bench, access, since, sent, own)


def _hits(at: Value, regions: tuple[Region, ...]) -> Value:
    """A bit for each region: whether the address is one of it."""
    return Cat(place_of(at, one.base, one.words, one.bits)[0] for one in regions)


def _loader_lemmas(
    bench: Bench, access: Access, late: Value, since: Value, sent: dict[str, Signal], own: Value
) -> None:
    """What the loader's registers hold, and that nothing is on its way without an access."""
    age, due = access.age, access.due
    waits, answers = (age > 1) & (age != due), (age > 1) & (age == due)
    timer = bench.probe("loader.timer", range(2 * HOPS + 4))
    state = Mux(waits, WAIT, Mux(age == 1, DECODE, ANSWER))
    state = Mux(late != 0, LATE, Mux(age == 0, IDLE, state))
    bench.lemma("state", bench.probe("loader.fsm_state", range(5)) == state)
    bench.lemma("late_in_range", late <= 2 * HOPS + 4)
    bench.lemma("late_is_idle", implies(late != 0, age == 0))
    bench.lemma("timer_late", implies(late != 0, timer == late - 1))
    bench.lemma("timer_waits", implies(waits, timer == 2 * HOPS + 5 - age))
    for name, shape in (("write", 1), ("address", ADDRESS_BITS), ("data", DATA_BITS)):
        held = bench.probe(f"loader.bus__{name}", shape)
        kept = (age != 0) & (access.write if name == "data" else 1)
        bench.lemma(f"keeps_{name}", implies(kept, held == getattr(access, name)))
        its = sent[name] == getattr(access, name)
        bench.lemma(f"sent_{name}_is_its_own", implies(own & kept, its))
    bench.lemma("keeps_whole", implies(age != 0, bench.probe("loader.whole", 1) == access.whole))
    response, value = bench.probe("loader.response", 2), bench.probe("loader.value", DATA_BITS)
    bench.lemma("response_held", implies(answers, response == access.response))
    bench.lemma("value_held", implies(answers & (response != OKAY), value == 0))
    bench.lemma("value_of_register", implies(answers & (due == 2), value == access.value))
    bench.lemma("refused_until_done", implies(waits, (response == SLVERR) & (value == 0)))
    bench.lemma("own_if_sent", implies(age > 1, own == (due != 2)))
    bench.lemma("own_only_with_access", implies(own & (age <= 1), age == 0))
    back = 2 * HOPS + 1
    bench.lemma("since_in_range", since <= back)
    flies = Mux(age - 1 <= back, age - 1, 0)
    bench.lemma("since_by_age", implies(own & waits, since == flies))
    ends = (since == 0) | (since == back) | ((since == back - 1) & (due == 5))
    bench.lemma("answer_is_back", implies(answers, ends))
    bench.lemma("none_sent_before", implies(age == 1, since == 0))
    bench.lemma("none_sent_for_register", implies((age > 1) & (due == 2), since == 0))
    bench.lemma("idle_is_empty", implies((late == 0) & (age == 0), (since == 0) | (since == back)))
    bench.lemma("late_enough", implies((late != 0) & (since != 0), since + late >= 2 * HOPS + 5))


def _open_in_reset(bench: Bench) -> None:
    """The memories behind a hop are the loader's only while the network is in reset."""
    dut = bench.dut
    settle = bench.probe("loader.settle", range(HOPS + 2))
    for j in range(1, HOPS + 1):
        is_open = bench.probe(f"hop{j}.halt_held", 1)
        bench.rule(f"memories_{j}_open_in_reset", implies(is_open, dut.reset))
        bench.lemma(f"memories_{j}_settle", implies(is_open, settle >= HOPS + 2 - j))
    bench.cover("goes_on", ~dut.reset & (bench.probe("loader.value", 1) != 0))


def _far_word(
    bench: Bench, access: Access, since: Value, sent: dict[str, Signal], own: Value
) -> None:
    """One arbitrary word of the far memory: written in two parts, read back."""
    m, dut, age = bench.module, bench.dut, access.age
    region = FAR[0]
    number = bench.fixed("number", range(region.words))

    def place(at: Value) -> tuple[Value, Value]:
        hit, index, lane = place_of(at, region.base, region.words, region.bits)
        return hit & (index == number), lane

    reaches = bench.probe("loader.bus__strobe", 1)
    mine, lane = place(access.address)
    part, word = (bench.register(n, w, kept=True) for n, w in (("part", 32), ("word", 40)))
    got, known = (bench.register(n, 1, kept=True) for n in ("part_there", "word_known"))
    with m.If(reaches & access.write & _hits(access.address, FAR).any()):
        m.d.sync += got.eq(mine & (lane == 0))
        with m.If(mine & (lane == 0)):
            m.d.sync += part.eq(access.data)
        with m.If(mine & (lane == 1)):
            m.d.sync += [known.eq(got), word.eq(Cat(part, access.data))]

    row = bench.memory("layer2.program", region.bits, region.words)[number]
    parts = bench.probe("layer2.station.parts", 32)
    goes, sent_lane = place(sent["address"])
    outward = (since != 0) & (since <= HOPS) & sent["write"]
    other = outward & _hits(sent["address"], FAR).any()
    stores = outward & goes & (sent_lane == 1)
    bench.lemma("part_waits", implies(got & ~other, parts == part))
    first = outward & goes & (sent_lane == 0)
    bench.lemma("part_counted", implies(other, got == first))
    bench.lemma("part_on_its_way", implies(first, sent["data"] == part))
    whole = Cat(parts, sent["data"])[: region.bits]
    bench.lemma("word_on_its_way", implies(stores & known, word == whole))
    bench.rule("holds_what_was_written", implies(known & ~stores, row == word))
    before = Signal(region.bits, name="row_before", reset_less=True)
    started, stored = (bench.register(n, 1, kept=True) for n in ("started", "stored"))
    m.d.sync += [before.eq(row), started.eq(1), stored.eq(stores & (since == HOPS))]
    bench.rule("else_unchanged", implies(started & ~stored, row == before))

    reads = own & (age > 1) & ~access.write & mine & known
    share = Cat(word, Const(0, 24)).word_select(lane, DATA_BITS)
    looked = bench.probe("layer2.program_value", region.bits)
    bench.lemma("looked_up", implies(reads & (since == 3), looked == word))
    for j, when in ((2, 4), (1, 5)):
        value = bench.probe(f"hop{j}.value_held", DATA_BITS)
        bench.lemma(f"hop{j}_brings_it", implies(reads & (since == when), value == share))
    read = dut.s_axil_rvalid & (dut.s_axil_rresp == OKAY) & mine
    bench.rule("reads_back", implies(read & known, dut.s_axil_rdata == share))
    bench.cover("word_is_read", read & (lane == 1))
    bench.cover("word_written", known & (since == 0))
