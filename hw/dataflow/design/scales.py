"""Scales of a requantiser, v = acc·multiplier + constant, and the words in which it works them off:
digits of the multiplier in {-1, 0, 1}, no multiplication."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from amaranth.lib import data, enum

from hw.ir.arithmetic import average
from hw.ir.format import width_of

BIAS_LOGIC_ROWS = 32
"""Most rows whose biases are kept in logic (a LUT a bit up to 16 rows)."""


class Scale(NamedTuple):
    """v = acc·multiplier + constant, of one output channel; the rounding constant is part of it."""

    multiplier: int
    constant: int


Rows = tuple[tuple[Scale, ...], ...]
"""Scales of all channels: a row for each group of `pe`, in stream order."""


def rows_of(lanes: Sequence[Any], pe: int) -> tuple[tuple[Any, ...], ...]:
    """What each channel has, in rows of `pe`."""
    return tuple(tuple(lanes[first : first + pe]) for first in range(0, len(lanes), pe))


def is_unit(scales: Sequence[Sequence[Scale]]) -> bool:
    """Whether all channels have scale 1 and one constant: a rounding shift, no requantiser
    needed."""
    lanes = [lane for row in scales for lane in row]
    return all(lane.multiplier == 1 and lane.constant == lanes[0].constant for lane in lanes)


def naf_digits(value: int) -> list[int]:
    """Non-adjacent form of an integer, least significant digit first: digits -1, 0, 1."""
    digits = []
    while value:
        digit = 2 - value % 4 if value % 2 else 0
        digits.append(digit)
        value = (value - digit) // 2
    return digits


def digit_count(scales: Sequence[Sequence[Scale]]) -> int:
    """Binary digits (non-adjacent form) of the longest multiplier: the Horner steps of every
    row."""
    # The form of n is that of the binary digits of 3·n xor n, without the last.
    longest = max(abs(lane.multiplier) for row in scales for lane in row)
    return max(1, (3 * longest).bit_length() - 1)


class Operand(enum.Enum, shape=2):
    """What a step adds. A code of two bits, so that choosing it takes one 4-input LUT a bit."""

    ZERO = 0
    PLUS = 1
    MINUS = 2
    BIAS = 3

    @classmethod
    def of(cls, digit: int) -> "Operand":
        """The operand of a multiplier's digit."""
        return {0: cls.ZERO, 1: cls.PLUS, -1: cls.MINUS}[digit]


def steps_layout(pe: int) -> data.StructLayout:
    """A word of the requantiser's program: what each lane adds and which bit enters below."""
    step = data.StructLayout({"operand": Operand, "bit": 1})
    return data.StructLayout({"lanes": data.ArrayLayout(step, pe), "last": 1})


def step_words(scales: Sequence[Sequence[Scale]], count: int) -> list[dict]:
    """Steps of each row: the constant's high part, then `count` digits, highest first."""
    words = []
    for row in scales:
        words.append({"lanes": [{"operand": Operand.BIAS, "bit": 0}] * len(row), "last": 0})
        digits = [naf_digits(lane.multiplier) for lane in row]
        for n in reversed(range(count)):
            lanes = [
                {
                    "operand": Operand.of(d[n] if n < len(d) else 0),
                    "bit": lane.constant >> n & 1,
                }
                for d, lane in zip(digits, row, strict=True)
            ]
            words.append({"lanes": lanes, "last": n == 0})
    return words


def high_parts(scales: Sequence[Sequence[Scale]], count: int) -> list[list[int]]:
    """The constants of each row, without the `count` bits that enter with the digits."""
    return [[lane.constant >> count for lane in row] for row in scales]


# --- means


def average_scales(width: int, counts: Sequence[int]) -> tuple[Rows, int]:
    """Rows of scales for means of the given numbers of pixels, brought to one shift; and that
    shift."""
    means = [average(width, n) for n in counts]
    shift = max(mean.shift for mean in means)
    # A common shift moves multiplier and rounding constant alike: the same quotient.
    lanes = [Scale(mean.multiplier << shift - mean.shift, 1 << shift - 1) for mean in means]
    return rows_of(lanes, 1), shift


def sum_width(low: int, high: int, n: int) -> int:
    """Bits of a sum of up to n values in [low, high]."""
    return width_of(n * min(low, 0), n * max(high, 0))


def average_width(scales: Sequence[Sequence[Scale]], low: int, high: int) -> int:
    """Bits of sum·multiplier + constant for sums in [low, high]."""
    return max(
        sum_width(low * lane.multiplier - 1, high * lane.multiplier + lane.constant, 1)
        for row in scales
        for lane in row
    )
