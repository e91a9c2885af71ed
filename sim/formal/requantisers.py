"""What is proved of the requantisers of hw.dataflow.layers.requantise and of the rounding shift.

Every group of `pe` accumulators gives its `pe` outputs, in lane order, each once; each output is
that of docs/numerics.md for all accumulators.

The serial requantiser works through several cycles for a group. Its proof is no unrolling of one
operation: the lemmas say, for every step of every row, what the lanes hold then (a part of the
product), so that the induction covers every operation, in every order, with any pauses, for all
time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Array, Cat, Mux, Value, signed
from amaranth.lib import data

from hw.dataflow.design.requantiser import (
    AddBiasDesign,
    RequantiseDesign,
    Room,
    RoundDesign,
    mean_design,
)
from hw.dataflow.design.scales import Operand, Rows, Scale, naf_digits, steps_layout
from hw.dataflow.layers import requantise, rounding
from hw.dataflow.plan import Place
from hw.ir.format import Format, width_of
from hw.ir.parameters import Rounding
from sim.formal.bench import Bench, Port, implies
from sim.formal.rules import follows
from sim.formal.spec import Term, clamp, half_step, mean_of, requantised, same, scaled, total


def rounding_shift(width: int, shifts: Sequence[int], formats: Sequence[Format]) -> Bench:
    """shift_saturate of one value by every shift to every format: combinational."""
    bench = Bench()
    value = bench.free("value", signed(width))
    for shift in shifts:
        for fmt in formats:
            kind = f"{'s' if fmt.signed else 'u'}{fmt.width}"
            if fmt.limit is not None:
                kind += f"_to_{fmt.limit}"
            name = f"{kind}_by_{shift}".replace("-", "left_")
            result = bench.named(
                name, rounding.shift_saturate(bench.module, value, shift, fmt, name=f"cut_{name}")
            )
            exact = value >> shift if shift >= 0 else value << -shift
            bench.rule(f"right_{name}", result == clamp(exact, fmt))
    bench.cover("negative", value < 0)
    return bench


# --- One beat a cycle


def round_shift(acc_width: int, shift: int, fmt: Format, pe: int, mode: Rounding) -> Bench:
    """The requantiser of scale 1: q = clamp((acc + 2**(shift - 1)) >> shift).

    Assumed: the source keeps the rules of a stream.
    """
    half = half_step(shift, mode)
    dut = requantise.Round(RoundDesign(acc_width, half, shift, fmt, pe))
    bench = Bench(dut)
    o = _lanes_in_turn(bench, pe, lambda acc: requantised(acc, shift, fmt, mode))
    bench.cover("saturates_high", o.transfer & (o.payload == fmt.qmax))
    bench.cover("saturates_low", o.transfer & (o.payload == fmt.qmin))
    return bench


def add_bias(acc_width: int, biases: Sequence[int], pe: int, bias_bits: int = 0) -> Bench:
    """The end of the classifier: logit = acc + bias of its class.

    With `bias_bits` the biases are whatever was written in reset. Assumed: the source keeps the
    rules of a stream.
    """
    low, high = -(1 << acc_width - 1), (1 << acc_width - 1) - 1
    least, most = min(biases), max(biases)
    if bias_bits:
        least, most = -(1 << bias_bits - 1), (1 << bias_bits - 1) - 1
    fmt = Format(True, width_of(low + least, high + most), 0)
    bench = Bench(requantise.AddBias(AddBiasDesign(tuple(biases), acc_width, fmt, pe, bias_bits)))
    index = bench.register("class", range(len(biases)))
    values: Sequence[Value | int] = biases
    if bias_bits:
        bench.loaded(bench.dut.load, "load")
        # A beat that is offered was made before words of this cycle are written, in reset.
        values = bench.memory("biases", signed(bias_bits), len(biases))
    o = _lanes_in_turn(bench, pe, lambda acc: acc + Array(values)[index])
    following = _next(index, len(biases))
    with bench.module.If(o.transfer):
        bench.module.d.sync += index.eq(following)
    number = bench.probe("number", range(len(biases)))
    bench.lemma("class_in_range", index < len(biases))
    bench.lemma("class_number", number == Mux(o.valid, following, index))
    bench.cover("last_class", o.transfer & (index == len(biases) - 1))
    return bench


def _lanes_in_turn(bench: Bench, pe: int, result: Callable[[Value], Value]) -> Port:
    """A group's lanes leave one a cycle; the group is taken with its last lane. Returns `o`."""
    i, o = bench.source("i", obedient=True), bench.sink("o")
    turn = bench.register("turn", range(max(pe, 2)))
    owed = bench.register("owed", 1)
    taken = bench.register("group_taken", signed(len(i.payload.acc[0]) * pe))
    final = bench.named("final", turn == pe - 1)
    with bench.module.If(o.transfer):
        bench.module.d.sync += turn.eq(_next(turn, pe))
    with bench.module.If(i.transfer):
        bench.module.d.sync += taken.eq(Value.cast(i.payload.acc))
    bench.module.d.sync += owed.eq(i.transfer | (owed & ~o.transfer))

    group = Mux(final, taken, Value.cast(i.payload.acc))
    acc = group.word_select(turn, len(i.payload.acc[0])).as_signed()
    lane = Mux(o.valid, _next(turn, pe), turn)
    bench.rule("right", implies(o.valid, o.payload == result(acc)))
    bench.rule("final_beat_of_taken_group", (o.valid & final) == owed)
    bench.rule("other_beats_of_offered_group", implies(o.valid & ~final, i.valid))
    bench.rule("no_group_lost", implies(i.transfer & owed, o.transfer))
    bench.rule("takes_with_last_lane", i.ready == ((lane == pe - 1) & (~o.valid | o.ready)))
    follows(bench, "a_beat_a_cycle", i.valid & (~o.valid | o.ready), o.valid)
    bench.lemma("turn_in_range", turn < pe)
    if pe > 1:
        bench.lemma("lane_follows", bench.probe("lane", range(pe)) == lane)
    bench.cover("beat_waits", o.valid & ~o.ready)
    bench.cover("group_follows_group", o.transfer & i.transfer)
    return o


def _next(count: Value, limit: Value | int) -> Value:
    return Mux(count == limit - 1, 0, count + 1)


# --- Serial


@dataclass(frozen=True)
class Channel:
    """A channel's requantisation: the terms of its scale, exponents from the layer's smallest one
    on, and its bias."""

    terms: tuple[Term, ...]
    bias: int


def batch_norm(
    rows: Sequence[Sequence[Channel]],
    acc_width: int,
    shift: int,
    fmt: Format,
    mode: Rounding = Rounding.HALF_UP,
) -> Bench:
    """The serial requantiser: q = clamp((sum of sign·(acc << e) + B + 2**(shift - 1)) >> shift).

    Its rows follow each other.
    """

    def v(channel: Channel, acc: Value) -> Value:
        return total([scaled(acc, term) for term in channel.terms]) + channel.bias

    half = half_step(shift, mode)
    scales, bounds = [], [0]
    for row in rows:
        scales.append([])
        for channel in row:
            multiplier = sum(term.sign << term.exponent for term in channel.terms)
            scales[-1].append(Scale(multiplier, channel.bias + half))
            low, high = -(1 << acc_width - 1), (1 << acc_width - 1) - 1
            bounds += [end * multiplier + channel.bias + half for end in (low, high)]
    width = width_of(min(bounds), max(bounds))
    design = RequantiseDesign(tuple(map(tuple, scales)), acc_width, width, shift, fmt)
    bench, _ = _serial(
        design, lambda row, k, acc: requantised(v(rows[row][k], acc), shift, fmt, mode)
    )
    return bench


def mean(fmt: Format, counts: Sequence[int], acc_width: int) -> Bench:
    """The serial requantiser as the division of an average pool: the data chooses the row.

    q = clamp((S·R + 2**(t - 1)) >> t), R = round(2**t / n), t = W + 8 + ceil(log2 n). Assumed: the
    row exists, and S is a sum of its number n of codes.
    """

    bench, i = _serial(
        mean_design(fmt, tuple(counts), acc_width),
        lambda row, _, acc: mean_of(acc, counts[row], fmt),
    )
    for row, n in enumerate(counts):
        acc = i.payload.acc[0]
        fits = (acc >= n * fmt.qmin) & (acc <= n * fmt.qmax)
        bench.assume(f"sum_of_{n}", implies(i.valid & (i.payload.row == row), fits))
    return bench


def _serial(
    design: RequantiseDesign, result: Callable[[int, int, Value], Value]
) -> tuple[Bench, Port]:
    """`result(row, lane, acc)` is what the specification says."""
    bench = Bench(requantise.Requantise(design))
    m, i, o = bench.module, bench.source("i"), bench.sink("o")
    rows, pe, done = len(design.scales), design.pe, design.digits + 2
    age, turn = bench.register("age", range(done + 1)), bench.register("turn", range(max(pe, 2)))
    row = bench.register("row", range(max(rows, 2)))
    group = bench.register("group", i.payload.shape())
    follower = bench.register("next_row", range(max(rows, 2)))
    if design.by_row:
        bench.assume("row_exists", implies(i.valid, i.payload.row < rows))
    with m.If(o.transfer):
        m.d.sync += turn.eq(_next(turn, pe))
    leave = o.transfer & (turn == pe - 1)
    with m.If(i.transfer):
        m.d.sync += [
            age.eq(1),
            Value.cast(group).eq(Value.cast(i.payload)),
            row.eq(i.payload.row if design.by_row else follower),
            follower.eq(_next(follower, rows)),
        ]
    with m.Elif(leave):
        m.d.sync += age.eq(0)
    with m.Elif((age != 0) & (age != done)):
        m.d.sync += age.eq(age + 1)

    bench.rule("offered_on_time", o.valid == (age == done))
    bench.rule(
        "takes_when_it_can",
        i.ready == ((age == 0) | ((age == done) & o.ready & (turn == pe - 1))),
    )
    for r in range(rows):
        for k in range(pe):
            expected = result(r, k, group.acc[k])
            bench.rule(
                f"right_row_{r}_lane_{k}",
                implies(o.valid & (row == r) & (turn == k), o.payload == expected),
            )
            bench.cover(f"row_{r}_lane_{k}_used", o.transfer & (row == r) & (turn == k))
    serial_lemmas(bench, design, age, row, follower, turn, group)
    bench.cover("saturates_high", o.valid & (o.payload == design.fmt.qmax))
    bench.cover("saturates_low", o.valid & (o.payload == design.fmt.qmin))
    bench.cover("beat_waits", o.valid & ~o.ready)
    bench.cover("group_follows_group", leave & i.transfer)
    return bench, i


def serial_lemmas(
    bench: Bench,
    design: RequantiseDesign,
    age: Value,
    row: Value,
    follower: Value,
    turn: Value,
    group: Any,
    path: str = "",
) -> None:
    """What the registers hold `age` cycles after a group was taken; `age` 0 is idle.

    `path`: of the requantiser in the component, with a dot behind it.
    """
    rows, pe, length = len(design.scales), design.pe, design.digits + 1
    words, done = rows * length, length + 1
    bench.lemma("age_in_range", age <= done)
    bench.lemma("rows_in_range", (row < rows) & (follower < rows))
    bench.lemma("turn_in_range", (turn < pe) & implies(age != done, turn == 0))
    bench.lemma("busy", bench.probe(f"{path}busy", 1) == ((age != 0) & (age != done)))
    bench.lemma("done", bench.probe(f"{path}done", 1) == (age == done))
    if pe > 1:
        bench.lemma("lane", bench.probe(f"{path}lane", range(pe)) == turn)
    pointer = bench.probe(f"{path}pointer", range(words))
    reached = row * length + Mux(age == done, length, age)
    bench.lemma("next_word", implies(age != 0, pointer == Mux(reached == words, 0, reached)))
    if not design.by_row:
        bench.lemma("idle_at_row", implies(age == 0, pointer == follower * length))
        bench.lemma("rows_in_turn", implies(age != 0, follower == _next(row, rows)))
        if rows > 1:
            bench.lemma("row_in_turn", bench.probe(f"{path}row", range(rows)) == follower)
    for k in range(pe):
        acc = bench.probe(f"{path}acc{k}", signed(design.acc_width))
        v = bench.probe(f"{path}v{k}", signed(design.width))
        bench.lemma(f"lane_{k}_keeps_acc", implies(age != 0, acc == group.acc[k]))
        bench.lemma(f"lane_{k}_starts_at_zero", implies(age == 1, v == 0))
        for r in range(rows):
            holds = []
            for step in range(length):
                there = (row == r) & (age == step + 2)
                holds.append(
                    implies(there, same(v, _partial(design, r, k, step, acc), design.width))
                )
            bench.lemma(f"lane_{k}_row_{r}_partial", Cat(holds).all())


def _partial(design: RequantiseDesign, row: int, lane: int, digits: int, acc: Value) -> Value:
    """What a lane holds after the constant's high part and the `digits` highest digits."""
    multiplier, constant = design.scales[row][lane]
    below = design.digits - digits
    highest = naf_digits(multiplier)[below:]
    part = sum(digit << n for n, digit in enumerate(highest))
    return acc * part + (constant >> below)


# --- Serial, loaded at run time


def batch_norm_loaded(
    scales: Rows, room: Room, acc_width: int, width: int, shift: int, fmt: Format
) -> Bench:
    """The serial requantiser with whatever was written in reset as its words.

    Of a row of d + 1 words, word s adds an operand o (0, acc, -acc or the row's bias) and a bit b,
    and q = clamp(v >> shift), v = sum of (o + b)·2**(d - s), modulo 2**width. Words that
    `step_words` makes are among them. Assumed: all rows have one length, of at most the room's, and
    the last word of each is marked; operands exist.

    Parameters
    ----------
    scales: what the memories hold at the start
    """
    design = RequantiseDesign(scales, acc_width, width, shift, fmt, place=Place.BLOCK, room=room)
    bench = Bench(requantise.Requantise(design))
    m, i, o = bench.module, bench.source("i"), bench.sink("o")
    bench.loaded(bench.dut.load_steps, "steps")
    bench.loaded(bench.dut.load_bias, "bias")
    rows, pe, most = len(scales), design.pe, room.digits + 1
    words = bench.memory("steps", steps_layout(pe), rows * most)
    biases = bench.memory("bias", data.ArrayLayout(signed(room.bias_bits), pe), rows)
    length = bench.register("length", range(most + 1), init=design.digits + 1, kept=True)
    longest = bench.free("new_length", range(most + 1))
    with m.If(bench.reset):
        m.d.sync += length.eq(longest)
    bench.assume("length_fits", (longest >= 1) & (longest <= most))
    ends = [Cat(length * (r + 1) == n + 1 for r in range(rows)).any() for n in range(rows * most)]
    used = [n < length * rows for n in range(rows * most)]
    for n, word in enumerate(words):
        marked = implies(used[n], word.last == ends[n])
        bench.assume(f"word_{n}_marked", bench.reset | marked)

    age = bench.register("age", range(most + 2))
    turn = bench.register("turn", range(max(pe, 2)))
    row, follower = (bench.register(name, range(max(rows, 2))) for name in ("row", "next_row"))
    group = bench.register("group", i.payload.shape())
    leave = o.transfer & (turn == pe - 1)
    done = length + 1
    with m.If(o.transfer):
        m.d.sync += turn.eq(_next(turn, pe))
    with m.If(i.transfer):
        m.d.sync += [
            age.eq(1),
            Value.cast(group).eq(Value.cast(i.payload)),
            row.eq(follower),
            follower.eq(_next(follower, rows)),
        ]
    with m.Elif(leave):
        m.d.sync += age.eq(0)
    with m.Elif((age != 0) & (age != done)):
        m.d.sync += age.eq(age + 1)

    def v(r: int, k: int, count: int) -> Value:
        """After `count` words of row r."""
        terms = []
        for s in range(count):
            step = Array(words)[length * r + s].lanes[k]
            acc, bias = group.acc[k], biases[r][k]
            operand = Mux(
                step.operand == Operand.BIAS,
                bias,
                Mux(
                    step.operand == Operand.PLUS,
                    acc,
                    Mux(step.operand == Operand.MINUS, -acc, 0),
                ),
            )
            terms.append((operand + step.bit) << count - 1 - s)
        return total(terms)

    bench.rule("offered_on_time", o.valid == (age == done))
    free = (age == 0) | ((age == done) & o.ready & (turn == pe - 1))
    bench.rule("takes_when_it_can", i.ready == free)
    bench.lemma("length_in_range", (length >= 1) & (length <= most))
    bench.lemma("age_in_range", age <= done)
    bench.lemma("rows_in_range", (row < rows) & (follower < rows))
    bench.lemma("turn_in_range", (turn < pe) & implies(age != done, turn == 0))
    bench.lemma("busy", bench.probe("busy", 1) == ((age != 0) & (age != done)))
    bench.lemma("done", bench.probe("done", 1) == (age == done))
    if pe > 1:
        bench.lemma("lane", bench.probe("lane", range(pe)) == turn)
    if rows > 1:
        bench.lemma("row_in_turn", bench.probe("row", range(rows)) == follower)
    bench.lemma("rows_in_turn", implies(age != 0, follower == _next(row, rows)))
    pointer = bench.probe("pointer", range(rows * most))
    reached = length * row + Mux(age == done, length, age)
    wraps = (age == done) & (row == rows - 1)
    bench.lemma(
        "next_word",
        pointer == Mux(age == 0, length * follower, Mux(wraps, 0, reached))[: len(pointer)],
    )
    for k in range(pe):
        lane = bench.probe(f"v{k}", signed(width))
        bench.lemma(
            f"lane_{k}_keeps_acc",
            implies(age != 0, bench.probe(f"acc{k}", signed(acc_width)) == group.acc[k]),
        )
        bench.lemma(f"lane_{k}_starts_at_zero", implies(age == 1, lane == 0))
        for r in range(rows):
            read = bench.probe("bias__data", data.ArrayLayout(signed(room.bias_bits), pe))
            bench.lemma(
                f"lane_{k}_row_{r}_bias",
                implies((age != 0) & (row == r), read[k] == biases[r][k]),
            )
            for count in range(1, most + 1):
                there = (row == r) & (age == count + 1)
                bench.lemma(
                    f"lane_{k}_row_{r}_after_{count}",
                    implies(there, same(v(r, k, count), lane, width)),
                )
            for count in range(1, most + 1):
                wrapped = v(r, k, count)[:width].as_signed()
                exact = clamp(wrapped >> shift if shift >= 0 else wrapped << -shift, fmt)
                bench.rule(
                    f"right_row_{r}_lane_{k}_words_{count}",
                    implies(
                        o.valid & (row == r) & (turn == k) & (length == count), o.payload == exact
                    ),
                )
    bench.cover("longest_row", o.transfer & (length == most))
    bench.cover("shortest_row", o.transfer & (length == 1))
    bench.cover("second_row", o.transfer & (row == rows - 1))
    bench.cover("saturates_high", o.valid & (o.payload == fmt.qmax))
    return bench
