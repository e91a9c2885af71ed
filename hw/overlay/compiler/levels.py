"""A sum as steps: terms by rising level, halved from one level to the next.

What is wanted is floor((Σ ±x·2^level + constant) / 2^shift). Terms of the lowest level come first;
the accumulator is halved wherever the level rises, and what falls off can meet nothing any more.
A term above the last level is added as often as its weight says. `docs/overlay.md` proves it.
"""

from dataclasses import dataclass, replace

import numpy as np

from hw.overlay import isa
from hw.overlay.compiler.terms import Terms, Wanted
from hw.overlay.isa import Imm

MOST_REPEATS = 4096
"""Additions that a sum may take for terms, or a constant, above its last level."""

IMM_HALVE = Imm(0, halve=True).pack() ^ Imm(0).pack()
"""The bit of an IMM that halves."""

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
    reads: for each word the first word of the plane that it reads, −1 for none
    low, high: bounds of the accumulator, in whatever order a level's words come
    """

    words: np.ndarray
    reads: np.ndarray
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


def arrange(wanted: Wanted) -> Sum:
    """The words that leave what is wanted in the accumulator.

    Raises
    ------
    TooFar: a term or the constant would have to be added too often
    """
    if wanted.start is None:
        wanted = without_idle(wanted)
    terms, constant, shift = _repeated(wanted.terms, wanted.shift), wanted.constant, wanted.shift
    start = wanted.start
    if start is None:
        start = min(int(terms.level.min()), shift) if len(terms) else shift
    terms = terms[np.argsort(terms.level, kind="stable")]
    word = terms.operand.astype(np.int64) | np.where(terms.negative, isa.SIGN, 0)
    level, count = terms.level - start, shift - start + 1
    filled = np.bincount(level, minlength=count)
    added = _constant(constant >> start if start >= 0 else constant << -start, filled)
    low, high = _bounds(terms, level, added, count)

    # Before each level's terms: its immediates, or one of 0 where there is nothing else.
    ends = np.cumsum(filled)
    pieces, reads = [], []
    for at, (end, size) in enumerate(zip(ends.tolist(), filled.tolist(), strict=True)):
        extra = [immediate(value) for value in added.get(at, ())]
        if not size and not extra:
            if at == 0:
                continue
            extra = [immediate(0)]
        chunk = np.concatenate([np.array(extra, np.int64), word[end - size : end]])
        if at:
            chunk[0] |= IMM_HALVE if extra else isa.HALVE
        pieces.append(chunk)
        reads.append(np.concatenate([np.full(len(extra), -1), terms.plane[end - size : end]]))
    if not pieces:
        return Sum(np.zeros(0, np.uint16), np.zeros(0, np.int64), 0, 0)
    return Sum(np.concatenate(pieces).astype(np.uint16), np.concatenate(reads), low, high)


def without_idle(wanted: Wanted) -> Wanted:
    """The same without its lowest terms, where those leave the same whatever pixels come.

    Below a level l the terms and the constant's bits below 2^l give something between two bounds;
    if both of them have the same floor at l, that floor is a constant.
    """
    terms, shift = wanted.terms, wanted.shift
    if not len(terms):
        return wanted
    base = min(int(terms.level.min()), shift)
    level = np.minimum(terms.level, shift) - base
    below = np.bincount(level, terms.least, shift - base + 1).astype(np.int64).tolist()
    above = np.bincount(level, terms.largest, shift - base + 1).astype(np.int64).tolist()
    constant = wanted.constant >> base if base >= 0 else wanted.constant << -base
    least = most = 0
    settled = None
    for cut in range(1, shift - base + 1):
        least += below[cut - 1] << (cut - 1)
        most += above[cut - 1] << (cut - 1)
        part = constant & ((1 << cut) - 1)
        floor = (least + part) >> cut
        if floor == (most + part) >> cut and cut + base >= 0:
            settled = cut, ((constant >> cut) + floor) << (cut + base)
    if settled is None:
        return wanted
    return replace(wanted, terms=terms[level >= settled[0]], constant=settled[1])


def _repeated(terms: Terms, shift: int) -> Terms:
    """Those above the last level at that level, as often as they stand for it."""
    over = np.maximum(terms.level - shift, 0)
    if not over.any():
        return terms
    if over.max() > 16 or int((1 << over).sum()) - len(over) > MOST_REPEATS:
        raise TooFar(f"a term stands {int(over.max())} levels above the last one")
    often = np.repeat(np.arange(len(terms)), 1 << over)
    return replace(terms, level=np.minimum(terms.level, shift))[often]


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
    terms: Terms, level: np.ndarray, added: dict[int, list[int]], count: int
) -> tuple[int, int]:
    """Least and largest value of the accumulator on the way."""
    below = np.bincount(level, terms.least, count).astype(np.int64).tolist()
    above = np.bincount(level, terms.largest, count).astype(np.int64).tolist()
    low = high = lowest = highest = 0
    for at in range(count):
        constants = added.get(at, [])
        low, high = (low >> 1) + below[at], (high >> 1) + above[at]
        lowest = min(lowest, low + sum(min(c, 0) for c in constants))
        highest = max(highest, high + sum(max(c, 0) for c in constants))
        low, high = low + sum(constants), high + sum(constants)
    return lowest, highest
