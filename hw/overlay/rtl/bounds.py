"""Which rows (or columns) of lanes a capture writes, and which lie beyond the image."""

# By the stubs of amaranth a Component has no `elaborate`.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.overlay import isa
from hw.overlay.isa import Class
from hw.overlay.rtl.small import exceeds

WORD_BITS = 7
"""Of a coordinate's word, as the address stages split it."""


class Bounds(wiring.Component):
    """One axis: three bounds, and for each capture the lanes below them.

    A bound is a coordinate, split by the output's pitch: a lane's pixel lies below it if its lane
    does, or the lane is the same and its word lies below the bound's.

    Parameters
    ----------
    lanes: of the axis
    place_bits: of an image's place in its batch

    Members
    -------
    go: whether words move on
    run: whether a program is there; without it the bounds are what registers of zero say
    set, bound_lane: a bound is set: to the image (bit 0), the first (1) or the last class (2); the
        lane of it
    word: of the bound that is set, or of the output plane for a capture
    select, cut, place, spacing: one cycle later: class of a capture, whether it writes one image of
        a batch, which, and the lanes from a pixel of it to the next, less one
    written, beyond: of each lane, three cycles after `word`
    """

    def __init__(self, lanes: int, place_bits: int):
        self.lanes, self.place_bits = lanes, place_bits
        self.lane_bits = (isa.bound_lanes(lanes) - 1).bit_length()
        super().__init__(
            {
                "go": In(1),
                "run": In(1),
                "set": In(3),
                "bound_lane": In(self.lane_bits),
                "word": In(WORD_BITS),
                "select": In(2),
                "cut": In(1),
                "place": In(place_bits),
                "spacing": In(range(lanes)),
                "written": Out(lanes),
                "beyond": Out(lanes),
            }
        )

    def elaborate(self, platform):
        m = Module()
        every = range(self.lanes)
        # A bound's lane as those before it.
        before = Signal(self.lanes)
        m.d.comb += [before[lane].eq(exceeds(self.bound_lane, lane)) for lane in every]
        below = []
        word = Signal(WORD_BITS, reset_less=True)
        with m.If(self.go):
            m.d.sync += word.eq(self.word)
        for number, name in enumerate(("image", "first", "last")):
            # Pitch and registers are zero: all but the first class end behind their bound.
            lanes = Signal(
                self.lanes, name=f"{name}_lanes", init=int(name != "first"), reset_less=True
            )
            at_word = Signal(WORD_BITS, name=f"{name}_word", reset_less=True)
            further = Signal(name=f"{name}_further")
            within = Signal(self.lanes, name=f"{name}_within", reset_less=True)
            m.d.comb += further.eq(word < at_word)
            with m.If(self.go & self.set[number]):
                m.d.sync += [lanes.eq(before), at_word.eq(self.word)]
            with m.If(~self.run):
                m.d.sync += [lanes.eq(lanes.init), at_word.eq(0)]
            with m.If(self.go):
                m.d.sync += within.eq(Mux(further, Cat(Const(1, 1), lanes), lanes))
            below.append(within)
        self._lanes(m, below)
        return m

    def _lanes(self, m: Module, below: list[Signal]) -> None:
        select = Signal(2, reset_less=True)
        mine = Signal(self.lanes)
        # Images lie as far apart as a power of two: lanes of one remainder are alike.
        alike = {}
        with m.If(self.go):
            m.d.sync += select.eq(self.select)
        for lane in range(self.lanes):
            remainder = lane & ((1 << len(self.spacing)) - 1)
            if remainder not in alike:
                alike[remainder] = held = Signal(name=f"mine{lane}", reset_less=True)
                with m.If(self.go):
                    m.d.sync += held.eq(((remainder & self.spacing) == self.place) | ~self.cut)
            m.d.comb += mine[lane].eq(alike[remainder])
        written = Signal(self.lanes, reset_less=True)
        beyond = Signal(self.lanes, reset_less=True)
        image, first, last = below
        chosen = Signal(self.lanes)
        with m.Switch(select):
            with m.Case(Class.ALL):
                m.d.comb += chosen.eq(~0)
            with m.Case(Class.FIRST):
                m.d.comb += chosen.eq(first)
            with m.Case(Class.MIDDLE):
                m.d.comb += chosen.eq(~first & last)
            with m.Case(Class.LAST):
                m.d.comb += chosen.eq(~last)
        with m.If(self.go):
            m.d.sync += [beyond.eq(~image), written.eq((chosen | ~image) & mine)]
        m.d.comb += [self.written.eq(written), self.beyond.eq(beyond)]
