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

JOINED_BODY = 250
"""Words of a body of several groups, at most: a program that is streamed needs room for a body."""

Captures = list[tuple[int, int]]
"""Index of each capture among a group's words, and the plane that it writes."""


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
    spare: lanes down and to the right of all that is read, of the grid's
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
    spare: Pair = (0, 0)


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
    captures: Captures = field(default_factory=list)
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


@dataclass(frozen=True)
class _Captured:
    """A plane's last capture: its word, how often it is done, and words of its body."""

    at: int
    passes: int
    length: int


@dataclass
class _Body:
    """The body that has been emitted last.

    Members
    -------
    length, padding: its words, and NOPs behind them
    slot: of its destination
    read, captured: planes
    end: where it ends in the section
    """

    length: int
    padding: int
    slot: int
    read: set[int]
    captured: set[int]
    end: int = -1


class Emitter:
    """Writes the sections of a program.

    Parameters
    ----------
    longest: words of a body of several groups, at most
    """

    def __init__(self, longest: int = JOINED_BODY) -> None:
        self._longest = min(longest, JOINED_BODY)
        self._words: list[np.ndarray] = []
        self._registers: dict[Register, int] = {}
        self._dest: int | None = None
        self._recent: dict[int, _Captured] = {}
        self._body: _Body | None = None
        self.length = 0
        self.view: View | None = None
        self.base_slot = 0

    def section(self, end: Flow) -> np.ndarray:
        """The words so far, and a new section, of whose registers nothing is known."""
        self.put(Jump(end).pack())
        words = np.concatenate(self._words).astype(np.uint16)
        self.__init__(self._longest)
        return words

    def put(self, *packed: int) -> None:
        self._words.append(np.array(packed, np.uint16))
        self.length += len(packed)

    def settle(self) -> None:
        """Whatever was captured may be read."""
        latest = max((of.at for of in self._recent.values()), default=-isa.HAZARD)
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
        """Emit a group; index in the section of its last capture, or else of its last word."""
        assert self.view is not None
        size = words_of(self.view.pitch_out)
        made = np.concatenate(group.words), np.concatenate(group.reads), group.captures
        joined = self._joined(*made, size) if size > 1 else None
        return self._alone(*made, size) if joined is None else joined

    def seal(self) -> None:
        """What comes next is in no body with what came before."""
        self._body = None

    def _alone(self, words: np.ndarray, reads: np.ndarray, captures: Captures, size: int) -> int:
        """Emit a group, in a body of its own if its planes have several words."""
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
        short = self._missing(words, reads, self.length + (size > 1), size)
        self.put(*[NOP] * short)
        words, reads, captures = _spaced(words, reads, captures)
        self._body = None
        if size > 1:
            padding = max(0, isa.SHORTEST_BODY - len(words))
            if captures and not _sets(words):
                self._body = _Body(len(words), padding, slots[0], _planes(reads), set())
                self._body.captured.update(plane for _, plane in captures)
            words = np.concatenate([words, np.full(padding, NOP, np.uint16)])
            self.put(isa.Body(len(words)).pack())
        start = self.length
        return self._append(words, captures, start, size)

    def _joined(
        self, words: np.ndarray, reads: np.ndarray, captures: Captures, size: int
    ) -> int | None:
        """Emit a group in the body before it; None: it is none of that body's.

        All words of a body are done for a word of the planes before the next one: what is captured
        in it is not read in it but by its own group, and registers stay as they are.
        """
        body = self._body
        if body is None or body.end != self.length or not captures or _sets(words):
            return None
        deltas = [plane // size - body.slot for _, plane in captures]
        written, read = {plane for _, plane in captures}, _planes(reads)
        if not all(0 <= delta <= isa.MOST_DELTA for delta in deltas):
            return None
        if written & (body.read | body.captured) or read & body.captured:
            return None
        start = self.length - body.padding
        if self._missing(words, reads, start, size):
            return None
        words, reads, captures = _spaced(words, reads, captures)
        length = body.length + len(words)
        if length > self._longest:
            return None
        before = self._words.pop()[: body.length]
        # The destination stays until the body is done.
        is_capture = before & _KIND == Capture(Mode.SIGNED, False, False).pack() & _KIND
        before = np.where(is_capture, before & (0xFFFF ^ _ADVANCE), before).astype(np.uint16)
        self._dest = body.slot
        for (at, _), delta in zip(captures, deltas, strict=True):
            words[at] |= delta << 4
        padding = max(0, isa.SHORTEST_BODY - length)
        self._words[-1] = np.array([isa.Body(length + padding).pack()], np.uint16)
        body.read |= read
        body.captured |= written
        body.length, body.padding = length, padding
        self.length = start - body.length + len(words)
        whole = np.concatenate([before, words, np.full(padding, NOP, np.uint16)])
        return self._append(
            whole, [(at + len(before), plane) for at, plane in captures], self.length, size
        )

    def _append(self, words: np.ndarray, captures: Captures, start: int, size: int) -> int:
        """Put the words of a group, or of all of a body; index of its last capture."""
        self._words.append(words)
        self.length += len(words)
        if self._body is not None:
            self._body.end = self.length
        for index, plane in captures:
            self._recent[plane] = _Captured(start + index, size, len(words))
        self._recent = {
            plane: of for plane, of in self._recent.items() if of.at > self.length - isa.HAZARD
        }
        return start + captures[-1][0] if captures else self.length - 1

    def _missing(self, words: np.ndarray, reads: np.ndarray, start: int, size: int) -> int:
        """NOPs for which a group must wait that reads what was captured just now.

        A word takes at least one cycle: words are counted. Of a plane of several words each one is
        captured in a pass of its own; what reads it word by word too comes passes later.
        """
        short = 0
        for plane, of in self._recent.items():
            found = np.flatnonzero(reads[: isa.HAZARD] == plane)
            if len(found):
                missing = of.at + isa.HAZARD - start - int(found[0])
                if missing > 0 and size == of.passes and self._own(words[found]):
                    shorter = min(of.length, max(len(words), isa.SHORTEST_BODY))
                    missing -= (size - 1) * shorter
                short = max(short, missing)
        return short

    def _own(self, weights: np.ndarray) -> bool:
        """Whether all of these read the word of a plane that they are done for."""
        view = self.view
        assert view is not None
        if view.stride != (1, 1) or view.pitch_in != view.pitch_out:
            return False
        for word in weights.tolist():
            _, *taps = isa.split(word & ((1 << isa.OPERAND_BITS) - 1), view.tap_bits)
            for axis in (0, 1):
                if taps[axis] * view.dilation[axis] + view.offset[axis]:
                    return False
        return True


def _sets(words: np.ndarray) -> bool:
    """Whether there are words that set a register."""
    return bool((words & _KIND == isa.Set(Register.MODE, 0).pack() & _KIND).any())


def _planes(reads: np.ndarray) -> set[int]:
    return set(np.unique(reads).tolist()) - {-1}


def _spaced(
    words: np.ndarray, reads: np.ndarray, captures: Captures
) -> tuple[np.ndarray, np.ndarray, Captures]:
    """A group with NOPs where it would read what it captured itself just before."""
    mine: Captures = []
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


_KIND = 0xF000
"""Bits of a control word that say what it does."""

_ADVANCE = Capture(Mode.SIGNED, False, True).pack() ^ Capture(Mode.SIGNED, False, False).pack()
