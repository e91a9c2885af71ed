"""What is proved of the joins of hw.dataflow.layers.joins, FIFOs included.

Add: output beat n is made of beat n of every input. Concat: the channels of input 0 of a pixel,
then those of input 1, … Each beat is used once, in order; the value is that of docs/numerics.md for
all inputs; never more beats inside than there are places. An input is refused only while its FIFO
is full; a beat leaves in the cycle after everything it needs is there and the register is free.
Nothing is assumed of the sources and the reader.
"""

from collections.abc import Sequence

from amaranth.hdl import Cat, Mux, Value

from hw.dataflow.design.joins import AddDesign, ConcatDesign
from hw.dataflow.layers import joins
from hw.ir.arithmetic import aligned
from hw.ir.format import Format
from hw.ir.parameters import Rounding
from sim.formal.bench import Bench, implies
from sim.formal.rules import follows, stored, track
from sim.formal.spec import requantised, total


def _exact(values: Sequence[Value], sources: Sequence[Format], fmt: Format) -> Value:
    """The sum of codes of several formats, exactly, as a code of `fmt`."""
    frac = max(source.frac for source in sources)
    terms = [v << frac - f.frac for v, f in zip(values, sources, strict=True)]
    return requantised(total(terms), frac - fmt.frac, fmt)


def add(sources: Sequence[Format], fmt: Format, depths: Sequence[int]) -> Bench:
    """The node sum of inputs of the formats `sources`, FIFOs of `depths` beats, output `fmt`."""
    how = aligned(sources, fmt, Rounding.HALF_UP)
    bench = Bench(joins.Add(AddDesign("add", tuple(sources), fmt, tuple(depths), how)))
    inputs = [bench.source(f"i{k}") for k in range(len(sources))]
    o = bench.sink("o")
    # A beat may stand in the output register as well.
    number = bench.fixed("number", (max(depths) + 2).bit_length())
    beats = [
        track(bench, i, offered=o.valid, leaves=o.transfer, places=depth + 1, name=f"i{k}",
              number=number)
        for k, (i, depth) in enumerate(zip(inputs, depths, strict=True))
    ]  # fmt: skip
    ahead = beats[0].ahead
    bench.lemma("one_count_of_outputs", Cat(beat.ahead == ahead for beat in beats).all())
    values = [_signed(beat.payload, f) for beat, f in zip(beats, sources, strict=True)]
    bench.rule("right", implies(o.valid & (ahead == 0), o.payload == _exact(values, sources, fmt)))
    waiting = [bench.named(f"i{k}_waiting", beat.inside - o.valid) for k, beat in enumerate(beats)]
    complete = Cat(count > 0 for count in waiting).all()
    follows(bench, "adds_when_it_can", complete & (~o.valid | o.ready), o.valid)
    for k, (i, beat, depth) in enumerate(zip(inputs, beats, depths, strict=True)):
        bench.rule(f"i{k}_refused_only_if_full", implies(waiting[k] < depth, i.ready))
        follows(bench, f"i{k}_room_after_sum", complete & (~o.valid | o.ready), i.ready)
        place = (beat.ahead - o.valid)[: len(number)]
        stored(bench, f"fifo{k}.queue", sources[k].width, depth, level=waiting[k], place=place,
               beat=beat)  # fmt: skip
    bench.cover("saturates_high", o.transfer & (o.payload == fmt.qmax))
    bench.cover("saturates_low", o.transfer & (o.payload == fmt.qmin))
    bench.cover("full_speed", o.transfer & Cat(i.transfer for i in inputs).all())
    return bench


def concat(
    sources: Sequence[Format], fmt: Format, depths: Sequence[int], channels: Sequence[int]
) -> Bench:
    """The concatenation of `channels` channels of each input."""
    how = [aligned([source], fmt, Rounding.HALF_UP) for source in sources]
    bench = Bench(
        joins.Concat(
            ConcatDesign("concat", tuple(sources), fmt, tuple(depths), tuple(channels), tuple(how))
        )
    )
    m, count = bench.module, len(sources)
    inputs = [bench.source(f"i{k}") for k in range(count)]
    o = bench.sink("o")
    # Input and channel of the next beat to leave.
    turn, channel = (
        bench.register("turn", range(count)),
        bench.register("channel", range(max(channels))),
    )
    turn_after, channel_after = _after(turn, channel, channels)
    with m.If(o.transfer):
        m.d.sync += [turn.eq(turn_after), channel.eq(channel_after)]
    for k, (i, depth) in enumerate(zip(inputs, depths, strict=True)):
        offered = bench.named(f"i{k}_offered", o.valid & (turn == k))
        beat = track(bench, i, offered=offered, leaves=offered & o.ready, places=depth + 1,
                     name=f"i{k}")  # fmt: skip
        value = _exact([_signed(beat.payload, sources[k])], [sources[k]], fmt)
        bench.rule(f"i{k}_right", implies(offered & (beat.ahead == 0), o.payload == value))
        waiting = bench.named(f"i{k}_waiting", beat.inside - offered)
        bench.rule(f"i{k}_refused_only_if_full", implies(waiting < depth, i.ready))
        its_turn = Mux(o.valid, turn_after, turn) == k
        passes = its_turn & (waiting > 0) & (~o.valid | o.ready)
        follows(bench, f"i{k}_passes_when_it_can", passes, o.valid)
        follows(bench, f"i{k}_room_after_beat", passes, i.ready)
        place = (beat.ahead - offered)[: len(beat.ahead)]
        stored(bench, f"fifo{k}.queue", sources[k].width, depth, level=waiting, place=place,
               beat=beat)  # fmt: skip
        bench.cover(f"i{k}_leaves", o.transfer & offered)
    bench.lemma("turn_in_range", _in_range(turn, channel, channels))
    bench.lemma("turn_loaded", bench.probe("turn", range(count)) == Mux(o.valid, turn_after, turn))
    if max(channels) > 1:
        loaded = bench.probe("channel", range(max(channels)))
        bench.lemma("channel_loaded", loaded == Mux(o.valid, channel_after, channel))
    bench.cover("several_pixels", o.transfer & (turn_after == 0) & (channel_after == 0))
    return bench


def _after(turn: Value, channel: Value, channels: Sequence[int]) -> tuple[Value, Value]:
    """The beat that follows: input and channel."""
    last = Cat((turn == k) & (channel == n - 1) for k, n in enumerate(channels)).any()
    following = Mux(turn == len(channels) - 1, 0, turn + 1)
    return Mux(last, following, turn), Mux(last, 0, channel + 1)


def _in_range(turn: Value, channel: Value, channels: Sequence[int]) -> Value:
    return Cat((turn == k) & (channel < n) for k, n in enumerate(channels)).any()


def _signed(code: Value, fmt: Format) -> Value:
    return code.as_signed() if fmt.signed else code.as_unsigned()
