"""What is proved of an overlay's lane, of its output of logits and of its registers.

Lane: for every word, neighbour, sum and control, in every cycle. The operand is the word, its
negative (less one, which its carry makes good), zero where it is rectified, or the neighbour's; the
sum grows by it, halved before if asked, and what a halving loses is what `falls` shows; a capture
is the sum, saturated as its mode says, two cycles later. Assumed is what the array and `Issue` see
to: of the memory's banks one speaks at a time, none while a neighbour is asked, and what a mode
makes of `blank` comes with it.

Logits: none is lost, none comes after a reset that was on its way before, none changes
while it waits. Assumed: outputs come only while there
is `room`, one cycle later, as `Issue` has them.
"""

from collections.abc import Mapping

from amaranth.hdl import Array, Cat, Const, Mux, Signal, Value, signed
from amaranth.lib.wiring import In

from hw import axi_lite
from hw.overlay.hardware import Overlay
from hw.overlay.isa import Mode
from hw.overlay.registers import ADDRESS_BITS, IDENTITY, Register
from hw.overlay.rtl.lane import Lane
from hw.overlay.rtl.output import Output
from hw.overlay.rtl.registers import Registers
from hw.verilog import ecp5_cells
from sim.formal.bench import Bench, implies
from sim.formal.loaders import answers
from sim.formal.spec import same


def lane(bits: int, total_bits: int, banks: int, fabric: str) -> Bench:
    """A lane of pixels of `bits` bits, sums of `total_bits`."""
    dut = Lane(bits, total_bits, banks, fabric)
    bench = Bench(dut, library=_cells() if fabric == "ecp5" else {})
    for name, member in dut.signature.members.items():
        if member.flow is In:
            port = Value.cast(getattr(dut, name))
            bench.module.d.comb += port.eq(bench.free(name, len(port)))
    value = bench.named("operand_value", dut.value[:-1].as_signed(), signed(bits))
    carry = bench.named("operand_carry", dut.value[-1])
    _operand(bench, banks, value, carry)
    total = _accumulator(bench, total_bits, value, carry)
    _capture(bench, bits, total)
    return bench


def _cells() -> Mapping[str, str]:
    """Yosys' models of the cells, their timing left out."""
    text = ecp5_cells.models()[ecp5_cells.CELLS]
    return {ecp5_cells.CELLS: text}


def _operand(bench: Bench, banks: int, value: Value, carry: Value) -> None:
    dut, m = bench.dut, bench.module
    told = dut.operand
    words = [getattr(dut, f"word{n}") for n in range(banks)]
    speaks = [word.any() for word in words]
    if banks > 1:
        bench.assume("one_bank_speaks", ~(speaks[0] & speaks[1]))
    word = words[0]
    for other in words[1:]:
        word = Mux(other.any(), other, word)
    silent = ~Cat(speaks).any() & (told.flip == 0) & ~told.carry
    bench.assume("silent_while_neighbour_is_asked", implies(told.shift, silent))
    bench.assume("rectified_while_read", implies(told.rectify, told.move & ~told.shift))
    width = len(dut.value)
    expected = bench.register("expected_operand", width, kept=True)
    sides = Array([dut.left, dut.right, dut.above, dut.below])
    drop = told.rectify & (word.as_signed() < 0)
    read = Mux(drop, 0, Cat(word ^ told.flip, told.carry))
    with m.If(told.move):
        m.d.sync += expected.eq(Mux(told.shift, sides[Value.cast(told.direction)], read))
    bench.rule("right_operand", dut.value == expected)
    negated = bench.register("negated", 1)
    minus = bench.register("minus_word", signed(len(word) + 1))
    m.d.sync += [
        negated.eq(told.move & ~told.shift & told.flip.all() & told.carry & ~drop),
        minus.eq(-word.as_signed()),
    ]
    bench.rule("negative_is_exact", implies(negated, value + carry == minus))
    bench.cover("rectified", told.move & drop)
    bench.cover("most_negative", negated & (minus == 1 << (len(word) - 1)))


def _accumulator(bench: Bench, bits: int, value: Value, carry: Value) -> Signal:
    dut, m = bench.dut, bench.module
    told = dut.accumulate
    total = bench.probe("accumulator.total", signed(bits))
    expected = bench.register("expected_total", signed(bits), kept=True)
    empties = told.clear | (told.clear_negative & (expected < 0))
    with m.If(told.add):
        m.d.sync += expected.eq(Mux(told.whole, expected, expected >> 1) + value + carry)
    with m.If(empties):
        m.d.sync += expected.eq(0)
    bench.rule("right_sum", total == expected)
    # The same, said without a shift: twice the new sum and what fell off are the old one.
    halved, fell = bench.register("halved", 1), bench.register("fell", 1)
    before, added = bench.register("before", signed(bits)), bench.register("added", signed(bits))
    m.d.sync += [
        halved.eq(told.add & ~told.whole & ~empties),
        fell.eq(dut.falls),
        before.eq(expected),
        added.eq(value + carry),
    ]
    bench.rule(
        "nothing_else_falls", implies(halved, same(2 * (total - added) + fell, before, bits))
    )
    bench.cover("negative_sum_halved", halved & (before < 0) & fell)
    return total


def _capture(bench: Bench, bits: int, total: Value) -> None:
    dut, m = bench.dut, bench.module
    mode = Value.cast(dut.accumulate.mode)
    bench.assume("raw_is_unlimited", dut.unlimited == (dut.blank | (mode == Mode.RAW)))
    bench.assume("sign_of_mode", dut.no_sign == (dut.blank | mode[0]))
    half = 1 << (bits - 2)
    bounds = {
        Mode.SIGNED: (-half, half - 1),
        Mode.UNSIGNED: (0, 2 * half - 1),
        Mode.WIDE: (-2 * half, 2 * half - 1),
    }
    saturated = {
        kind: Mux(total < low, low, Mux(total > high, high, total))
        for kind, (low, high) in bounds.items()
    }
    raw = Cat(total[: bits - 1], Const(0, 1))
    pixels = Array(
        [Value.cast(saturated[kind])[:bits] if kind in saturated else raw for kind in Mode]
    )
    first = bench.register("expected_capture", bits, kept=True)
    second = bench.register("expected_pixel", bits, kept=True)
    known = bench.register("known", 2)
    m.d.sync += [
        first.eq(Mux(dut.blank, 0, pixels[mode])),
        second.eq(Mux(dut.outside, 0, first ^ dut.flip)),
        known.eq(Cat(1, known[0])),
    ]
    bench.rule("right_pixel", implies(known[1], dut.pixel == second))
    bench.cover("saturated_above", (mode == Mode.SIGNED) & (total > half) & ~dut.blank)
    bench.cover("saturated_below", (mode == Mode.UNSIGNED) & (total < 0) & ~dut.blank)


def logits(bits: int) -> Bench:
    """What puts logits of `bits` bits together, and holds one until it is taken."""
    overlay = Overlay(
        rows=2, columns=2, acc_bits=12, words=16, program_words=64, logit_bits=bits,
        fabric="generic",
    )  # fmt: skip
    bench = Bench(Output(overlay))
    dut, m = bench.dut, bench.module
    for name in ("run", "i", "falls"):
        port = Value.cast(getattr(dut, name))
        m.d.comb += port.eq(bench.free(name, len(port)))
    o = bench.sink("o")
    out = dut.i.out
    had_room = bench.register("had_room", 1)
    m.d.sync += had_room.eq(dut.room)
    bench.assume("out_after_room", implies(out, had_room))
    # Outputs on their way, the last cycle's first, and the one that waits to be taken.
    stages = Output.LATENCY - 1
    under_way = bench.register("outs_under_way", stages)
    m.d.sync += under_way.eq(Cat(out, under_way[:-1]))
    waits = bench.register("waits", 1)
    m.d.sync += waits.eq(under_way[-1] | (waits & ~o.transfer))
    bench.rule("never_full", implies(under_way[-1], ~waits))
    bench.rule("there_in_its_turn", o.valid == waits)
    bench.lemma("come_as_counted", bench.probe("under_way", stages) == under_way)
    count = out + waits
    for stage in range(stages):
        count = count + under_way[stage]
    bench.lemma("one_at_a_time", count <= 1)
    bench.lemma("none_where_there_was_room", implies(had_room, ~(under_way.any() | waits)))
    bench.cover("waits", o.valid & ~o.ready)
    return bench


def registers() -> Bench:
    """The port of an overlay's registers: every access is answered once, and as it must be."""
    overlay = Overlay(rows=2, columns=2, acc_bits=12, words=16, program_words=64, fabric="generic")
    bench = Bench(Registers(overlay))
    dut, m = bench.dut, bench.module
    for name, member in dut.signature.members.items():
        if member.flow is In:
            port = Value.cast(getattr(dut, name))
            own = str({"s_axil_bready": "b_ready", "s_axil_rready": "r_ready"}.get(name, name))
            m.d.comb += port.eq(bench.free(own, len(port)))
    b = answers(bench, "b", Cat(dut.s_axil_bresp))
    r = answers(bench, "r", Cat(dut.s_axil_rresp, dut.s_axil_rdata))
    written = bench.named("written", dut.s_axil_awvalid & dut.s_axil_awready)
    asked = bench.named("asked", dut.s_axil_arvalid & dut.s_axil_arready)
    bench.rule("address_with_data", dut.s_axil_awready == dut.s_axil_wready)
    bench.rule("one_at_a_time", ~(written & asked))
    # Accesses that are not answered yet, by kind, and where they are.
    owes_b, owes_r = bench.register("owes_b", 1), bench.register("owes_r", 1)
    m.d.sync += [
        owes_b.eq(written | (owes_b & ~b.transfer)),
        owes_r.eq(asked | (owes_r & ~r.transfer)),
    ]
    bench.rule("no_answer_unasked", implies(b.valid, owes_b) & implies(r.valid, owes_r))
    bench.rule("none_while_one_is_owed", implies(owes_b | owes_r, ~written & ~asked))
    age = bench.register("age", 2)
    with m.If(written | asked):
        m.d.sync += age.eq(1)
    with m.Elif(age == 1):
        m.d.sync += age.eq(2)
    with m.Elif(b.transfer | r.transfer):
        m.d.sync += age.eq(0)
    bench.rule("answered_in_two_cycles", implies(age == 2, b.valid | r.valid))
    bench.lemma("owed_is_under_way", (owes_b | owes_r) == (age != 0))
    bench.lemma("age_in_range", age <= 2)
    bench.lemma("owes_one", ~(owes_b & owes_r))
    bench.lemma("active_at_first", bench.probe("port.active", 1) == (age == 1))
    bench.lemma("then_answered", (b.valid | r.valid) == (age == 2))
    bench.lemma("knows_kind", implies(age == 1, bench.probe("port.write", 1) == owes_b))
    # What is answered.
    at, whole, data = (
        bench.register("at", ADDRESS_BITS),
        bench.register("is_whole", 1),
        bench.register("data", 32),
    )
    with m.If(written):
        m.d.sync += [
            at.eq(dut.s_axil_awaddr[2:]),
            whole.eq(dut.s_axil_wstrb.all() & (dut.s_axil_awaddr[:2] == 0)),
            data.eq(dut.s_axil_wdata),
        ]
    with m.If(asked):
        m.d.sync += [at.eq(dut.s_axil_araddr[2:]), whole.eq(dut.s_axil_araddr[:2] == 0)]
    okay = whole & Mux(owes_b, at == Register.CONTROL, at < len(Register))
    expected = Mux(okay, axi_lite.OKAY, axi_lite.SLVERR)
    bench.rule("right_b_response", implies(b.valid, dut.s_axil_bresp == expected))
    bench.rule("right_r_response", implies(r.valid, dut.s_axil_rresp == expected))
    identity = r.valid & whole & (at == Register.IDENTITY)
    bench.rule("identity", implies(identity, dut.s_axil_rdata == IDENTITY))
    control = bench.register("control", 2)
    with m.If(owes_b & (age == 1) & okay):
        m.d.sync += control.eq(data[:2])
    bench.rule("control_is_as_written", Cat(dut.reset, dut.flush) == control)
    for name, path, mine in (
        ("address", "port.address", at), ("whole", "port.whole", whole),
    ):  # fmt: skip
        bench.lemma(f"knows_{name}", implies(age != 0, bench.probe(path, len(mine)) == mine))
    bench.lemma("knows_data", implies(owes_b, bench.probe("port.data", 32) == data))
    bench.cover("refused", b.transfer & (dut.s_axil_bresp == axi_lite.SLVERR))
    bench.cover("reset_asked", dut.reset)
    return bench
