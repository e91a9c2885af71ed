"""Sums of integers from given ranges, each counted with a power of two: which totals there are, and
of what.

A layer's accumulator is such a sum, of the codes that its window sees. Nothing is searched for:
what the terms of the lowest shift leave to the others has to be a multiple of the next shift's
power of two, and as no range has gaps, all the multiples in an interval can be left. So one
interval a shift tells which totals there are.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Target(NamedTuple):
    """Totals from `low` to `high` that leave the rest `rest` when divided by 2**bits."""

    low: int
    high: int
    rest: int = 0
    bits: int = 0


class _Group(NamedTuple):
    """All terms of one shift: what they make together, and which they are."""

    shift: int
    least: int
    most: int
    terms: np.ndarray


class Sum:
    """All totals of value[k] << shift[k], where value[k] lies in [low[k], high[k]].

    Parameters
    ----------
    low, high, shift: int64, shape (terms,); shift is not negative
    """

    def __init__(self, low: np.ndarray, high: np.ndarray, shift: np.ndarray) -> None:
        self.low, self.high = low, high
        self.groups = []
        for value in np.unique(shift).tolist():
            terms = np.flatnonzero(shift == value)
            ends = int(low[terms].sum()), int(high[terms].sum())
            self.groups.append(_Group(value, *ends, terms))

    @property
    def least(self) -> int:
        return sum(group.least << group.shift for group in self.groups)

    @property
    def most(self) -> int:
        return sum(group.most << group.shift for group in self.groups)

    def reaches(self, target: Target) -> bool:
        """Whether some total is one of `target`."""
        return self._asked(target) is not None

    def first(self, low: int, high: int) -> int | None:
        """The smallest total in [low, high]; None if there is none."""
        if _intervals(self.groups, low, high) is None:
            return None
        while low < high:
            middle = (low + high) // 2
            if _intervals(self.groups, low, middle) is not None:
                high = middle
            else:
                low = middle + 1
        return low

    def last(self, low: int, high: int) -> int | None:
        """The largest total in [low, high]; None if there is none."""
        if _intervals(self.groups, low, high) is None:
            return None
        while low < high:
            middle = (low + high + 1) // 2
            if _intervals(self.groups, middle, high) is not None:
                low = middle
            else:
                high = middle - 1
        return low

    def values(self, target: Target, rng: np.random.Generator) -> np.ndarray | None:
        """Values, drawn at random, whose total is one of `target`; None if there are none."""
        asked = self._asked(target)
        if asked is None:
            return None
        groups, intervals = asked
        values, later = np.zeros(len(self.low), np.int64), 0
        # From the highest shift down: `later` is what those above make, in units of the group.
        for position in reversed(range(len(groups))):
            group, (low, high) = groups[position], intervals[position]
            made = _between(max(group.least, low - later), min(group.most, high - later), rng)
            if len(group.terms):
                ends = self.low[group.terms], self.high[group.terms]
                values[group.terms] = _split(made, *ends, rng)
            if position:
                later = (later + made) << (group.shift - groups[position - 1].shift)
        return values

    def _asked(self, target: Target) -> tuple[Sequence[_Group], Sequence[tuple[int, int]]] | None:
        """The groups that make a target, and the intervals that tell how; None if they cannot."""
        groups, (low, high, rest, bits) = self.groups, target
        if bits:
            # The total is rest + (n << bits): one more term, of the n that are asked for.
            n = -(-(low - rest) >> bits), (high - rest) >> bits
            if n[0] > n[1]:
                return None
            asked = _Group(bits, -n[1], -n[0], np.zeros(0, np.int64))
            groups = sorted([*groups, asked], key=lambda group: group.shift)
            low = high = rest
        intervals = _intervals(groups, low, high)
        return None if intervals is None else (groups, intervals)


def _intervals(groups: Sequence[_Group], low: int, high: int) -> list[tuple[int, int]] | None:
    """For each group, from the lowest shift on, what it and those after it can be asked to make, in
    units of its shift, so that the total lies in [low, high]; None if no total does."""
    found, unit = [], 0
    for group in groups:
        by = group.shift - unit
        low, high = -(-low >> by), high >> by
        if low > high:
            return None
        found.append((low, high))
        low, high, unit = low - group.most, high - group.least, group.shift
    return found if low <= 0 <= high else None


def _between(low: int, high: int, rng: np.random.Generator) -> int:
    """An integer of [low, high], however wide that is."""
    size = high - low + 1
    return low + int.from_bytes(rng.bytes(size.bit_length() // 8 + 8), "little") % size


def _split(total: int, low: np.ndarray, high: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Values of [low, high], drawn at random, that add up to `total`."""
    values = rng.integers(low, high, endpoint=True)
    missing = total - int(values.sum())
    room = high - values if missing > 0 else values - low
    order = rng.permutation(len(values))
    before = np.cumsum(room[order]) - room[order]
    values[order] += np.sign(missing) * np.clip(abs(missing) - before, 0, room[order])
    return values
