"""From a word of the program to the word of the data memory and the lanes that it means.

D  word decoded, registers read           (in `Sequencer`)
A  plane; tap · dilation
B  + offset
C  + output word · stride: input coordinate; a capture's, the output word itself
E  coordinate → word and lanes, by the pitch
F  plane → words; lanes less the image's place in its batch
G  address
H  + the image buffer's
"""

# By the stubs of amaranth a Component has no `elaborate`.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.overlay.hardware import Overlay
from hw.overlay.rtl.bounds import LANE_BITS, WORD_BITS, Bounds
from hw.overlay.rtl.issue import TRAVEL_BITS
from hw.overlay.rtl.pipeline import Pipeline

SLOT_BITS = 13
COORDINATE_BITS = 12
PITCH_BITS = 4
PLACE_BITS = 2
MOST_LANE_BITS = 6
"""Of a lane's number in the largest grid."""

AXES = ("y", "x")


def request(overlay: Overlay) -> data.StructLayout:
    """A decoded word, as it leaves stage D.

    weight, capture, bound: what it is
    plane: base of it, and slot: added to it
    image, buffer: whether it lies in the image's buffer, and in which
    For each axis: tap, dilation, stride, offset; pitch, log2, of what the word means, pitch_out
        that of the output; cut, place; select: class of a capture; which: bound that is set
    value: of a bound
    pass_end, last: see `Fetch`
    """
    axes = {
        "tap": 4,
        "dilation": 4,
        "stride": 4,
        "offset": signed(8),
        "pitch": signed(PITCH_BITS),
        "pitch_out": signed(PITCH_BITS),
        "cut": 1,
        "place": PLACE_BITS,
        "select": 2,
        "which": 3,
    }
    flags = ("weight", "capture", "bound", "image", "buffer", "pass_end", "last")
    return data.StructLayout(
        {
            **dict.fromkeys(flags, 1),
            "plane": 12,
            "slot": SLOT_BITS,
            "value": 9,
            **{f"{name}_{axis}": shape for name, shape in axes.items() for axis in AXES},
        }
    )


class Addresses(wiring.Component):
    """The stages from A to H.

    Members
    -------
    go: whether words move on
    run: see `Sequencer`
    i: of the word in stage D
    image_step: words from the first image buffer to the second
    address, down, right, rows_written, columns_written, rows_beyond, columns_beyond: of the word
        that has left stage H, LATENCY cycles of `go` after D
    """

    LATENCY = 8

    def __init__(self, overlay: Overlay):
        self.overlay = overlay
        self.address_bits = (overlay.words - 1).bit_length()
        super().__init__(
            {
                "go": In(1),
                "run": In(1),
                "i": In(request(overlay)),
                "image_step": In(self.address_bits),
                "address": Out(self.address_bits),
                "down": Out(signed(TRAVEL_BITS)),
                "right": Out(signed(TRAVEL_BITS)),
                "rows_written": Out(overlay.rows),
                "columns_written": Out(overlay.columns),
                "rows_beyond": Out(overlay.rows),
                "columns_beyond": Out(overlay.columns),
            }
        )

    def elaborate(self, platform):
        m = Module()
        names = [name for name, _ in request(self.overlay)]
        p = Pipeline(m, self.go, **{name: self.i[name] for name in names})

        def both(*kinds: str) -> list[str]:
            return [f"{kind}_{axis}" for kind in kinds for axis in AXES]

        late = ["weight", "image", "buffer", *both("pitch", "cut", "place", "select", "which")]
        middle = [*late, "capture", "bound", "value", "pass_end", "last"]
        middle += both("stride", "pitch_out")
        p.advance("a", [*middle, "plane", "slot", *both("tap", "dilation", "offset")])
        p.advance(
            "b",
            [*middle, *both("offset")],
            plane=(p.plane + p.slot)[:SLOT_BITS],
            # Exact in eight bits, as partial sums: nothing here is a multiplier.
            **{
                f"far_{axis}": times(getattr(p, f"tap_{axis}"), getattr(p, f"dilation_{axis}"))
                for axis in AXES
            },
        )
        near = {
            f"near_{axis}": cut_to(
                getattr(p, f"far_{axis}") + getattr(p, f"offset_{axis}").as_signed(),
                COORDINATE_BITS,
            )
            for axis in AXES
        }
        p.advance("c", [*middle, "plane"], **near)
        words, positions = self._output_word(m, p)
        at = {}
        for axis in AXES:
            coordinate = Signal(signed(COORDINATE_BITS), name=f"coordinate_{axis}")
            m.d.comb += coordinate.eq(getattr(p, f"near_{axis}").as_signed() + positions[axis])
            with m.If(p.capture):
                m.d.comb += coordinate.eq(words[axis])
            with m.If(p.bound):
                m.d.comb += coordinate.eq(p.value)
            at[f"at_{axis}"] = coordinate
        p.advance("e", [*late, "plane"], **at)
        split = {}
        for axis in AXES:
            pitch = getattr(p, f"pitch_{axis}").as_signed()
            word, lanes = self._split(m, axis, getattr(p, f"at_{axis}").as_signed(), pitch)
            split |= {f"word_{axis}": word, f"lanes_{axis}": lanes}
            # Lanes far apart, a bound far off: its lane has more bits than there are.
            beyond = getattr(p, f"at_{axis}")[MOST_LANE_BITS:].any()
            split[f"far_{axis}"] = (pitch < 0) & beyond
            split[f"spacing_{axis}"] = ones(m, f"spacing_{axis}", -pitch, LANE_BITS)
            split[f"shift_{axis}"] = Mux(pitch < 0, 0, pitch)[: PITCH_BITS - 1]
        p.advance("f", [*late, "plane"], **split)
        self._bounds(m, p)
        travel = {}
        for axis in AXES:
            lanes = getattr(p, f"lanes_{axis}").as_signed()
            # Where the input has all images of the batch, each is in its place already.
            apart = getattr(p, f"pitch_{axis}").as_signed() >= 0
            place = Mux(getattr(p, f"cut_{axis}") & apart, getattr(p, f"place_{axis}"), 0)
            travel[f"travel_{axis}"] = Mux(p.weight, cut_to(lanes - place, TRAVEL_BITS), 0)
        fine = Signal(self.address_bits)
        m.d.comb += fine.eq((p.word_y << p.shift_x) | p.word_x)
        together = Signal(PITCH_BITS)
        m.d.comb += together.eq(p.shift_y + p.shift_x)
        p.advance(
            "g",
            ["image", "buffer"],
            fine=fine,
            rest=together[2:],
            coarse=(p.plane << together[:2])[: self.address_bits],
            **travel,
        )
        coarse = (p.coarse << (p.rest << 2))[: self.address_bits]
        p.advance(
            "h",
            both("travel"),
            address=coarse | p.fine,
            further=Mux(p.image & p.buffer, self.image_step, 0),
        )
        p.advance("x", both("travel"), address=(p.address + p.further)[: self.address_bits])
        m.d.comb += [
            self.address.eq(p.address),
            self.down.eq(p.travel_y.as_signed()),
            self.right.eq(p.travel_x.as_signed()),
        ]
        return m

    def _output_word(self, m: Module, p: Pipeline) -> tuple[dict, dict]:
        """Word of the output plane and its coordinate times the stride, by axis, in stage C."""
        words = {axis: Signal(WORD_BITS, name=f"output_word_{axis}") for axis in AXES}
        positions = {axis: Signal(COORDINATE_BITS - 1, name=f"position_{axis}") for axis in AXES}
        widest = ones(m, "widest", p.pitch_out_x.as_signed(), WORD_BITS)
        with m.If(self.go & p.pass_end):
            with m.If(words["x"] == widest):
                m.d.sync += [
                    words["x"].eq(0),
                    positions["x"].eq(0),
                    words["y"].eq(words["y"] + 1),
                    positions["y"].eq(positions["y"] + p.stride_y),
                ]
            with m.Else():
                m.d.sync += [
                    words["x"].eq(words["x"] + 1),
                    positions["x"].eq(positions["x"] + p.stride_x),
                ]
            with m.If(p.last):
                for axis in AXES:
                    m.d.sync += [words[axis].eq(0), positions[axis].eq(0)]
        return words, positions

    def _split(self, m: Module, axis: str, at: Value, pitch: Value) -> tuple[Value, Value]:
        """Word and lanes of a coordinate."""
        word = Signal(WORD_BITS, name=f"split_word_{axis}")
        lanes = Signal(signed(LANE_BITS), name=f"split_lanes_{axis}")
        m.d.comb += word.eq(at[:WORD_BITS] & ones(m, f"inner_{axis}", pitch, WORD_BITS))
        # To the right by the pitch, to the left by its opposite: always to the right.
        low = 1 << (PITCH_BITS - 1)
        distance = Signal(PITCH_BITS, name=f"distance_{axis}")
        m.d.comb += distance.eq(pitch.as_unsigned() ^ low)
        m.d.comb += lanes.eq((Cat(Const(0, low), at).as_signed() >> distance)[:LANE_BITS])
        return word, lanes

    def _bounds(self, m: Module, p: Pipeline) -> None:
        """Rows and columns of captures; begins in stage F."""
        for axis, lanes, name in (
            ("y", self.overlay.rows, "rows"),
            ("x", self.overlay.columns, "columns"),
        ):
            bounds = Bounds(lanes, PLACE_BITS)
            m.submodules[f"{name}_bounds"] = bounds
            m.d.comb += [
                bounds.go.eq(self.go),
                bounds.run.eq(self.run),
                bounds.set.eq(getattr(p, f"which_{axis}")),
                bounds.bound_lane.eq(getattr(p, f"lanes_{axis}")),
                bounds.far.eq(getattr(p, f"far_{axis}")),
                bounds.word.eq(getattr(p, f"word_{axis}")),
            ]
            for signal in ("select", "cut", "place", "spacing"):
                late = Signal.like(getattr(bounds, signal), name=f"{name}_{signal}")
                with m.If(self.go):
                    m.d.sync += late.eq(getattr(p, f"{signal}_{axis}"))
                m.d.comb += getattr(bounds, signal).eq(late)
            m.d.comb += [
                getattr(self, f"{name}_written").eq(bounds.written),
                getattr(self, f"{name}_beyond").eq(bounds.beyond),
            ]


def times(left: Value, right: Value) -> Value:
    """The product of two numbers of four bits, in eight."""
    parts = [Mux(right[bit], left, 0) << bit for bit in range(4)]
    return ((parts[0] + parts[1]) + (parts[2] + parts[3]))[:8]


def cut_to(value: Value, bits: int) -> Value:
    """The low bits of a signed number that fits."""
    return value[:bits].as_signed()


def ones(m: Module, name: str, count: Value, bits: int) -> Signal:
    """So many ones; none for a negative count."""
    found = Signal(bits, name=f"{name}_ones")
    m.d.comb += [found[bit].eq(count > bit) for bit in range(bits)]
    return found
