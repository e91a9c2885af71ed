"""From a word of the program to the word of the data memory and the lanes that it means.

D  word decoded, registers read           (in `Sequencer`)
A  plane; tap · dilation
B  + offset
C  output word, and its coordinate: word · stride
E  input coordinate: the sum of both
F  coordinate → word and lanes, by the pitch
G  plane → words; lanes less the image's place in its batch
H  address; lanes without their sign
I  + the image buffer's; lanes of both axes

A capture's word is the output word itself, a bound's coordinate goes the way of the offset.
"""

# By the stubs of amaranth a Component has no `elaborate`.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.overlay.hardware import Overlay
from hw.overlay.isa import COORDINATE_BITS
from hw.overlay.rtl.bounds import WORD_BITS, Bounds
from hw.overlay.rtl.issue import travel
from hw.overlay.rtl.pipeline import Pipeline

PITCH_BITS = 4
PLACE_BITS = 2

AXES = ("y", "x")


def request(overlay: Overlay) -> data.StructLayout:
    """A decoded word, as it leaves stage D.

    weight, capture: what it is
    plane: base of it, and slot: added to it
    image, buffer: whether it lies in the image's buffer, and in which
    For each axis: tap, dilation, stride, offset (a bound's coordinate); pitch, log2, of what the
        word means; cut, place; select: class of a capture; which:
        bound that is set
    pitch_out_x: pitch of the output
    pass_end, last: see `Fetch`
    """
    axes = {
        "tap": 4,
        "dilation": 4,
        "stride": 4,
        "offset": COORDINATE_BITS,
        "pitch": signed(PITCH_BITS),
        "cut": 1,
        "place": PLACE_BITS,
        "select": 2,
        "which": 3,
    }
    flags = ("weight", "capture", "image", "buffer", "pass_end", "last")
    plane = (overlay.words - 1).bit_length()
    return data.StructLayout(
        {
            **dict.fromkeys(flags, 1),
            "plane": plane,
            "slot": plane,
            "pitch_out_x": signed(PITCH_BITS),
            **{f"{name}_{axis}": shape for name, shape in axes.items() for axis in AXES},
        }
    )


def place(overlay: Overlay) -> data.StructLayout:
    """Where a word reads or writes: fields of `hw.overlay.rtl.issue.step` with the same names."""
    return data.StructLayout(
        {
            "address": (overlay.words - 1).bit_length(),
            "across": travel(overlay.columns),
            "lanes": travel(max(overlay.rows, overlay.columns)) + 1,
            "from_left": 1,
            "from_above": 1,
            "rows_written": overlay.rows,
            "columns_written": overlay.columns,
            "rows_beyond": overlay.rows,
            "columns_beyond": overlay.columns,
        }
    )


class Addresses(wiring.Component):
    """The stages from A to I.

    Members
    -------
    go: whether words move on; of the early stages and of the late ones
    run: see `Sequencer`
    i: of the word in stage D
    image_step: words from the first image buffer to the second
    o: of the word that has left stage I, LATENCY cycles of `go` after D
    travels: if the word in stage I is a weight, its pixel travels
    """

    LATENCY = 9

    def __init__(self, overlay: Overlay):
        self.overlay = overlay
        self.address_bits = (overlay.words - 1).bit_length()
        self.lanes = {"y": overlay.rows, "x": overlay.columns}
        super().__init__(
            {
                "go": In(2),
                "run": In(1),
                "i": In(request(overlay)),
                "image_step": In(self.address_bits),
                "o": Out(place(overlay)),
                "travels": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        names = [name for name, _ in request(self.overlay)]
        p = Pipeline(m, self.go[0], ["pass_end"], **{name: self.i[name] for name in names})

        def both(*kinds: str) -> list[str]:
            return [f"{kind}_{axis}" for kind in kinds for axis in AXES]

        late = ["weight", "capture", "image", "buffer"]
        late += both("pitch", "cut", "place", "select", "which")
        middle = [*late, "plane", "pass_end", "last", "pitch_out_x", *both("stride")]
        p.advance("a", [*middle, "slot", *both("tap", "dilation", "offset")])
        del middle[middle.index("plane")]
        p.advance(
            "b",
            [*middle, *both("offset")],
            plane=cut_to(p.plane + p.slot, self.address_bits),
            # Exact in eight bits, as partial sums: nothing here is a multiplier.
            **{
                f"far_{axis}": times(getattr(p, f"tap_{axis}"), getattr(p, f"dilation_{axis}"))
                for axis in AXES
            },
        )
        near = {
            f"near_{axis}": cut_to(
                getattr(p, f"far_{axis}") + getattr(p, f"offset_{axis}"), COORDINATE_BITS
            )
            for axis in AXES
        }
        middle.remove("pitch_out_x")
        widest = ones(m, "widest", p.pitch_out_x.as_signed(), WORD_BITS)
        p.advance("c", [*middle, "plane"], widest=widest, **near)
        words, positions = self._output_word(m, p)
        p.advance(
            "e",
            [*late, "plane", *both("near")],
            **{f"out_{axis}": words[axis] for axis in AXES},
            **{f"position_{axis}": Mux(p.weight, positions[axis], 0) for axis in AXES},
        )
        at = {
            f"at_{axis}": cut_to(
                getattr(p, f"near_{axis}") + getattr(p, f"position_{axis}"), COORDINATE_BITS
            )
            for axis in AXES
        }
        p.go = self.go[1]
        p.advance("f", [*late, "plane", *both("out")], **at)
        split = {}
        for axis in AXES:
            pitch = getattr(p, f"pitch_{axis}").as_signed()
            word, lanes = self._split(m, axis, p, pitch)
            split |= {f"word_{axis}": word, f"lanes_{axis}": lanes}
            split[f"spacing_{axis}"] = ones(
                m, f"spacing_{axis}", -pitch, (self.lanes[axis] - 1).bit_length()
            )
            split[f"shift_{axis}"] = Mux(pitch < 0, 0, pitch)[: PITCH_BITS - 1]
        p.advance("g", [*late, "plane"], **split)
        self._bounds(m, p)
        travels = {}
        for axis in AXES:
            lanes = getattr(p, f"lanes_{axis}")
            # Where the input has all images of the batch, each is in its place already.
            apart = getattr(p, f"pitch_{axis}").as_signed() >= 0
            own = Mux(getattr(p, f"cut_{axis}") & apart, getattr(p, f"place_{axis}"), 0)
            travels[f"travel_{axis}"] = cut_to(lanes - own, len(lanes))
        fine = Signal(self.address_bits)
        m.d.comb += fine.eq((p.word_y << p.shift_x) | p.word_x)
        together = Signal(PITCH_BITS)
        m.d.comb += together.eq(p.shift_y + p.shift_x)
        p.advance(
            "h",
            ["image", "buffer"],
            fine=fine,
            rest=together[2:],
            coarse=(p.plane << together[:2])[: self.address_bits],
            **travels,
        )
        coarse = (p.coarse << (p.rest << 2))[: self.address_bits]
        lanes = {}
        for axis in AXES:
            signed_lanes = getattr(p, f"travel_{axis}")
            lanes[f"back_{axis}"] = signed_lanes[-1]
            lanes[f"lanes_{axis}"] = Mux(signed_lanes[-1], -signed_lanes, signed_lanes)[
                : travel(self.lanes[axis])
            ]
        p.advance(
            "i",
            [],
            address=coarse | p.fine,
            further=Mux(p.image & p.buffer, self.image_step, 0),
            **lanes,
        )
        m.d.comb += self.travels.eq((p.lanes_y != 0) | (p.lanes_x != 0))
        p.advance(
            "x",
            ["lanes_x", *both("back")],
            address=(p.address + p.further)[: self.address_bits],
            lanes=p.lanes_y + p.lanes_x,
        )
        m.d.comb += [
            self.o.address.eq(p.address),
            self.o.lanes.eq(p.lanes),
            self.o.across.eq(p.lanes_x),
            self.o.from_left.eq(p.back_x),
            self.o.from_above.eq(p.back_y),
        ]
        return m

    def _output_word(self, m: Module, p: Pipeline) -> tuple[dict, dict]:
        """Word of the output plane and its coordinate times the stride, by axis, in stage C."""
        words = {
            axis: Signal(WORD_BITS, name=f"output_word_{axis}", reset_less=True) for axis in AXES
        }
        positions = {
            axis: Signal(COORDINATE_BITS, name=f"position_{axis}", reset_less=True) for axis in AXES
        }
        at_end = Signal()
        m.d.comb += at_end.eq(words["x"] == p.widest)
        with m.If(self.go[0] & p.pass_end):
            m.d.sync += [
                words["x"].eq(words["x"] + 1),
                positions["x"].eq(positions["x"] + p.stride_x),
            ]
            with m.If(at_end):
                m.d.sync += [
                    words["x"].eq(0),
                    positions["x"].eq(0),
                    words["y"].eq(words["y"] + 1),
                    positions["y"].eq(positions["y"] + p.stride_y),
                ]
        # A program may end within a body.
        with m.If((self.go[0] & p.pass_end & p.last) | ~self.run):
            for axis in AXES:
                m.d.sync += [words[axis].eq(0), positions[axis].eq(0)]
        return words, positions

    def _split(self, m: Module, axis: str, p: Pipeline, pitch: Value) -> tuple[Value, Value]:
        """Word and lanes of a coordinate; of a capture, the word it is."""
        at = getattr(p, f"at_{axis}").as_signed()
        word = Signal(WORD_BITS, name=f"split_word_{axis}")
        inner = at[:WORD_BITS] & ones(m, f"inner_{axis}", pitch, WORD_BITS)
        m.d.comb += word.eq(Mux(p.capture, getattr(p, f"out_{axis}"), inner))
        lanes = Signal(travel(self.lanes[axis]) + 1, name=f"split_lanes_{axis}")
        # To the right by the pitch, to the left by its opposite: always to the right.
        low = 1 << (PITCH_BITS - 1)
        distance = Signal(PITCH_BITS, name=f"distance_{axis}")
        m.d.comb += distance.eq(pitch.as_unsigned() ^ low)
        m.d.comb += lanes.eq((Cat(Const(0, low), at).as_signed() >> distance)[: len(lanes)])
        return word, lanes

    def _bounds(self, m: Module, p: Pipeline) -> None:
        """Rows and columns of captures; begins in stage G."""
        for axis, name in (("y", "rows"), ("x", "columns")):
            bounds = Bounds(self.lanes[axis], PLACE_BITS)
            m.submodules[f"{name}_bounds"] = bounds
            m.d.comb += [
                bounds.go.eq(self.go[1]),
                bounds.run.eq(self.run),
                bounds.set.eq(getattr(p, f"which_{axis}")),
                bounds.bound_lane.eq(getattr(p, f"lanes_{axis}")),
                bounds.word.eq(getattr(p, f"word_{axis}")),
            ]
            for signal in ("select", "cut", "place", "spacing"):
                late = Signal.like(
                    getattr(bounds, signal), name=f"{name}_{signal}", reset_less=True
                )
                with m.If(self.go[1]):
                    m.d.sync += late.eq(getattr(p, f"{signal}_{axis}"))
                m.d.comb += getattr(bounds, signal).eq(late)
            m.d.comb += [
                self.o[f"{name}_written"].eq(bounds.written),
                self.o[f"{name}_beyond"].eq(bounds.beyond),
            ]


def times(left: Value, right: Value) -> Value:
    """The product of two numbers of four bits, in eight."""
    parts = [Mux(right[bit], left, 0) << bit for bit in range(4)]
    return ((parts[0] + parts[1]) + (parts[2] + parts[3]))[:8]


def cut_to(value: Value, bits: int) -> Value:
    """The low bits of a number."""
    return value[:bits]


def ones(m: Module, name: str, count: Value, bits: int) -> Signal:
    """So many ones; none for a negative count."""
    found = Signal(bits, name=f"{name}_ones")
    m.d.comb += [found[bit].eq(count > bit) for bit in range(bits)]
    return found
