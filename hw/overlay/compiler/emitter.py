"""Words in their order: registers that are set only when they change, bodies, hazards."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hw.ir.graph import Pair
from hw.overlay import isa
from hw.overlay.compiler.levels import Sum
from hw.overlay.compiler.placement import words as words_of
from hw.overlay.isa import Capture, Class, Dest, Flow, Jump, Mode, Register, Word

NOP = Jump(Flow.NOP).pack()


@dataclass(frozen=True, kw_only=True)
class View:
    """How weights find their pixels, and where captures go.

    Parameters
    ----------
    pitch_in, pitch_out: log2
    size: rows and columns of what is written
    relu: negative pixels are read as zero
    image: what is read lies in the image's buffer
    cut: on which axes one image of a batch is written
    tap_bits: of each axis
    """

    pitch_in: Pair
    pitch_out: Pair
    size: Pair
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    offset: Pair = (0, 0)
    relu: bool = False
    image: bool = False
    cut: tuple[bool, bool] = (False, False)
    tap_bits: int = 0


@dataclass
class Group:
    """What is done for each word of the planes that it captures.

    Members
    -------
    words: packed; reads: for each, the first word of the plane that it reads, or −1
    captures: index of a capture among the words, and the plane that it writes
    """

    words: list[np.ndarray] = field(default_factory=list)
    reads: list[np.ndarray] = field(default_factory=list)
    captures: list[tuple[int, int]] = field(default_factory=list)
    length: int = 0

    def add(self, packed: np.ndarray, reads: np.ndarray) -> None:
        self.words.append(packed)
        self.reads.append(reads)
        self.length += len(packed)

    def sum(self, found: Sum) -> None:
        """The words of a sum."""
        self.add(found.words, found.reads)

    def word(self, *words: Word, plane: int = -1) -> None:
        """Single words; `plane`: that each of them reads."""
        packed = np.array([word.pack() for word in words], np.uint16)
        self.add(packed, np.full(len(packed), plane))

    def packed(self, values: Sequence[int]) -> None:
        """Packed words that read nothing."""
        self.add(np.array(values, np.uint16), np.full(len(values), -1))

    def capture(
        self,
        plane: int,
        mode: Mode,
        *,
        clear: bool = True,
        rows: Class = Class.ALL,
        columns: Class = Class.ALL,
    ) -> None:
        self.captures.append((self.length, plane))
        self.word(Capture(mode, clear, False, 0, rows, columns))


class Emitter:
    """Writes the sections of a program."""

    def __init__(self) -> None:
        self._words: list[np.ndarray] = []
        self._registers: dict[Register, int] = {}
        self._dest: int | None = None
        self._recent: dict[int, int] = {}
        self.length = 0
        self.view: View | None = None
        self.base_slot = 0

    def section(self, end: Flow) -> np.ndarray:
        """The words so far, and a new section, of whose registers nothing is known."""
        self.put(Jump(end).pack())
        words = np.concatenate(self._words).astype(np.uint16)
        self.__init__()
        return words

    def put(self, *packed: int) -> None:
        self._words.append(np.array(packed, np.uint16))
        self.length += len(packed)

    def settle(self) -> None:
        """Whatever was captured may be read."""
        latest = max(self._recent.values(), default=-isa.HAZARD)
        self.put(*[NOP] * max(0, latest + isa.HAZARD - self.length))
        self._recent = {}

    def set(self, register: Register, value: int) -> None:
        """Set a register, unless it has the value."""
        if self._registers.get(register) != value:
            self.put(isa.Set(register, value).pack())
            self._registers[register] = value
            if register is Register.OUT_PITCH:
                # The bounds are kept as lanes and words of the pitch they were set at.
                self._forget(Register.LAST_ROW, Register.LAST_X)

    def _forget(self, first: Register, last: Register) -> None:
        for register in range(first, last + 1):
            self._registers.pop(Register(register), None)

    def base(self, slot: int) -> None:
        """Where slots count from."""
        self.base_slot = slot
        self.set(Register.BASE_LOW, slot & 0xFF)
        self.set(Register.BASE_HIGH, slot >> 8)

    def forget_base(self) -> None:
        """A group has set it itself."""
        self._forget(Register.BASE_LOW, Register.BASE_HIGH)

    def forget_classes(self) -> None:
        """Likewise the bounds of the classes."""
        self._forget(Register.FIRST_Y, Register.LAST_X)

    def configure(self, view: View) -> None:
        """Set what a view needs."""
        self.view = view
        mode = view.tap_bits | isa.RELU * view.relu | isa.IMAGE * view.image
        self.set(Register.MODE, mode | isa.CUT_Y * view.cut[0] | isa.CUT_X * view.cut[1])
        self.set(Register.IN_PITCH, isa.pitches(*view.pitch_in))
        self.set(Register.OUT_PITCH, isa.pitches(*view.pitch_out))
        for axis in (0, 1):
            step, offset = Register(Register.STEP_Y + axis), Register(Register.OFFSET_Y + axis)
            # Of a single word only the tap counts, of a single tap only the word.
            known = self._registers.get(step, isa.steps(1, 1))
            stride = known >> 4 if view.pitch_out[axis] <= 0 else view.stride[axis]
            dilation = view.dilation[axis] if view.tap_bits else known & 15
            self.set(step, isa.steps(stride, dilation))
            self.set(offset, isa.offset(view.offset[axis]))
            self.set(Register(Register.LAST_ROW + axis), view.size[axis] - 1)

    def classes(self, bounds: Sequence[tuple[int, int]]) -> None:
        """On each axis, the first output pixel of the middle class, and the last one."""
        for axis, (first, last) in enumerate(bounds):
            self.set(Register(Register.FIRST_Y + 2 * axis), first)
            self.set(Register(Register.LAST_Y + 2 * axis), last)

    def group(self, group: Group) -> int:
        """Emit a group; index in the section of its last word."""
        assert self.view is not None
        size = words_of(self.view.pitch_out)
        words = np.concatenate(group.words)
        reads = np.concatenate(group.reads)
        captures = group.captures
        slots = [plane // size for _, plane in captures]
        if captures and all(0 <= slot - slots[0] <= isa.MOST_DELTA for slot in slots):
            if self._dest != slots[0]:
                self.put(Dest(slots[0]).pack())
            self._dest = slots[0]
            for (at, _), slot in zip(captures, slots, strict=True):
                words[at] |= (slot - slots[0]) << 4
            if len(set(slots)) == 1:
                words[captures[-1][0]] |= _ADVANCE
                self._dest += 1
        elif captures:
            assert size == 1, "captures of a body reach from one destination"
            at = np.array([index for index, _ in captures])
            words = np.insert(words, at, [Dest(slot).pack() for slot in slots])
            reads = np.insert(reads, at, -1)
            captures = [(index + n + 1, plane) for n, (index, plane) in enumerate(captures)]
            self._dest = slots[-1]
        words, reads, captures = self._spaced(words, reads, captures, body=size > 1)
        if size > 1:
            short = isa.SHORTEST_BODY - len(words)
            if short > 0:
                words = np.concatenate([words, np.full(short, NOP, np.uint16)])
            self.put(isa.Body(len(words)).pack())
        start = self.length
        self._words.append(words)
        self.length += len(words)
        for index, plane in captures:
            self._recent[plane] = start + index
        self._recent = {p: at for p, at in self._recent.items() if at > self.length - isa.HAZARD}
        return self.length - 1

    def _spaced(
        self, words: np.ndarray, reads: np.ndarray, captures: list[tuple[int, int]], body: bool
    ) -> tuple[np.ndarray, np.ndarray, list[tuple[int, int]]]:
        """The group with NOPs where it would read what was captured just now.

        A word takes at least one cycle: words are counted.
        """
        short = 0
        start = self.length + body
        for plane, at in self._recent.items():
            found = np.flatnonzero(reads[: isa.HAZARD] == plane)
            if len(found):
                short = max(short, at + isa.HAZARD - start - int(found[0]))
        if short > 0:
            self.put(*[NOP] * short)
        mine: list[tuple[int, int]] = []
        moved = 0
        for index, plane in captures:
            at = index + moved
            # What this group captured earlier, and reads before its next capture.
            for before, written in mine:
                found = np.flatnonzero(reads[before:] == written)
                if len(found) and found[0] < isa.HAZARD:
                    gap = isa.HAZARD - int(found[0])
                    place = before + int(found[0])
                    words = np.insert(words, place, [NOP] * gap)
                    reads = np.insert(reads, place, [-1] * gap)
                    moved += gap
                    at += gap
            mine.append((at, plane))
        return words, reads, mine


_ADVANCE = Capture(Mode.SIGNED, False, True).pack() ^ Capture(Mode.SIGNED, False, False).pack()
