"""What is proved of the processing elements of hw.dataflow.layers.elements.

Every element: each group of taps gives one result, in order, offered the cycle after the group's
last tap; no result is lost, repeated or changed while it waits; taps are refused only while a
result that is not taken stands in the way. Nothing is assumed of the two sides' handshakes.

The result is that of docs/numerics.md for every sequence of taps of any length. Sums are compared
modulo 2**width, so that no bound on the number of taps is needed: a sum that the accumulator can
hold is thereby the exact one.
"""

from collections.abc import Sequence

from amaranth.hdl import Array, Cat, Mux, Shape, Signal, Value, signed
from amaranth.lib import data

from hw.dataflow.design.program import HORNER_LANE, BarrelCode
from hw.dataflow.layers import elements
from sim.formal.bench import Bench, Port, implies
from sim.formal.spec import Term, same, scaled


def _groups(bench: Bench) -> tuple[Port, Port, Value]:
    """The two streams of an element, and whether a group ends in this cycle; its rules."""
    i, o = bench.source("i"), bench.sink("o")
    owed = bench.register("owed", 1)
    close = bench.named("close", i.transfer & i.payload.last)
    bench.module.d.sync += owed.eq(close | (owed & ~o.transfer))
    bench.rule("one_result_a_group", o.valid == owed)
    bench.rule("no_result_lost", implies(close & owed, o.transfer))
    bench.rule("takes_when_it_can", implies(~i.payload.last | ~owed | o.ready, i.ready))
    bench.cover("result_waits", owed & ~o.transfer)
    bench.cover("group_closes_as_result_leaves", close & o.transfer)
    return i, o, close


def _sum(
    bench: Bench, name: str, i: Port, close: Value, addend: Value, width: int
) -> tuple[Signal, Signal]:
    """Model of a sum modulo 2**width: so far in this group, and of the last group that ended."""
    so_far = bench.register(name, signed(width))
    of_group = bench.register(f"{name}_expected", signed(width))
    with bench.module.If(i.transfer):
        bench.module.d.sync += so_far.eq(Mux(close, 0, so_far + addend))
    with bench.module.If(close):
        bench.module.d.sync += of_group.eq(so_far + addend)
    return so_far, of_group


def barrel(x: Shape, shifts: tuple[int, int], pe: int, width: int, *, sparse: bool) -> Bench:
    """Barrel shifter elements with `pe` lanes: acc = sum of sign·floor(x·2**shift).

    Assumed: the operation is one that BarrelCode.bits makes of weights in the range `shifts`, or,
    with `sparse`, of none.
    """
    code = BarrelCode(shifts, pe, sparse)
    bench = Bench(elements.Barrel(x, code, width=width))
    i, o, close = _groups(bench)
    weights = [Term(s, p) for s in (1, -1) for p in range(shifts[0], shifts[1] + 1)]
    for k in range(pe):
        chosen = bench.free(f"lane{k}_weight", range(len(weights) + sparse))
        bench.assume(f"lane{k}_weight_exists", chosen < len(weights) + sparse)
        codes = [code.bits(*weight) for weight in weights]
        terms = [scaled(i.payload.x, weight) for weight in weights]
        if sparse:
            codes, terms = [*codes, 0], [*terms, Value.cast(0)]
        operation = i.payload.operation.word_select(k, code.lane.size)
        bench.assume(f"lane{k}_encoded", operation == Array(codes)[chosen])
        so_far, expected = _sum(bench, f"sum{k}", i, close, Array(terms)[chosen], width)
        bench.rule(f"lane{k}_right", implies(o.valid, o.payload.acc[k] == expected))
        bench.lemma(f"lane{k}_accumulates", bench.probe(f"acc{k}", signed(width)) == so_far)
        bench.cover(f"lane{k}_negative_sum", o.transfer & (o.payload.acc[k] < 0))
        bench.cover(f"lane{k}_several_taps", close & (so_far > 1))
    return bench


def horner(x: Shape, top: int, width: int) -> Bench:
    """The sorted Horner element: acc = sum of sign·(x << exponent), exponents 0 to `top`.

    Assumed: the taps of a group come by falling exponent, from any first one; one doubling leads
    from each exponent to the next; the group ends at exponent 0; a doubling has no sign. That is
    what horner_program makes.
    """
    bench = Bench(elements.Horner(x, width=width))
    i, o, close = _groups(bench)
    first = bench.free("first_exponent", range(top + 1))
    started, remaining = bench.register("started", 1), bench.register("remaining", range(top + 1))
    exponent = bench.named("exponent", Mux(started, remaining, first))
    bench.assume("first_exponent_in_range", first <= top)
    operation = data.View(HORNER_LANE, i.payload.operation)
    after = exponent - operation.double
    bench.assume(
        "doubling_lowers", implies(operation.double, (exponent != 0) & ~operation.negative)
    )
    bench.assume("ends_at_exponent_0", implies(i.payload.last, after == 0))
    with bench.module.If(i.transfer):
        bench.module.d.sync += [started.eq(~close), remaining.eq(after)]
    products = [scaled(i.payload.x, Term(1, p)) for p in range(top + 1)]
    product = Array(products)[exponent]
    addend = Mux(operation.double, 0, Mux(operation.negative, -product, product))
    so_far, expected = _sum(bench, "sum", i, close, addend, width)
    bench.rule("right", implies(o.valid, o.payload.acc[0] == expected))
    acc = bench.probe("acc", signed(width))
    bench.lemma("exponent_in_range", remaining <= top)
    bench.lemma("starts_at_zero", implies(~started, (acc == 0) & (so_far == 0)))
    for p in range(top + 1):
        there = started & (remaining == p)
        bench.lemma(f"accumulates_{p}", implies(there, same(acc << p, so_far, width)))
    bench.cover("negative_sum", o.transfer & (o.payload.acc[0] < 0))
    bench.cover("all_exponents", close & operation.double & (so_far > 1 << top))
    return bench


def maximum(x: Shape) -> Bench:
    """The running maximum: the result is one of the group's real taps, and none exceeds it.

    Both are stated of one arbitrary value, so of all. Assumed: a group has a real tap, as every
    window of a pool does.
    """
    bench = Bench(elements.Maximum(x))
    i, o, close = _groups(bench)
    value = bench.fixed("value", x)
    occurs = Signal()
    bench.module.d.comb += occurs.eq(i.payload.real & (i.payload.x == value))
    real, seen = bench.register("some_real", 1), bench.register("value_seen", 1)
    in_group = bench.register("value_in_group", 1)
    bench.assume("real_tap", implies(i.payload.last, real | i.payload.real))
    with bench.module.If(i.transfer):
        bench.module.d.sync += [
            real.eq(~close & (real | i.payload.real)),
            seen.eq(~close & (seen | occurs)),
        ]
    with bench.module.If(close):
        bench.module.d.sync += in_group.eq(seen | occurs)
    bench.rule("none_exceeds_it", implies(o.valid & in_group, o.payload >= value))
    bench.rule("is_one_of_them", implies(o.valid & (o.payload == value), in_group))
    best, some = bench.probe("best", x), bench.probe("some", 1)
    bench.lemma("knows_of_real_tap", some == real)
    bench.lemma("seen_is_real", implies(seen, real))
    bench.lemma("best_so_far", implies(seen, best >= value))
    bench.lemma("best_was_seen", implies(real & (best == value), seen))
    bench.cover("lower_value_seen", o.transfer & in_group & (o.payload > value))
    bench.cover("padding_ignored", close & ~i.payload.real & (i.payload.x > best))
    return bench


def pool_sum(x: Shape, counts: Sequence[int], width: int) -> Bench:
    """The sum of an average pool, and the row that the number of real taps selects.

    Assumed: a tap in the padding is zero; the real taps of a group are of one of the numbers
    `counts`.
    """
    bench = Bench(elements.Sum(x, counts=counts, width=width))
    i, o, close = _groups(bench)
    most = max(counts)
    taps = bench.register("real_taps", range(most + 2))
    now = bench.named("real_taps_now", taps + i.payload.real)
    bench.assume("padding_is_zero", implies(~i.payload.real, i.payload.x == 0))
    bench.assume("count_in_range", now <= most)
    bench.assume(
        "count_occurs", implies(i.payload.last, Cat(now == count for count in counts).any())
    )
    of_group = bench.register("real_taps_expected", range(most + 1))
    with bench.module.If(i.transfer):
        bench.module.d.sync += taps.eq(Mux(close, 0, now))
    with bench.module.If(close):
        bench.module.d.sync += of_group.eq(now)
    addend = Mux(i.payload.real, i.payload.x, 0)
    so_far, expected = _sum(bench, "sum", i, close, addend, width)
    bench.rule("right_sum", implies(o.valid, o.payload.acc[0] == expected))
    for row, count in enumerate(counts):
        bench.rule(f"row_{row}", implies(o.valid & (of_group == count), o.payload.row == row))
        bench.cover(f"row_{row}_used", o.transfer & (of_group == count))
    bench.lemma("accumulates", bench.probe("acc", signed(width)) == so_far)
    bench.lemma("counts", bench.probe("count", range(most + 1)) == taps)
    bench.lemma("count_bounded", taps <= most)
    return bench
