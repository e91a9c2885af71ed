"""Cycles of a program, exactly: without waiting for images and outputs.

A word is a cycle; a weight also one for each lane that its pixel has to travel; a body's words
count once for each word of the output plane.
"""

from dataclasses import dataclass

import numpy as np

from hw.overlay import isa
from hw.overlay.isa import Op, Register
from hw.overlay.program import Program


@dataclass(frozen=True)
class Cycles:
    """Of each word all passes together: of the prefix for each image of a batch, of the suffix.

    Pixels that travel to another image's place travel farther.

    Parameters
    ----------
    prefix, suffix: cycles: (images, words), (words,)
    passes: of each word of the prefix, and of the suffix, how often it is done
    """

    prefix: np.ndarray
    suffix: np.ndarray
    passes: tuple[np.ndarray, np.ndarray]

    @property
    def batch(self) -> int:
        """Of a full batch."""
        return int(self.prefix.sum()) + int(self.suffix.sum())

    @property
    def frame(self) -> float:
        """Of a frame of a full batch."""
        return self.batch / len(self.prefix)

    @property
    def lone(self) -> int:
        """Of a batch of one image: the first one's place."""
        return int(self.prefix[0].sum()) + int(self.suffix.sum())


def cycles(program: Program) -> Cycles:
    """Cycles of a program."""
    places = [divmod(image, program.batch[1]) for image in range(program.images)]
    prefix = [_section(program.prefix, place) for place in places]
    suffix, passes = _section(program.suffix, (0, 0))
    return Cycles(np.stack([found for found, _ in prefix]), suffix, (prefix[0][1], passes))


def _section(words: np.ndarray, place: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Cycles and passes of each word, for the image at this place of its batch."""
    found = np.ones(len(words), np.int64)
    passes = np.ones(len(words), np.int64)
    registers = [0] * len(Register)
    control = np.flatnonzero(words & isa.CONTROL)
    # Between two control words there are weights only.
    ends = np.append(control, len(words))
    body_end = -1
    table = None
    start = 0
    for end in ends.tolist():
        if start < end:
            table = _weights(registers, place) if table is None else table
            tap_bits = registers[Register.MODE] & 7
            taps = words[start:end] & (1 << isa.OPERAND_BITS) - 1
            inside = start < body_end
            taps = taps >> (isa.OPERAND_BITS - 2 * tap_bits)
            found[start:end] = table[int(inside)][taps]
            passes[start:end] = _passes(registers) if inside else 1
        if end == len(words):
            break
        word = int(words[end])
        op = word >> 12 & 7
        if op == Op.SET:
            registers[word >> 8 & 15] = word & 0xFF
            table = None
        elif op == Op.BODY:
            body_end = end + 1 + (word & 0xFFF)
        elif op == Op.FLOW and word >> 8 & 15 in (isa.Flow.END_PREFIX, isa.Flow.END_SUFFIX):
            found[end] = isa.JUMP_CYCLES
        if end < body_end and op != Op.BODY:
            found[end] = passes[end] = _passes(registers)
        start = end + 1
    return found, passes


def _passes(registers: list[int]) -> int:
    """Of a body's words."""
    return 1 << sum(max(p, 0) for p in _pitches(registers[Register.OUT_PITCH]))


def _pitches(value: int) -> tuple[int, int]:
    return isa.signed(value >> 4, 4), isa.signed(value & 15, 4)


def _weights(registers: list[int], place: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Cycles of a weight by its tap: outside of a body, and in one."""
    taps = np.arange(1 << (registers[Register.MODE] & 7))
    lanes = []
    for axis in (0, 1):
        pitch_in = _pitches(registers[Register.IN_PITCH])[axis]
        pitch_out = _pitches(registers[Register.OUT_PITCH])[axis]
        step = registers[Register.STEP_Y + axis]
        offset = isa.signed(registers[Register.OFFSET_Y + axis], 8)
        word = np.arange(1 << max(pitch_out, 0))
        at = word[:, None] * (step >> 4) + taps * (step & 15) + offset
        travel = at >> pitch_in if pitch_in >= 0 else at << -pitch_in
        cut = registers[Register.MODE] & (isa.CUT_Y, isa.CUT_X)[axis] and pitch_in >= 0
        lanes.append(np.abs(travel - place[axis] if cut else travel))
    once = 1 + lanes[0][0][:, None] + lanes[1][0]
    rows, columns = len(lanes[0]), len(lanes[1])
    every = rows * columns + columns * lanes[0].sum(0)[:, None] + rows * lanes[1].sum(0)
    return once.ravel(), every.ravel()
