"""The program's memory, and what fills it: header and CRC are checked before anything runs, of a
program that is streamed the header's; each section's when it has come."""

# By the stubs of amaranth a Component has no `elaborate`, a flipped interface is none.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.overlay import isa
from hw.overlay.hardware import Overlay
from hw.overlay.header import CHECKED, FIELDS, KEPT, MAGIC, STEPS, STREAMED, Status
from hw.overlay.isa import Flow
from hw.overlay.rtl import cells
from hw.overlay.rtl.about import about
from hw.overlay.rtl.crc import START, WHOLE, digested
from hw.overlay.rtl.small import incremented

_ENDS = tuple(isa.Jump(flow).pack() >> 8 for flow in (Flow.END_PREFIX, Flow.END_SUFFIX))
"""Upper bytes of the words that sections end with."""


def program_word() -> data.StructLayout:
    """A word of a program's stream, and whether it is the last."""
    return data.StructLayout({"word": isa.WORD_BITS, "last": 1})


class ProgramStore(wiring.Component):
    """Takes one program after the other, a word a cycle.

    A program that is refused leaves none: its packet is read to its end, and the status says why.
    One that is streamed goes round in the memory: a word waits for its room until the one that lies
    there is not asked for any more. It is there from its header's CRC on, until another one comes,
    or something of it is damaged.

    Members
    -------
    i: the program, header first; `last` with its last word
    pending: a program wants to come
    open: it may: nothing runs
    ready: a program is there
    status: see `Status`
    crc: of the program that is there; of one that is streamed its header's
    about: of the program that is there
    step, words: one of the header's steps, see `Loader`
    address, next, word: to read it, two cycles of `next` from address to word
    written, latest, held, starved: see `Fetch`

    Throughput: a word a cycle; a CRC takes one more.
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
                "written": Out(self.address_bits + 1),
                "latest": Out(self.address_bits + 1),
                "held": In(self.address_bits + 1),
                "starved": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # The word under way, and whether there is one.
        word = Signal(isa.WORD_BITS)
        last = Signal()
        there = Signal()
        crc = Signal(32, init=START)
        said = Signal(32, reset_less=True)
        # Header words come first; then those of the program, then two of the CRC, or the other way
        # round.
        number = Signal(range(len(FIELDS) + 1))
        at = Signal(self.address_bits + 1)
        following = Signal(self.address_bits + 1, init=1)
        after = Signal(self.address_bits + 1)
        # What the word under way is: by its length a stored program's last (which has two or more),
        # the end of a section, of a suffix.
        at_length = Signal()
        section_ends = Signal()
        is_suffix = Signal()
        length = Signal(self.address_bits + 1)
        streamed = Signal()
        # The section that ends is a suffix: with it, the stream may end too.
        suffix = Signal()
        status = Signal(Status)
        ready = Signal()
        damaged = [status.eq(Status.DAMAGED), ready.eq(0)]
        latest = Signal(self.address_bits + 1, init=-1)
        asked = Signal()
        # Nothing has run in a cycle in which a program had asked.
        may = Signal()
        taken = Signal()
        full = Signal()
        stuck = Signal()
        use = Signal()
        good = Signal()
        m.d.comb += [
            self.status.eq(status),
            self.crc.eq(~said),
            self.ready.eq(ready),
            self.pending.eq(asked),
            after.eq(following + 1),
            # Before a program, and while a CRC is checked, there is none.
            use.eq(there & ~stuck),
            self.about.streamed.eq(streamed),
            self.written.eq(at),
            self.latest.eq(latest),
        ]
        # Found a cycle before: where the word that is asked for longest moves on, a cycle late.
        with m.If(taken):
            m.d.sync += full.eq((following ^ self.held) == 1 << self.address_bits)
        with m.Else():
            m.d.sync += full.eq((at ^ self.held) == 1 << self.address_bits)
        m.d.sync += may.eq(asked & self.open)
        header = Signal()
        self._memory(m, at, word, taken)
        self._steps(m, number, word, header)
        with m.If(use):
            m.d.sync += [crc.eq(digested(crc, word)), there.eq(0)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                word.eq(self.i.payload.word),
                last.eq(self.i.payload.last),
                there.eq(1),
                is_suffix.eq(self.i.payload.word[8:] == _ENDS[1]),
                section_ends.eq(
                    (self.i.payload.word[8:] == _ENDS[0]) | (self.i.payload.word[8:] == _ENDS[1])
                ),
            ]
        with m.FSM(init="WAIT") as state:
            with m.State("WAIT"):
                # From a register, so that no output depends on the stream at once.
                m.d.sync += asked.eq(self.i.valid)
                with m.If(asked & may):
                    m.d.sync += [
                        asked.eq(0),
                        status.eq(Status.LOADING),
                        ready.eq(0),
                        crc.eq(START),
                        number.eq(0),
                        at.eq(0),
                        following.eq(1),
                        at_length.eq(0),
                        latest.eq(-1),
                        suffix.eq(0),
                        last.eq(0),
                    ]
                    m.next = "HEADER"
            with m.State("HEADER"):
                m.d.comb += header.eq(there)
                with m.If(status != Status.LOADING):
                    m.next = "REST"
                with m.Elif(use):
                    m.d.sync += number.eq(incremented(number))
                    with m.If(number == len(FIELDS) - 1):
                        m.next = "WORDS"
                        with m.If(streamed):
                            m.next = "CRC_LOW"
                    with m.If(last):
                        m.d.sync += damaged
                        m.next = "WAIT"
            with m.State("WORDS"):
                m.d.comb += [stuck.eq(full), taken.eq(there & ~full)]
                with m.If(use):
                    m.d.sync += [latest.eq(at), at.eq(following), following.eq(after)]
                    m.d.sync += at_length.eq(after == length)
                    m.d.sync += [suffix.eq(is_suffix)]
                    with m.If(Mux(streamed, section_ends, at_length)):
                        m.next = "CRC_LOW"
                    with m.If(last):
                        m.d.sync += damaged
                        m.next = "WAIT"
                with m.If(there & full & self.starved):
                    # A body that never ends: what comes behind it finds no room.
                    m.d.sync += damaged
                    m.next = "REST"
            with m.State("CRC_LOW"):
                with m.If(use):
                    m.next = "CRC_HIGH"
                    with m.If(status == Status.LOADING):
                        m.d.sync += said.eq(crc)
                    with m.If(last):
                        m.d.sync += damaged
                        m.next = "WAIT"
            with m.State("CRC_HIGH"):
                with m.If(use):
                    m.next = "CHECK"
            with m.State("CHECK"):
                # A stored program ends here, one that is streamed may do so behind its suffix.
                m.d.comb += good.eq((crc == WHOLE) & Mux(streamed, ~last | suffix, last))
                m.d.sync += [
                    status.eq(Mux(good, Status.READY, Status.DAMAGED)),
                    ready.eq(good),
                    crc.eq(START),
                ]
                m.next = "REST"
                with m.If(last):
                    m.next = "WAIT"
                with m.Elif(good):
                    m.next = "WORDS"
            with m.State("REST"):
                with m.If(last):
                    m.next = "WAIT"
        self._check(m, header & use, number, word, length, streamed, status)
        # Behind a CRC none comes before it is checked: `last` is that of the CRC.
        comes = ~(there & (stuck | state.ongoing("CRC_HIGH")))
        m.d.comb += self.i.ready.eq(~state.ongoing("WAIT") & ~last & comes)
        return m

    def _memory(self, m: Module, at: Value, word: Value, taken: Value) -> None:
        """The program's words."""
        if self.overlay.fabric == "ecp5":
            self._blocks(m, at, word, taken)
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
            writer.addr.eq(at[: self.address_bits]),
            writer.data.eq(word),
            writer.en.eq(taken),
        ]

    def _blocks(self, m: Module, at: Value, word: Value, taken: Value) -> None:
        """The program's words in block RAMs with their output registers: each holds as few bits of
        a word as its depth asks for, and where none is deep enough there are banks of them."""
        deepest = max(cells.NARROW_DEPTHS.values())
        depth = min(1 << self.address_bits, deepest)
        bits = max(n for n, words in cells.NARROW_DEPTHS.items() if words >= depth)
        inside = (depth - 1).bit_length()
        chosen = [self.address[inside:]]
        for stage in range(2):
            # As late as the word.
            held = Signal(self.address_bits - inside, name=f"bank{stage}", reset_less=True)
            with m.If(self.next):
                m.d.sync += held.eq(chosen[-1])
            chosen.append(held)
        words = []
        for bank in range(1 << (self.address_bits - inside)):
            read = Signal(isa.WORD_BITS, name=f"word{bank}")
            words.append(read)
            for low in range(0, isa.WORD_BITS, bits):
                part = slice(low, low + bits)
                m.submodules[f"bank{bank}_block{low}"] = cells.narrow_ram(
                    bits,
                    write_address=_padded(at[:inside], bits),
                    write=taken & (at[inside : self.address_bits] == bank),
                    write_data=word[part],
                    read_address=_padded(self.address[:inside], bits),
                    enable=self.next,
                    read_data=read[part],
                )
        with m.Switch(chosen[-1]):
            for bank, read in enumerate(words):
                with m.Case(bank) if bank < len(words) - 1 else m.Default():
                    m.d.comb += self.word.eq(read)

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

    def _check(
        self,
        m: Module,
        use: Value,
        number: Value,
        word: Value,
        length: Signal,
        streamed: Signal,
        status: Signal,
    ) -> None:
        """A word of the header's first part."""
        assert STREAMED == 1 << (isa.WORD_BITS - 1)
        fingerprint, most = self.overlay.fingerprint, self.overlay.program_words
        wanted = {
            "magic": (MAGIC, Status.NO_PROGRAM),
            "version": (isa.VERSION, Status.OTHER_VERSION),
            "fingerprint_high": (fingerprint >> 16, Status.OTHER_OVERLAY),
            "fingerprint_low": (fingerprint & 0xFFFF, Status.OTHER_OVERLAY),
        }
        # What is wrong is said a cycle later: what was wrong first, or of the packet's last word.
        open_yet = Signal()
        m.d.comb += open_yet.eq((status == Status.LOADING) | (status == Status.DAMAGED))
        wrong = {name: Signal(name=f"wrong_{name}") for name in [*wanted, "long", "none"]}
        m.d.sync += [flag.eq(0) for flag in wrong.values()]
        for name, (value, otherwise) in wanted.items():
            with m.If(use & (number == FIELDS.index(name))):
                m.d.sync += wrong[name].eq(word != value)
            with m.If(wrong[name] & open_yet):
                m.d.sync += status.eq(otherwise)
        with m.If(use & (number == FIELDS.index("length_high"))):
            m.d.sync += [length[16:].eq(word), streamed.eq(word[-1])]
            m.d.sync += wrong["long"].eq((word > most >> 16) & ~word[-1])
        with m.If(use & (number == FIELDS.index("length_low"))):
            m.d.sync += length[:16].eq(word)
            whole = Cat(word, length[16:])
            m.d.sync += wrong["long"].eq((whole > most) & ~streamed)
            m.d.sync += wrong["none"].eq(whole == 0)
        with m.If(wrong["long"] & open_yet):
            m.d.sync += status.eq(Status.TOO_LONG)
        with m.If(wrong["none"] & open_yet):
            m.d.sync += status.eq(Status.DAMAGED)


def _padded(address: Value, bits: int) -> Value:
    """An address of a block RAM of words of so many bits."""
    return Cat(address, Const(0, (cells.NARROW_DEPTHS[bits] - 1).bit_length() - len(address)))
