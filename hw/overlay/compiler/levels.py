"""A sum as steps: terms by rising level, halved from one level to the next.

What is wanted is floor((Σ ±x·2^level + constant) / 2^shift). Terms of the lowest level come first;
the accumulator is halved wherever the level rises, and what falls off can meet nothing any more.
A term above the last level is added as often as its weight says. `docs/overlay.md` proves it.
"""

from dataclasses import dataclass

import numpy as np

from hw.overlay import isa
from hw.overlay.isa import Imm

MOST_REPEATS = 4096
"""Additions that a sum may take for terms, or a constant, above its last level."""

_IMM_HALVE = Imm(0, halve=True).pack() ^ Imm(0).pack()
_LOW, _HIGH = -(1 << (isa.IMMEDIATE_BITS - 1)), 1 << (isa.IMMEDIATE_BITS - 1)
"""Immediates, with their carry."""


class TooFar(Exception):
    """A term or a constant stands so far above the last level that it cannot be added."""


@dataclass(frozen=True)
class Sum:
    """Words of a sum.

    Parameters
    ----------
    words: packed (uint16)
    terms: for each word the term that it adds, −1 for none
    low, high: bounds of the accumulator, in whatever order a level's words come
    """

    words: np.ndarray
    terms: np.ndarray
    low: int
    high: int


def digits(value: int) -> list[tuple[int, int]]:
    """Signed powers of two whose sum is `value`, as few as possible: pairs (exponent, sign)."""
    found, exponent = [], 0
    while value:
        if value & 1:
            sign = 2 - (value & 3)
            found.append((exponent, sign))
            value -= sign
        value >>= 1
        exponent += 1
    return found


def immediate(value: int) -> int:
    """Packed word that adds a number of −256 to 256."""
    return Imm(value - (value == _HIGH), carry=value == _HIGH).pack()


def arrange(
    level: np.ndarray,
    negative: np.ndarray,
    operand: np.ndarray,
    *,
    constant: int,
    shift: int,
    bounds: tuple[int, int],
    start: int | None = None,
) -> Sum:
    """The words that leave floor((Σ ±x·2^level + constant) / 2^shift) in the accumulator.

    Parameters
    ----------
    level, negative, operand: one entry a term (operand: packed, see `isa.operand`)
    constant: in units of level 0
    bounds: least and largest x, 0 among them
    start: level to begin with, at most the lowest; the default is the lowest

    Raises
    ------
    TooFar: a term or the constant would have to be added too often
    """
    term = np.arange(len(level))
    over = np.maximum(level - shift, 0)
    if len(over) and over.max() > 0:
        if over.max() > 16 or int((1 << over).sum()) - len(over) > MOST_REPEATS:
            raise TooFar(f"a term stands {int(over.max())} levels above the last one")
        term = np.repeat(term, 1 << over)
        level = np.minimum(level, shift)[term]
        negative, operand = negative[term], operand[term]
    if start is None:
        start = min(int(level.min()), shift) if len(level) else shift
    order = np.argsort(level, kind="stable")
    level, term = level[order] - start, term[order]
    word = operand[order].astype(np.int64) | np.where(negative[order], isa.SIGN, 0)
    count = shift - start + 1
    positive = np.bincount(level[~negative[order]], minlength=count)
    negatives = np.bincount(level[negative[order]], minlength=count)
    filled = positive + negatives
    added = _constant(constant >> start if start >= 0 else constant << -start, filled)
    low, high = _bounds(positive, negatives, added, bounds)

    # Before each level's terms: its immediates, or one of 0 where there is nothing else.
    ends = np.cumsum(filled)
    pieces, owners = [], []
    for at, (end, size) in enumerate(zip(ends.tolist(), filled.tolist(), strict=True)):
        extra = [immediate(value) for value in added.get(at, ())]
        if not size and not extra:
            if at == 0:
                continue
            extra = [immediate(0)]
        chunk = np.concatenate([np.array(extra, np.int64), word[end - size : end]])
        if at:
            chunk[0] |= _IMM_HALVE if extra else isa.HALVE
        pieces.append(chunk)
        owners.append(np.concatenate([np.full(len(extra), -1), term[end - size : end]]))
    if not pieces:
        return Sum(np.zeros(0, np.uint16), np.zeros(0, np.int64), 0, 0)
    return Sum(np.concatenate(pieces).astype(np.uint16), np.concatenate(owners), low, high)


def _constant(value: int, filled: np.ndarray) -> dict[int, list[int]]:
    """Immediates of each level whose sum is `value` (units of the first level).

    A bit may wait until its level comes; where a level has no term, a word is spent in any case.
    """
    added: dict[int, list[int]] = {}
    last = len(filled) - 1
    for at, size in enumerate(filled.tolist()):
        if value == 0:
            break
        if at == last:
            many = -(-abs(value) // _HIGH)
            if many > MOST_REPEATS:
                raise TooFar(f"the constant is {value} after rounding")
            share = [value // many + (n < value % many) for n in range(many)]
            added[at] = share
            break
        free = size == 0 and at > 0
        if _LOW <= value <= _HIGH and (free or value & 1):
            added[at] = [value]
            break
        if value & 1 or free:
            # The low bits go now; what is left is a multiple of 512.
            part = (value - _LOW) % (2 * _HIGH) + _LOW
            if part:
                added[at] = [part]
                value -= part
        value >>= 1
    return added


def _bounds(
    positive: np.ndarray,
    negative: np.ndarray,
    added: dict[int, list[int]],
    bounds: tuple[int, int],
) -> tuple[int, int]:
    """Least and largest value of the accumulator on the way."""
    least, largest = bounds
    low = high = lowest = highest = 0
    for at, (plus, minus) in enumerate(zip(positive.tolist(), negative.tolist(), strict=True)):
        low, high = low >> 1, high >> 1
        constants = added.get(at, [])
        below = low + plus * least - minus * largest
        above = high + plus * largest - minus * least
        lowest = min(lowest, below + sum(min(c, 0) for c in constants))
        highest = max(highest, above + sum(max(c, 0) for c in constants))
        low, high = below + sum(constants), above + sum(constants)
    return lowest, highest
