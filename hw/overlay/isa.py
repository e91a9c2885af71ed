"""The words of an overlay's program: what the bits of each one mean.

This is the only place that says it; RTL, executable model and compiler read it here. A word has 16
bits. With the highest bit 0 it is a weight, else a control word: 3 bits of operation, 12 of
argument. `docs/overlay.md` explains what a word does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

WORD_BITS = 16

VERSION = 2
"""Of this encoding, and of the file format of programs."""

HAZARD = 6
"""A word of the data memory captured by one step can be read by a step so many cycles later."""

JUMP_CYCLES = 5
"""Cycles of END_PREFIX and END_SUFFIX, until the next section's first word is under way."""

SHORTEST_BODY = 4
"""Words of the shortest body: so many are fetched ahead."""

IMMEDIATE_BITS = 9

LONGEST_BODY = 4095
MOST_DELTA = 15
"""Farthest plane from the destination that a capture can name."""

LONGEST_SIDE = 256
"""Rows and columns of the largest plane."""

COORDINATE_BITS = 10
"""Of an input coordinate of a weight, with its sign."""

MOST_TAP_BITS = 4
"""Bits of a tap's number, on each axis."""

OPERAND_BITS = 13


class Op(IntEnum):
    """Operation of a control word."""

    FLOW = 0
    IMM = 1
    SHIFT = 2
    CAPTURE = 3
    SET = 4
    BODY = 5
    DEST = 6


class Flow(IntEnum):
    """What a FLOW word does; bits 11 to 8 of its argument."""

    NOP = 0
    WAIT_IMAGE = 1
    """Wait until the next image has arrived; the prefix's first word, and no other."""
    FREE_IMAGE = 2
    """The image's buffer is not read any more."""
    END_PREFIX = 3
    """Back to the beginning for the batch's next image, or on to the suffix after the last; of a
    program that is streamed, whose next section comes behind it, on."""
    END_SUFFIX = 4
    """The batch is done."""
    CLEAR_NEGATIVE = 5
    """Each accumulator below zero becomes zero."""
    OUT = 6
    """The logit collected goes out; argument 1: it is the image's last."""


class Mode(IntEnum):
    """What a capture makes of an accumulator, for pixels of D bits."""

    SIGNED = 0
    """Saturated to D − 1 bits, signed."""
    UNSIGNED = 1
    """Saturated to D − 1 bits, unsigned."""
    WIDE = 2
    """Saturated to D bits, signed."""
    RAW = 3
    """Its low D − 1 bits, as they are; the highest bit is zero."""


class Direction(IntEnum):
    """Where a shift takes its pixel from."""

    LEFT = 0
    RIGHT = 1
    ABOVE = 2
    BELOW = 3


class Class(IntEnum):
    """Which rows (or columns) of the output a capture writes."""

    ALL = 0
    FIRST = 1
    """Those below FIRST_Y (FIRST_X)."""
    MIDDLE = 2
    LAST = 3
    """Those above LAST_Y (LAST_X)."""


class Register(IntEnum):
    """What SET sets; 8 bits each. All are zero when a program starts."""

    MODE = 0
    """Bits 2–0: tap bits of each axis; then RELU, IMAGE, CUT_Y, CUT_X."""
    BASE_LOW = 1
    BASE_HIGH = 2
    """The slot that a weight's slot counts from, in planes of the input."""
    IN_PITCH = 3
    OUT_PITCH = 4
    """log2 of the pitch, four bits signed each: rows in bits 7–4, columns in 3–0."""
    STEP_Y = 5
    STEP_X = 6
    """Stride in bits 7–4, dilation in 3–0."""
    OFFSET_Y = 7
    OFFSET_X = 8
    """Input coordinate of tap 0 at output coordinate 0; signed."""
    LAST_ROW = 9
    LAST_COLUMN = 10
    """Rows and columns of the output, less one."""
    FIRST_Y = 11
    LAST_Y = 12
    FIRST_X = 13
    LAST_X = 14
    """Bounds of the classes of a capture, in output coordinates."""
    OUTPUT = 15
    """Bit 7: halvings collect a logit; bits 3–0: of which image, row by row."""


RELU = 1 << 3
"""MODE: negative pixels are read as zero."""
IMAGE = 1 << 4
"""MODE: what is read lies in the image's buffer."""
CUT_Y, CUT_X = 1 << 5, 1 << 6
"""MODE: of the output's rows (columns) only those of the image's place in the batch are written;
where the input's pitch is one or more, its pixels travel to that place too."""

COLLECT = 1 << 7
"""OUTPUT: see there."""

SIGN, HALVE = 1 << 14, 1 << 13
"""Bits of a weight word."""
CONTROL = 1 << 15


def _field(value: int, bits: int, what: str) -> int:
    if not 0 <= value < 1 << bits:
        raise ValueError(f"{what}: {value}; expected 0 to {(1 << bits) - 1}")
    return value


def _control(op: Op, argument: int) -> int:
    return CONTROL | op << 12 | argument


def farthest(lanes: int) -> int:
    """The most lanes that a weight's pixel travels on an axis of so many lanes."""
    return (2 << lanes.bit_length()) - 1


def bound_lanes(lanes: int) -> int:
    """Lanes below which bounds lie on an axis of so many lanes."""
    return 2 << lanes.bit_length()


def signed(value: int, bits: int) -> int:
    """The number whose two's complement are these bits."""
    return value - (1 << bits) if value >> (bits - 1) else value


@dataclass(frozen=True)
class Weight:
    """acc = (halve ? acc >> 1 : acc) ± a pixel of plane BASE + slot, tap of the window.

    Parameters
    ----------
    operand: tap and slot, see `operand`
    negative: whether it is subtracted
    """

    operand: int
    negative: bool = False
    halve: bool = False

    def pack(self) -> int:
        return (
            _field(self.operand, OPERAND_BITS, "operand")
            | SIGN * self.negative
            | HALVE * self.halve
        )

    @classmethod
    def unpack(cls, word: int) -> Self:
        return cls(word & ((1 << OPERAND_BITS) - 1), bool(word & SIGN), bool(word & HALVE))


@dataclass(frozen=True)
class Imm:
    """acc = (halve ? acc >> 1 : acc) + value + carry."""

    value: int
    carry: bool = False
    halve: bool = False

    def pack(self) -> int:
        low = -1 << (IMMEDIATE_BITS - 1)
        if not low <= self.value < -low:
            raise ValueError(f"immediate: {self.value}; expected {low} to {-low - 1}")
        return _control(
            Op.IMM, self.value & 0x1FF | self.carry << IMMEDIATE_BITS | self.halve << 10
        )

    @classmethod
    def unpack(cls, word: int) -> Self:
        _unused(word, 0x800)
        return cls(signed(word & 0x1FF, IMMEDIATE_BITS), bool(word & 0x200), bool(word & 0x400))


@dataclass(frozen=True)
class Shift:
    """The operand comes from a neighbour, with its sign, and is added once more if wanted."""

    direction: Direction
    add: bool = True
    halve: bool = False

    def pack(self) -> int:
        if self.halve and not self.add:
            raise ValueError("a shift halves only where it adds")
        return _control(Op.SHIFT, self.direction | self.add << 2 | self.halve << 3)

    @classmethod
    def unpack(cls, word: int) -> Self:
        _unused(word, 0xFF0)
        found = cls(Direction(word & 3), bool(word & 4), bool(word & 8))
        if found.halve and not found.add:
            raise ValueError(f"word {word:#06x}: a shift halves only where it adds")
        return found


@dataclass(frozen=True)
class Capture:
    """The accumulators become pixels of plane DEST + delta, zero beyond the image.

    Parameters
    ----------
    clear: the accumulators are zero afterwards
    advance: DEST goes on by one (in a body: after its last pass)
    delta: 0 to 15
    rows, columns: which are written; those beyond the image always are
    """

    mode: Mode
    clear: bool = True
    advance: bool = True
    delta: int = 0
    rows: Class = Class.ALL
    columns: Class = Class.ALL

    def pack(self) -> int:
        delta = _field(self.delta, 4, "delta")
        flags = self.clear << 9 | self.advance << 8
        return _control(
            Op.CAPTURE, self.mode << 10 | flags | delta << 4 | self.rows << 2 | self.columns
        )

    @classmethod
    def unpack(cls, word: int) -> Self:
        return cls(
            Mode(word >> 10 & 3),
            bool(word & 0x200),
            bool(word & 0x100),
            word >> 4 & 15,
            Class(word >> 2 & 3),
            Class(word & 3),
        )


@dataclass(frozen=True)
class Set:
    """A register's new value, 8 bits."""

    register: Register
    value: int

    def pack(self) -> int:
        return _control(Op.SET, self.register << 8 | _field(self.value, 8, self.register.name))

    @classmethod
    def unpack(cls, word: int) -> Self:
        return cls(Register(word >> 8 & 15), word & 0xFF)


@dataclass(frozen=True)
class Body:
    """The next `count` words are done once for each word of an output plane, row by row."""

    count: int

    def pack(self) -> int:
        if not SHORTEST_BODY <= self.count <= LONGEST_BODY:
            raise ValueError(
                f"body: {self.count} words; expected {SHORTEST_BODY} to {LONGEST_BODY}"
            )
        return _control(Op.BODY, self.count)

    @classmethod
    def unpack(cls, word: int) -> Self:
        count = word & 0xFFF
        if count < SHORTEST_BODY:
            raise ValueError(f"word {word:#06x}: a body of {count} words")
        return cls(count)


@dataclass(frozen=True)
class Dest:
    """The plane that captures count from."""

    slot: int

    def pack(self) -> int:
        return _control(Op.DEST, _field(self.slot, 12, "slot"))

    @classmethod
    def unpack(cls, word: int) -> Self:
        return cls(word & 0xFFF)


@dataclass(frozen=True)
class Jump:
    """A FLOW word."""

    flow: Flow
    argument: int = 0

    def pack(self) -> int:
        if self.argument not in ((0, 1) if self.flow is Flow.OUT else (0,)):
            raise ValueError(f"{self.flow.name}: no argument {self.argument}")
        return _control(Op.FLOW, self.flow << 8 | self.argument)

    @classmethod
    def unpack(cls, word: int) -> Self:
        found = cls(Flow(word >> 8 & 15), word & 0xFF)
        if found.pack() != word:
            raise ValueError(f"word {word:#06x}: bits that mean nothing are set")
        return found


Word = Weight | Imm | Shift | Capture | Set | Body | Dest | Jump

_BY_OP = {
    Op.FLOW: Jump,
    Op.IMM: Imm,
    Op.SHIFT: Shift,
    Op.CAPTURE: Capture,
    Op.SET: Set,
    Op.BODY: Body,
    Op.DEST: Dest,
}


def _unused(word: int, mask: int) -> None:
    if word & mask:
        raise ValueError(f"word {word:#06x}: bits that mean nothing are set")


def unpack(word: int) -> Word:
    """What a word of a program says; ValueError if it is none."""
    _field(word, WORD_BITS, "word")
    if not word & CONTROL:
        return Weight.unpack(word)
    return _BY_OP[Op(word >> 12 & 7)].unpack(word)


def pack(words: Sequence[Word]) -> list[int]:
    """The words as numbers."""
    return [word.pack() for word in words]


def operand(slot: int, tap_y: int = 0, tap_x: int = 0, tap_bits: int = 0) -> int:
    """A weight's operand: row and column of the tap in `tap_bits` bits each, then the slot."""
    slot_bits = OPERAND_BITS - 2 * tap_bits
    taps = _field(tap_y, tap_bits, "tap") << tap_bits | _field(tap_x, tap_bits, "tap")
    return taps << slot_bits | _field(slot, slot_bits, "slot")


def split(operand: int, tap_bits: int) -> tuple[int, int, int]:
    """Slot, row and column of the tap."""
    slot_bits = OPERAND_BITS - 2 * tap_bits
    taps = operand >> slot_bits
    return operand & ((1 << slot_bits) - 1), taps >> tap_bits, taps & ((1 << tap_bits) - 1)


def pitches(rows: int, columns: int) -> int:
    """Value of IN_PITCH and OUT_PITCH: log2 of each pitch, −8 to 7."""
    for value in (rows, columns):
        if not -8 <= value <= 7:
            raise ValueError(f"pitch: 2^{value}; expected 2^-8 to 2^7")
    return (rows & 15) << 4 | columns & 15


def steps(stride: int, dilation: int) -> int:
    """Value of STEP_Y and STEP_X."""
    return _field(stride, 4, "stride") << 4 | _field(dilation, 4, "dilation")


def offset(value: int) -> int:
    """Value of OFFSET_Y and OFFSET_X."""
    if not -128 <= value <= 127:
        raise ValueError(f"offset: {value}; expected -128 to 127")
    return value & 0xFF
