"""Global average pool: a partial sum a channel, added to with every pixel, divided after the
last."""

# The stubs of amaranth know no integer attributes of a memory.
# pyright: reportArgumentType=false, reportCallIssue=false

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.dataflow.design.pools import GlobalPoolDesign
from hw.dataflow.layers.elements import sums_layout
from hw.dataflow.layers.requantise import Requantise
from hw.dataflow.layers.rounding import signed_of
from hw.dataflow.places import ram
from hw.dataflow.plan import Place
from hw.ir.graph import Shape as FeatureShape


class ChannelSums(wiring.Component):
    """Sum of each channel over a frame; leaves while the frame's last pixel arrives.

    Parameters
    ----------
    shape: of the feature map; x: shape of a beat; width: of a sum

    Members
    -------
    i: input stream; o: sums (`sums_layout`), one a channel

    Latency: none for the last pixel. Throughput: one beat a cycle. Storage: C sums in LUT-RAM.
    """

    def __init__(self, shape: FeatureShape, x: Shape, width: int):
        self.shape, self.x, self.width = shape, x, width
        super().__init__(
            {"i": In(stream.Signature(x)), "o": Out(stream.Signature(sums_layout(width, 1)))}
        )

    def elaborate(self, platform):
        m = Module()
        height, columns, channels = self.shape
        pixels = height * columns
        m.submodules.sums = sums = Memory(
            shape=signed(self.width),
            depth=channels,
            init=[],
            attrs=ram(Place.LUTRAM, apart=False),
        )
        read = sums.read_port(domain="comb")
        write = sums.write_port()
        channel = Signal(range(channels))
        pixel = Signal(range(pixels))
        first = pixel == 0
        last = pixel == pixels - 1
        take = Signal()
        total = Signal(signed(self.width))
        m.d.comb += [
            read.addr.eq(channel),
            write.addr.eq(channel),
            total.eq(Mux(first, 0, read.data) + self.i.payload),
            write.data.eq(total),
            write.en.eq(take),
            self.o.payload.acc[0].eq(total),
            self.o.valid.eq(self.i.valid & last),
            self.i.ready.eq(self.o.ready | ~last),
            take.eq(self.i.valid & self.i.ready),
        ]
        with m.If(take):
            m.d.sync += channel.eq(channel + 1)
            with m.If(channel == channels - 1):
                m.d.sync += [channel.eq(0), pixel.eq(Mux(last, 0, pixel + 1))]
        return m


class GlobalPool(wiring.Component):
    """Submodules `elements` (channel sums) and `requantise` (the mean).

    Members
    -------
    i: input stream; o: output stream, C beats a frame
    """

    def __init__(self, design: GlobalPoolDesign):
        x = signed_of(design.out)
        self.elements = ChannelSums(design.shape, x, design.width)
        self.requantise = Requantise(design.end)
        super().__init__({"i": In(stream.Signature(x)), "o": Out(stream.Signature(x))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.elements = self.elements
        m.submodules.requantise = self.requantise
        wiring.connect(m, wiring.flipped(self.i), self.elements.i)
        wiring.connect(m, self.elements.o, self.requantise.i)
        wiring.connect(m, self.requantise.o, wiring.flipped(self.o))
        return m
