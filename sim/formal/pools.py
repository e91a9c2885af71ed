"""What is proved of the global average pool of hw.dataflow.layers.global_pool.

Output beat c of a frame is the mean of channel c over all pixels of that frame, as docs/numerics.md
divides; frames follow each other without a pause. Beats of all pixels but the last are taken at
once; of the last one, when the requantiser is free. Nothing is assumed of the two sides: that a sum
is one of so many codes, which the proof of the division assumes, is a lemma here.
"""

from amaranth.hdl import Array, Cat, Const, Mux, Value, signed
from amaranth.lib import data

from hw.dataflow.design.pools import GlobalPoolDesign
from hw.dataflow.design.requantiser import mean_design
from hw.dataflow.design.scales import sum_width
from hw.dataflow.layers.global_pool import GlobalPool
from hw.ir.format import Format
from hw.ir.graph import Shape as FeatureShape
from sim.formal.bench import Bench, implies
from sim.formal.requantisers import serial_lemmas
from sim.formal.spec import mean_of


def global_pool(shape: FeatureShape, fmt: Format) -> Bench:
    """The pool of feature maps of this shape, of more than one pixel."""
    pixels, channels = shape[0] * shape[1], shape[2]
    width = sum_width(fmt.qmin, fmt.qmax, pixels)
    end = mean_design(fmt, (pixels,), width)
    bench = Bench(GlobalPool(GlobalPoolDesign("pool", shape, fmt, width, end)))
    m, i, o = bench.module, bench.source("i"), bench.sink("o")
    pixel = bench.register("pixel", range(pixels))
    channel = bench.register("channel", range(max(channels, 2)))
    # Two bits to spare: that the sum fits is proved.
    so_far = [bench.register(f"sum{c}", signed(width + 2)) for c in range(channels)]
    last_pixel, last_channel = pixel == pixels - 1, channel == channels - 1
    total = bench.named("total", Array(so_far)[channel] + i.payload, signed(width + 2))
    close = bench.named("close", i.transfer & last_pixel)
    with m.If(i.transfer):
        m.d.sync += channel.eq(Mux(last_channel, 0, channel + 1))
        with m.If(last_channel):
            m.d.sync += pixel.eq(Mux(last_pixel, 0, pixel + 1))
        for c, one in enumerate(so_far):
            with m.If(channel == c):
                m.d.sync += one.eq(Mux(last_pixel, 0, total))

    # The division: `age` cycles after a sum was complete; 0: none.
    done = end.digits + 2
    age, group = bench.register("age", range(done + 1)), bench.register("group", signed(width + 2))
    of = bench.register("of_channel", channel.shape())
    with m.If(close):
        m.d.sync += [age.eq(1), group.eq(total), of.eq(channel)]
    with m.Elif(o.transfer):
        m.d.sync += age.eq(0)
    with m.Elif((age != 0) & (age != done)):
        m.d.sync += age.eq(age + 1)
    given = bench.register("given", channel.shape())
    with m.If(o.transfer):
        m.d.sync += given.eq(Mux(given == channels - 1, 0, given + 1))

    bench.rule("offered_on_time", o.valid == (age == done))
    free = (age == 0) | o.transfer
    bench.rule("takes_when_it_can", i.ready == (~last_pixel | free))
    bench.rule("channels_in_turn", implies(o.valid, of == given))
    bench.rule("right", implies(o.valid, o.payload == mean_of(group, pixels, fmt)))

    bench.lemma("pixel_in_range", pixel < pixels)
    bench.lemma("channel_in_range", (channel < channels) & (given < channels))
    bench.lemma("division_of_next", implies(age != 0, of == given))
    due = Mux(age == 0, given, Mux(given == channels - 1, 0, given + 1))
    bench.lemma("channels_divided_in_turn", due == Mux(last_pixel, channel, 0))
    bench.lemma("sum_in_range", _sum_of(group, pixels, fmt))
    for c, one in enumerate(so_far):
        passed = channel > c
        finished = last_pixel & passed
        count = Mux(finished, 0, pixel + passed)
        bench.lemma(f"sum{c}_in_range", _sum_of(one, count, fmt))
        row = bench.memory("elements.sums", signed(width), channels)[c]
        kept = ((pixel != 0) | passed) & ~finished
        bench.lemma(f"sum{c}_stored", implies(kept, row == one))
    bench.lemma("same_pixel", bench.probe("elements.pixel", range(pixels)) == pixel)
    if channels > 1:
        bench.lemma("same_channel", bench.probe("elements.channel", range(channels)) == channel)
    layout = data.StructLayout({"acc": data.ArrayLayout(signed(width + 2), 1)})
    serial_lemmas(
        bench, end, age, Const(0), Const(0), Const(0), data.View(layout, group.as_unsigned()),
        "requantise.",
    )  # fmt: skip
    bench.cover("largest_mean", o.transfer & (o.payload == fmt.qmax))
    bench.cover("smallest_mean", o.transfer & (o.payload == fmt.qmin))
    bench.cover("last_pixel_waits", i.valid & ~i.ready)
    bench.cover("next_frame_meanwhile", (pixel == 0) & i.transfer & (age != 0))
    return bench


def _sum_of(value: Value, count, fmt: Format) -> Value:
    """The value can be a sum of so many codes."""
    return Cat(value >= count * fmt.qmin, value <= count * fmt.qmax).all()
