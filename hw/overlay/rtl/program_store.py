"""The program's memory, and what fills it: header and CRC are checked before anything runs."""

# By the stubs of amaranth a Component has no `elaborate`, a flipped interface is none.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.overlay import isa
from hw.overlay.hardware import Overlay
from hw.overlay.header import FIELDS, MAGIC, Status
from hw.overlay.rtl.about import about

_POLYNOMIAL = 0xEDB88320
_REMAINDER = 0xFFFFFFFF
_DIGESTED = 4
"""Bits of a word that go into the CRC in a cycle: more take more look-up tables."""


def program_word() -> data.StructLayout:
    """A word of a program's stream, and whether it is the last."""
    return data.StructLayout({"word": isa.WORD_BITS, "last": 1})


class ProgramStore(wiring.Component):
    """Takes one program after the other; a word takes 6 cycles, four of them for its CRC.

    A program that is refused leaves none: its packet is read to its end, and the status says why.

    Members
    -------
    i: the program, header first; `last` with its last word
    pending: a program wants to come
    open: it may: nothing runs
    ready: a program is there
    status: see `Status`
    crc: of the program that came last
    about: of the program that is there
    address, next, word: to read it, two cycles of `next` from address to word
    """

    def __init__(self, overlay: Overlay):
        self.overlay = overlay
        self.address_bits = (overlay.program_words - 1).bit_length()
        super().__init__(
            {
                "i": In(stream.Signature(program_word())),
                "pending": Out(1),
                "open": In(1),
                "ready": Out(1),
                "status": Out(Status),
                "crc": Out(32),
                "about": Out(about(overlay)),
                "address": In(self.address_bits),
                "next": In(1),
                "word": Out(isa.WORD_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        memory = Memory(  # pyright: ignore[reportCallIssue]
            shape=unsigned(isa.WORD_BITS),
            depth=1 << self.address_bits,
            init=[],
            attrs={
                "no_rw_check": 1,
                "ram_style": "block",
                "syn_ramstyle": "block_ram",
                "uninitialised": 1,
            },
        )
        m.submodules.memory = memory
        reader = memory.read_port()
        writer = memory.write_port()
        shown = Signal(isa.WORD_BITS, reset_less=True)
        with m.If(self.next):
            m.d.sync += shown.eq(reader.data)
        m.d.comb += [
            reader.addr.eq(self.address),
            reader.en.eq(self.next),
            self.word.eq(shown),
        ]
        word = Signal(isa.WORD_BITS)
        last = Signal()
        crc = Signal(32, init=_REMAINDER)
        # Header words come first, then those of the program, then two of the CRC.
        number = Signal(range(len(FIELDS) + 1))
        left = Signal(32)
        at = Signal(self.address_bits)
        ends = Signal(2)
        part = Signal(range(isa.WORD_BITS // _DIGESTED))
        status = Signal(Status)
        state = _States(status)
        m.d.comb += [
            self.status.eq(status),
            self.crc.eq(~crc),
            self.ready.eq(status == Status.READY),
            writer.addr.eq(at),
            writer.data.eq(word),
        ]
        with m.FSM(init="WAIT"):
            with m.State("WAIT"):
                m.d.comb += self.pending.eq(self.i.valid)
                with m.If(self.i.valid & self.open):
                    m.d.sync += [
                        status.eq(Status.LOADING),
                        crc.eq(_REMAINDER),
                        number.eq(0),
                        at.eq(0),
                        ends.eq(0),
                    ]
                    m.next = "TAKE"
            with m.State("TAKE"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [word.eq(self.i.payload.word), last.eq(self.i.payload.last), part.eq(0)]
                with m.If(self.i.valid):
                    m.next = "DIGEST"
            with m.State("DIGEST"):
                # The CRC's own words are compared, not counted in.
                with m.If((number < len(FIELDS)) | (left != 0)):
                    m.d.sync += [
                        crc.eq(digested(crc, word[:_DIGESTED])),
                        word.eq(word.rotate_right(_DIGESTED)),
                    ]
                m.d.sync += part.eq(part + 1)
                with m.If(part == isa.WORD_BITS // _DIGESTED - 1):
                    m.next = "USE"
            with m.State("USE"):
                m.next = "TAKE"
                with m.If(status == Status.LOADING):
                    with m.If(number < len(FIELDS)):
                        m.d.sync += number.eq(number + 1)
                        self._header(m, number, word, left, state)
                        with m.If(last):
                            m.d.sync += status.eq(Status.DAMAGED)
                    with m.Elif(left != 0):
                        m.d.comb += writer.en.eq(1)
                        m.d.sync += [at.eq(at + 1), left.eq(left - 1)]
                        with m.If(last):
                            m.d.sync += status.eq(Status.DAMAGED)
                    with m.Else():
                        expected = Mux(ends[0], ~crc[:16], ~crc[16:])
                        m.d.sync += ends.eq(ends + 1)
                        with m.If((word != expected) | (last != ends[0])):
                            m.d.sync += status.eq(Status.DAMAGED)
                        with m.Elif(last):
                            m.d.sync += status.eq(Status.READY)
                with m.If(last):
                    m.next = "WAIT"
        return m

    def _header(self, m: Module, number: Signal, word: Signal, left: Signal, state) -> None:
        """A word of the header is checked, or kept."""
        most = self.overlay.program_words
        about = self.about
        fingerprint = self.overlay.fingerprint
        with m.Switch(number):
            for index, name in enumerate(FIELDS):
                with m.Case(index):
                    match name:
                        case "magic":
                            state.require(m, word == MAGIC, Status.NO_PROGRAM)
                        case "version":
                            state.require(m, word == isa.VERSION, Status.OTHER_VERSION)
                        case "fingerprint_high":
                            state.require(m, word == fingerprint >> 16, Status.OTHER_OVERLAY)
                        case "fingerprint_low":
                            state.require(m, word == fingerprint & 0xFFFF, Status.OTHER_OVERLAY)
                        case "length_high":
                            m.d.sync += left[16:].eq(word)
                        case "length_low":
                            whole = Cat(word, left[16:])
                            m.d.sync += left[:16].eq(word)
                            state.require(m, whole <= most, Status.TOO_LONG)
                            state.require(m, whole != 0, Status.DAMAGED)
                        case "suffix_high":
                            if len(about.suffix) > 16:
                                m.d.sync += about.suffix[16:].eq(word)
                        case "suffix_low":
                            m.d.sync += about.suffix[:16].eq(word)
                        case "batch":
                            m.d.sync += [about.columns.eq(word[:2]), about.rows.eq(word[2:4])]
                        case "pitch":
                            m.d.sync += [about.pitch_x.eq(word[:8]), about.pitch_y.eq(word[8:])]
                        case _:
                            m.d.sync += about[name].eq(word)


def digested(crc: Value, bits: Value) -> Value:
    """The CRC after some bits more, lowest first."""
    for bit in bits:
        crc = (crc >> 1) ^ Mux(crc[0] ^ bit, _POLYNOMIAL, 0)
    return crc


class _States:
    """Refuses a program."""

    def __init__(self, status: Signal):
        self._status = status

    def require(self, m: Module, condition: Value, otherwise: Status) -> None:
        with m.If(~condition):
            m.d.sync += self._status.eq(otherwise)
