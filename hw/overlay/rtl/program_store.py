"""The program's memory, and what fills it: header and CRC are checked before anything runs."""

# By the stubs of amaranth a Component has no `elaborate`, a flipped interface is none.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.overlay import isa
from hw.overlay.hardware import Overlay
from hw.overlay.header import CHECKED, FIELDS, KEPT, MAGIC, STEPS, Status
from hw.overlay.rtl import cells
from hw.overlay.rtl.about import about

_POLYNOMIAL = 0xEDB88320
_START = 0xFFFFFFFF
_WHOLE = 0xDEBB20E3
"""The CRC's register after all words and their CRC."""

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
    crc: of the program that is there
    about: of the program that is there
    step, words: one of the header's steps, see `Loader`
    address, next, word: to read it, two cycles of `next` from address to word
    """

    def __init__(self, overlay: Overlay):
        self.overlay = overlay
        self.address_bits = (overlay.program_words - 1).bit_length()
        self.step_bits = (overlay.words - 1).bit_length()
        super().__init__(
            {
                "i": In(stream.Signature(program_word())),
                "pending": Out(1),
                "open": In(1),
                "ready": Out(1),
                "status": Out(Status),
                "crc": Out(32),
                "about": Out(about(overlay)),
                "step": In(range(len(STEPS) + 1)),
                "words": Out(self.step_bits),
                "address": In(self.address_bits),
                "next": In(1),
                "word": Out(isa.WORD_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        word = Signal(isa.WORD_BITS)
        last = Signal()
        crc = Signal(32, init=_START)
        # Header words come first, then those of the program, then two of the CRC.
        number = Signal(range(len(FIELDS) + 1))
        at = Signal(self.address_bits + 1)
        length = Signal(self.address_bits + 1)
        whole = Signal()
        end = Signal()
        part = Signal(range(isa.WORD_BITS // _DIGESTED))
        status = Signal(Status)
        taken = Signal()
        use = Signal()
        m.d.comb += [self.status.eq(status), self.ready.eq(status == Status.READY)]
        # There is time for it between two words.
        m.d.sync += whole.eq(at == length)
        self._memory(m, at, word, taken)
        self._steps(m, number, word, use)
        with m.FSM(init="WAIT"):
            with m.State("WAIT"):
                m.d.comb += self.pending.eq(self.i.valid)
                with m.If(self.i.valid & self.open):
                    m.d.sync += [
                        status.eq(Status.LOADING),
                        crc.eq(_START),
                        number.eq(0),
                        at.eq(0),
                        end.eq(0),
                    ]
                    m.next = "TAKE"
            with m.State("TAKE"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [word.eq(self.i.payload.word), last.eq(self.i.payload.last), part.eq(0)]
                with m.If(self.i.valid):
                    m.next = "DIGEST"
            with m.State("DIGEST"):
                bits = (word >> Cat(Const(0, 2), part))[:_DIGESTED]
                m.d.sync += [crc.eq(digested(crc, bits)), part.eq(part + 1)]
                with m.If(part == isa.WORD_BITS // _DIGESTED - 1):
                    m.next = "USE"
            with m.State("USE"):
                m.next = "TAKE"
                m.d.comb += use.eq(status == Status.LOADING)
                with m.If(last):
                    m.next = "WAIT"
        with m.If(use):
            with m.If(number < len(FIELDS)):
                m.d.sync += number.eq(number + 1)
                with m.If(last):
                    m.d.sync += status.eq(Status.DAMAGED)
                self._check(m, number, word, length, status)
            with m.Elif(~whole):
                m.d.comb += taken.eq(1)
                # The program's last word leaves what it says here.
                m.d.sync += [at.eq(at + 1), self.crc.eq(~crc)]
                with m.If(last):
                    m.d.sync += status.eq(Status.DAMAGED)
            with m.Else():
                m.d.sync += end.eq(1)
                with m.If(last != end):
                    m.d.sync += status.eq(Status.DAMAGED)
                with m.Elif(last):
                    m.d.sync += status.eq(Mux(crc == _WHOLE, Status.READY, Status.DAMAGED))
        return m

    def _memory(self, m: Module, at: Value, word: Value, taken: Value) -> None:
        """The program's words."""
        bits = [n for n, depth in cells.NARROW_DEPTHS.items() if depth >= 1 << self.address_bits]
        if self.overlay.fabric == "ecp5" and bits:
            for low in range(0, isa.WORD_BITS, bits[-1]):
                part = slice(low, low + bits[-1])
                m.submodules[f"block{low}"] = cells.narrow_ram(
                    bits[-1],
                    write_address=_padded(at[: self.address_bits], bits[-1]),
                    write=taken,
                    write_data=word[part],
                    read_address=_padded(self.address, bits[-1]),
                    enable=self.next,
                    read_data=self.word[part],
                )
            return
        m.submodules.memory = memory = Memory(  # pyright: ignore[reportCallIssue]
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
        reader = memory.read_port()
        writer = memory.write_port()
        shown = Signal(isa.WORD_BITS, reset_less=True)
        with m.If(self.next):
            m.d.sync += shown.eq(reader.data)
        m.d.comb += [
            reader.addr.eq(self.address),
            reader.en.eq(self.next),
            self.word.eq(shown),
            writer.addr.eq(at),
            writer.data.eq(word),
            writer.en.eq(taken),
        ]

    def _steps(self, m: Module, number: Value, word: Value, use: Value) -> None:
        """The header's steps, and what comes behind them: a chain, in which each finds its place.

        A step that has no number is no words: nothing is written there.
        """
        m.submodules.steps = steps = Memory(  # pyright: ignore[reportCallIssue]
            shape=unsigned(self.step_bits),
            depth=2 * len(STEPS),
            init=[],
            attrs={"ram_style": "distributed", "syn_ramstyle": "distributed"},
        )
        assert len(CHECKED) == len(STEPS) == 8
        reader = steps.read_port(domain="comb")
        writer = steps.write_port()
        m.d.comb += [
            reader.addr.eq(self.step),
            self.words.eq(reader.data),
            writer.addr.eq(number[:3]),
            writer.data.eq(word),
            writer.en.eq(use & number[3] & ~number[4]),
        ]
        kept = [Signal(isa.WORD_BITS, name=name) for name in KEPT]
        with m.If(use & number[4]):
            with m.If(number < len(FIELDS)):
                for held, following in zip(kept, [*kept[1:], word], strict=True):
                    m.d.sync += held.eq(following)
        values = dict(zip(KEPT, kept, strict=True))
        suffix = Cat(values.pop("suffix_low"), values.pop("suffix_high"))
        batch, wrap = values.pop("batch"), values.pop("wrap")
        m.d.comb += [
            self.about.suffix.eq(suffix),
            self.about.columns.eq(batch[:2]),
            self.about.rows.eq(batch[2:4]),
            self.about.wrap_x.eq(wrap[:8]),
            self.about.wrap_y.eq(wrap[8:]),
            *(self.about[name].eq(value) for name, value in values.items()),
        ]

    def _check(self, m: Module, number: Value, word: Value, length: Signal, status: Signal) -> None:
        """A word of the header's first part."""
        fingerprint, most = self.overlay.fingerprint, self.overlay.program_words
        wanted = {
            "magic": (MAGIC, Status.NO_PROGRAM),
            "version": (isa.VERSION, Status.OTHER_VERSION),
            "fingerprint_high": (fingerprint >> 16, Status.OTHER_OVERLAY),
            "fingerprint_low": (fingerprint & 0xFFFF, Status.OTHER_OVERLAY),
        }
        for name, (value, otherwise) in wanted.items():
            with m.If((number == FIELDS.index(name)) & (word != value)):
                m.d.sync += status.eq(otherwise)
        with m.If(number == FIELDS.index("length_high")):
            m.d.sync += length[16:].eq(word)
            with m.If(word > most >> 16):
                m.d.sync += status.eq(Status.TOO_LONG)
        with m.If(number == FIELDS.index("length_low")):
            m.d.sync += length[:16].eq(word)
            whole = Cat(word, length[16:])
            with m.If(whole > most):
                m.d.sync += status.eq(Status.TOO_LONG)
            with m.If(whole == 0):
                m.d.sync += status.eq(Status.DAMAGED)


def _padded(address: Value, bits: int) -> Value:
    """An address of a block RAM of words of so many bits."""
    return Cat(address, Const(0, (cells.NARROW_DEPTHS[bits] - 1).bit_length() - len(address)))


def digested(crc: Value, bits: Value) -> Value:
    """The CRC after some bits more, lowest first."""
    for bit in bits:
        crc = (crc >> 1) ^ Mux(crc[0] ^ bit, _POLYNOMIAL, 0)
    return crc
