"""What is proved of the window of hw.dataflow.layers.window: operand store and tap sequencer.

The taps of every output pixel of every frame come in the program's order, each once. Tap (ky, kx,
channel) of output pixel (oy, ox) is the input pixel at row oy·stride - padding + ky·dilation, and
the column likewise, of the frame of that number; outside the image it is zero and not real. It has
come before it is read and is not overwritten before. A beat is taken exactly while it is less than
`store` beats after the window's first place; a pixel starts two cycles after all its window is
there; then a tap a cycle, and one idle cycle a pixel. Nothing is assumed of the two sides.

The specification knows rows, columns and channels; the design knows beats and distances. One
arbitrary beat is followed (`mark`): what a tap says is compared with it where the specification
says that the tap reads it. Frames are counted as a difference of input and output, which is
bounded: no counter wraps, so this is for runs of any length.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Array, Cat, Const, Mux, Signal, Value

from hw.dataflow.design.engine import EngineDesign, MaximumDesign
from hw.dataflow.design.geometry import Geometry, store_of
from hw.dataflow.design.program import Program, Tap
from hw.dataflow.layers.window import Window
from hw.dataflow.plan import Place
from hw.ir.format import Format
from sim.formal.bench import Bench, Port, implies
from sim.formal.rules import follows

SHORT = 8
"""Cycles of a frame, at most, of which two are looked for as a cover."""


def program(taps: Sequence[Tap], operation_bits: int) -> Program:
    """These taps as columns."""
    ky, kx, channel, operation, last = (np.array(column) for column in zip(*taps, strict=True))
    lanes = operation[:, None] if operation_bits else np.zeros((len(taps), 0), int)
    return Program(ky, kx, channel, last.astype(bool), lanes, operation_bits)


def window(
    g: Geometry, x: Format, taps: Sequence[Tap], *, relu: bool = False, words: int = 0
) -> Bench:
    """A window with the smallest store; `words`: room for a program that is loaded at run time."""
    operation_bits = max(tap.operation for tap in taps).bit_length()
    design = EngineDesign(
        name="window", geometry=g, source=x, out=x, relu=relu, store=store_of(g.span),
        program=program(taps, operation_bits), place=Place.BLOCK, element=MaximumDesign(), end=None,
        words=words,
    )  # fmt: skip
    bench = Bench(Window(design))
    i, o = bench.source("i"), bench.sink("o")
    steps = _loaded(bench, design) if words else _fixed(design)
    model = _model(bench, design, i, o, steps)
    _rules(bench, design, i, o, model)
    _lemmas(bench, design, o, model)
    return bench


# --- Programs


@dataclass(frozen=True)
class Steps:
    """What the program says: a column each, by number of the step; and the number of the last."""

    ky: Sequence[Value]
    kx: Sequence[Value]
    channel: Sequence[Value]
    operation: Sequence[Value]
    last: Sequence[Value]
    final: Value


def _fixed(design: EngineDesign) -> Steps:
    taps = list(design.program)
    columns = ([Const(int(value)) for value in column] for column in zip(*taps, strict=True))
    return Steps(*columns, final=Const(len(taps) - 1))


def _loaded(bench: Bench, design: EngineDesign) -> Steps:
    """The program is what was written: any taps of the geometry, any operations, any length.

    Assumed: the memory is the loader's, and `last_word` changes, only while the layer is in reset;
    words written encode taps.
    """
    m, dut, g, words = bench.module, bench.dut, design.geometry, design.words
    layout = design.code.layout
    bench.loaded(dut.load, "load")
    write, address = dut.load.write, dut.load.address
    bench.assume("address_exists", address < words)
    tap = {
        name: bench.free(f"new_{name}", shape)
        for name, shape in (
            ("ky", range(max(g.kernel[0], 2))),
            ("kx", range(max(g.kernel[1], 2))),
            ("channel", range(max(g.shape[2], 2))),
            ("operation", design.program.operation_bits),
            ("last", 1),
        )
    }
    for name, limit in (("ky", g.kernel[0]), ("kx", g.kernel[1]), ("channel", g.shape[2])):
        bench.assume(f"{name}_exists", tap[name] < limit)
    bench.assume("words_are_taps", dut.load.data == _encoded(design, **tap))
    rows = bench.memory("program", layout.size, words)
    there = [*design.program] + [Tap(0, 0, 0, 0, False)] * (words - len(design.program))
    columns: dict[str, list[Value]] = {name: [] for name in tap}
    for n in range(words):
        row = {}
        for name, new in tap.items():
            held = bench.register(
                f"{name}{n}", new.shape(), init=int(getattr(there[n], name)), kept=True
            )
            with m.If(write & (address == n)):
                m.d.sync += held.eq(new)
            columns[name].append(held)
            row[name] = held
        bench.lemma(f"word_{n}_as_written", rows[n] == _encoded(design, **row))
        bench.lemma(
            f"tap_{n}_exists",
            (row["ky"] < g.kernel[0]) & (row["kx"] < g.kernel[1]) & (row["channel"] < g.shape[2]),
        )
    final = bench.register("last_word", range(words), init=len(design.program) - 1, kept=True)
    new_final = bench.free("new_last_word", range(words))
    bench.assume("last_word_exists", new_final < words)
    with m.If(bench.reset):
        m.d.sync += final.eq(new_final)
    m.d.comb += dut.last_word.eq(final)
    bench.lemma("last_word_in_memory", final < words)
    bench.cover("shortest_program", (final == 0) & dut.o.valid & dut.o.ready)
    return Steps(**columns, final=final)


def _encoded(design: EngineDesign, ky, kx, channel, operation, last) -> Value:
    """A word of the program's memory."""
    g = design.geometry
    beats = (ky * g.dilation[0] * g.shape[1] + kx * g.dilation[1]) * g.shape[2] + channel
    fields = {"offset": beats, "operation": operation, "last": last, "ky": ky, "kx": kx}
    return Cat(
        (Value.cast(fields[name]) | Const(0, field.width))[: field.width]
        for name, field in design.code.layout
    )


# --- Model


@dataclass(frozen=True)
class Model:
    """Where input and output are, in frames, pixels and steps.

    Attributes
    ----------
    taken: place in its frame of the next input beat
    lead: frames of the input before that of the output
    oy, ox, step: of the tap that is due; steps: the program
    final: it is the pixel's last one
    next_oy, next_ox: of the pixel in progress: another one if the last tap is offered
    next_step: of the tap behind the one offered
    level: beats taken from the first place of the window in progress on
    distance: how many beats ago the due tap's beat came; real: there is one
    since: how many beats ago the marked one came; 0: none, `far`: that many or more
    marked: its value
    complete: all of the window of the pixel in progress is there
    """

    taken: Value
    lead: Value
    oy: Value
    ox: Value
    step: Value
    steps: Steps
    final: Value
    next_oy: Value
    next_ox: Value
    next_step: Value
    level: Value
    distance: Value
    real: Value
    since: Value
    far: int
    marked: Signal
    complete: Value


def _pixels(g: Geometry) -> list[tuple[int, int]]:
    return [(oy, ox) for oy in range(g.out[0]) for ox in range(g.out[1])]


def _first(g: Geometry, oy, ox):
    """Place in the frame of the window's first beat, were there no borders."""
    row, column = oy * g.stride[0] - g.padding[0], ox * g.stride[1] - g.padding[1]
    return (row * g.shape[1] + column) * g.shape[2]


def _end(g: Geometry, oy: int, ox: int) -> int:
    """Place behind the last beat of the image that the window covers."""
    rows, columns = (
        [
            place
            for k in range(g.kernel[axis])
            if 0
            <= (place := n * g.stride[axis] - g.padding[axis] + k * g.dilation[axis])
            < g.shape[axis]
        ]
        for axis, n in ((0, oy), (1, ox))
    )
    return (max(rows) * g.shape[1] + max(columns) + 1) * g.shape[2]


def _steps_between(g: Geometry) -> list[int]:
    """Beats from each window's first place to the next one's; the last one's to the next frame."""
    frame = g.shape[0] * g.shape[1] * g.shape[2]
    first = [_first(g, *pixel) for pixel in _pixels(g)]
    return [b - a for a, b in zip(first, [*first[1:], first[0] + frame], strict=True)]


def _model(bench: Bench, design: EngineDesign, i: Port, o: Port, steps: Steps) -> Model:
    m, g = bench.module, design.geometry
    frame = g.shape[0] * g.shape[1] * g.shape[2]
    taken = bench.register("taken", range(frame))
    # Input frames ahead: as many as the store holds, or the one that the output has left behind.
    most = design.store // frame + 2
    lead = bench.register("lead", range(-most, most + 1))
    oy, ox = bench.register("oy", range(g.out[0])), bench.register("ox", range(g.out[1]))
    step = bench.register("step", range(len(steps.ky)))
    last_column, last_row = ox == g.out[1] - 1, oy == g.out[0] - 1
    final = bench.named("final", step == steps.final)
    moved = o.valid & final
    following = (
        lead - (last_column & last_row),
        Mux(last_column, Mux(last_row, 0, oy + 1), oy),
        Mux(last_column, 0, ox + 1),
    )
    with m.If(o.transfer):
        m.d.sync += step.eq(Mux(final, 0, step + 1))
        with m.If(final):
            m.d.sync += [oy.eq(following[1]), ox.eq(following[2])]
    full = i.transfer & (taken == frame - 1)
    with m.If(i.transfer):
        m.d.sync += taken.eq(Mux(full, 0, taken + 1))
    m.d.sync += lead.eq(lead + full - (o.transfer & final & last_column & last_row))

    next_lead, next_oy, next_ox = (
        bench.named(name, Mux(moved, new, old))
        for name, new, old in zip(
            ("next_lead", "next_oy", "next_ox"), following, (lead, oy, ox), strict=True
        )
    )
    next_step = Mux(o.valid, Mux(final, 0, step + 1), step)

    row = oy * g.stride[0] - g.padding[0] + Array(steps.ky)[step] * g.dilation[0]
    column = ox * g.stride[1] - g.padding[1] + Array(steps.kx)[step] * g.dilation[1]
    inside = (row >= 0) & (row < g.shape[0]) & (column >= 0) & (column < g.shape[1])
    place = (row * g.shape[1] + column) * g.shape[2] + Array(steps.channel)[step]
    far = 2 * design.store + max(_steps_between(g))
    since, marked = (
        bench.register("since", range(far + 1)),
        bench.register("marked", i.payload.shape()),
    )
    mark = bench.free("mark", 1)
    with m.If(i.transfer):
        with m.If(mark):
            m.d.sync += since.eq(1)
            negative = (i.payload < 0) if design.relu else Const(0)
            m.d.sync += marked.eq(Mux(negative, 0, i.payload))
        with m.Elif((since != 0) & (since != far)):
            m.d.sync += since.eq(since + 1)

    ends = Array(_end(g, *pixel) for pixel in _pixels(g))
    come = bench.named("come", next_lead * frame + taken)
    pixel = next_oy * g.out[1] + next_ox
    return Model(
        taken=taken,
        lead=lead,
        oy=oy,
        ox=ox,
        step=step,
        steps=steps,
        final=final,
        next_oy=next_oy,
        next_ox=next_ox,
        next_step=bench.named("next_step", next_step),
        level=bench.named("beats_from_window", come - _first(g, next_oy, next_ox)),
        distance=bench.named("distance", lead * frame + taken - place),
        real=bench.named("inside_image", inside),
        since=since,
        far=far,
        marked=marked,
        complete=bench.named("complete", come >= ends[pixel]),
    )


def _rules(bench: Bench, design: EngineDesign, i: Port, o: Port, model: Model) -> None:
    steps, step, tap = model.steps, model.step, o.payload
    bench.rule("real_inside_image", implies(o.valid, tap.real == model.real))
    bench.rule("padding_is_zero", implies(o.valid & ~model.real, tap.x == 0))
    bench.rule("operation_of_step", implies(o.valid, tap.operation == Array(steps.operation)[step]))
    bench.rule("last_of_step", implies(o.valid, tap.last == Array(steps.last)[step]))
    real = o.valid & model.real
    bench.rule("beat_has_come", implies(real, model.distance >= 1))
    bench.rule("beat_not_left_behind", implies(real, model.distance < model.far))
    reads_it = bench.named("reads_marked", real & (model.since == model.distance))
    bench.rule("right_beat", implies(reads_it, tap.x == model.marked))
    bench.rule("takes_while_store_has_room", i.ready == (model.level < design.store))
    follows(bench, "a_tap_a_cycle", o.transfer & ~model.final, o.valid)
    _twice(bench, "starts_when_complete", model.complete & ~o.valid)
    _twice(bench, "one_idle_cycle", o.transfer & model.final & model.complete, once=True)
    end = o.transfer & model.final
    last = (model.oy == design.geometry.out[0] - 1) & (model.ox == design.geometry.out[1] - 1)
    pixels = design.geometry.out[0] * design.geometry.out[1]
    if pixels * (len(steps.ky) + 1) <= SHORT:
        frames = bench.register("frames", 2)
        with bench.module.If(end & last & (frames != 3)):
            bench.module.d.sync += frames.eq(frames + 1)
        bench.cover("two_frames", frames == 2)
    bench.cover("marked_is_read", reads_it & o.ready)
    bench.cover("source_waits", i.valid & ~i.ready)
    bench.cover("tap_waits", o.valid & ~o.ready)
    if any(design.geometry.has_border(axis) for axis in (0, 1)):
        bench.cover("padding", o.transfer & ~model.real)


def _twice(bench: Bench, name: str, cause: Value, *, once: bool = False) -> None:
    """A tap is offered two cycles after `cause`; if it held in both, unless `once`."""
    first, second = Signal(name=f"{name}_first"), Signal(name=f"{name}_second")
    bench.module.d.sync += [first.eq(cause), second.eq(first if once else first & cause)]
    o = bench.dut.o
    bench.rule(name, implies(second, o.valid))
    issued = bench.probe("valid1", 1)
    if once:
        bench.lemma(f"{name}_issued", implies(first, issued & ~o.valid))
    else:
        bench.lemma(f"{name}_issued", implies(first & ~o.valid, issued))


def _lemmas(bench: Bench, design: EngineDesign, o: Port, model: Model) -> None:
    g, store, steps = design.geometry, design.store, model.steps
    pixels, frame = _pixels(g), g.shape[0] * g.shape[1] * g.shape[2]
    bits = (store - 1).bit_length()
    depth = len(steps.ky)

    # Places in frame, image and program.
    most = store // frame + 2
    bench.lemma("taken_in_frame", model.taken < frame)
    bench.lemma("lead_bounded", (model.lead >= -most) & (model.lead <= most))
    bench.lemma("pixel_in_image", (model.oy < g.out[0]) & (model.ox < g.out[1]))
    bench.lemma("step_in_program", model.step <= steps.final)
    if g.out[0] > 1:
        bench.lemma("same_row", bench.probe("oy", range(g.out[0])) == model.next_oy)
    if g.out[1] > 1:
        bench.lemma("same_column", bench.probe("ox", range(g.out[1])) == model.next_ox)

    # The store: `level` beats lie from the window's first place on.
    reach = max(store, g.span, -_first(g, 0, 0)) + max(_reach(g))
    level = bench.probe("level", range(-reach, reach + 1))
    base = bench.probe("base", bits)
    newest = bench.probe("write_address", bits)
    pixel = model.next_oy * g.out[1] + model.next_ox
    bench.lemma("level_counts", level == model.level)
    # A window's first place may lie before that of the one before, which the padding covers: what
    # was taken by then bounds what is there.
    first = [_first(g, *one) for one in pixels]
    furthest = [max([place - frame for place in first] + first[: n + 1]) for n in range(len(first))]
    bound = Array(furthest)[pixel] + store
    bench.lemma("taken_into_store", model.level + Array(first)[pixel] <= bound)
    bench.lemma("base_below_newest", base == (newest - model.level)[:bits])
    # The last pixel's window was there before the next one's turn.
    ends = [_end(g, *one) for one in pixels]
    before = [ends[-1] - frame, *ends[:-1]]
    least = Array(end - _first(g, *one) for end, one in zip(before, pixels, strict=True))
    bench.lemma("pixel_before_was_there", model.level >= least[pixel])
    rows = bench.memory("store", design.source.width, store)
    kept = (model.since >= 1) & (model.since <= store)
    row = rows[(newest - model.since)[:bits]]
    bench.lemma("marked_is_stored", implies(kept, row == model.marked.as_unsigned()))
    bench.rule("never_read_while_written", ~_collision(bench, bits))

    # The sequencer: stage 1 holds the step behind the one offered.
    held, running = bench.probe("valid1", 1), bench.probe("running", 1)
    final = model.next_step == steps.final
    bench.lemma("started_when_complete", implies(held, model.complete))
    bench.lemma("runs_to_the_last", running == (held & ~final))
    bench.lemma("idle_behind_the_last", implies(o.valid & model.final, ~held))
    bench.lemma("nothing_half_done", implies(~held, model.next_step == 0))
    bench.lemma("next_step_in_program", model.next_step <= steps.final)
    if depth > 1:
        pc = bench.probe("pc", range(depth))
        following = Mux(final, 0, model.next_step + 1)
        bench.lemma("program_counter", pc == Mux(held, following, 0))
    bench.lemma("stage_1_last", implies(held, bench.probe("final1", 1) == final))
    word = bench.probe("fetch__data", design.code.layout.size)
    columns = (
        Array(column)[model.next_step]
        for column in (steps.ky, steps.kx, steps.channel, steps.operation, steps.last)
    )
    bench.lemma("stage_1_word", implies(held, word == _encoded(design, *columns)))


def _collision(bench: Bench, bits: int) -> Value:
    """A real tap is read from the row that is written in this cycle."""
    reads = bench.probe("valid1", 1) & bench.probe("advance", 1) & bench.probe("real", 1)
    same = bench.probe("read__addr", bits) == bench.probe("write_address", bits)
    return reads & bench.probe("accept", 1) & same


def _reach(g: Geometry) -> list[int]:
    steps = _steps_between(g)
    return [g.stride[1] * g.shape[2], steps[g.out[1] - 1] if g.out[0] > 1 else steps[-1], steps[-1]]
