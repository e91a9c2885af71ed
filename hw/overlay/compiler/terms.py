"""What a sum adds, before it becomes words."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from hw.ir.graph import Pair


@dataclass(frozen=True, eq=False)
class Terms:
    """Terms ±x·2^level; one entry of each array a term.

    Parameters
    ----------
    level, negative: of each
    operand: packed, see `isa.operand`
    plane: first word of the plane that is read
    low, high: least and largest x, 0 among them
    """

    level: np.ndarray
    negative: np.ndarray
    operand: np.ndarray
    plane: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(
        cls,
        level: np.ndarray,
        negative: np.ndarray,
        operand: np.ndarray,
        plane: np.ndarray,
        bounds: Pair,
    ) -> Self:
        """Terms whose x have the same bounds."""
        low, high = (np.full(len(level), bound, np.int64) for bound in bounds)
        return cls(level, negative, operand, plane, low, high)

    def __len__(self) -> int:
        return len(self.level)

    def __getitem__(self, index: np.ndarray) -> Self:
        """Those of an index, or of a mask."""
        return type(self)(
            self.level[index],
            self.negative[index],
            self.operand[index],
            self.plane[index],
            self.low[index],
            self.high[index],
        )

    def __add__(self, other: Self) -> Self:
        """These and others."""
        return type(self)(
            np.concatenate([self.level, other.level]),
            np.concatenate([self.negative, other.negative]),
            np.concatenate([self.operand, other.operand]),
            np.concatenate([self.plane, other.plane]),
            np.concatenate([self.low, other.low]),
            np.concatenate([self.high, other.high]),
        )

    def lifted(self, levels: int) -> Self:
        """The same so many levels higher."""
        return type(self)(
            self.level + levels, self.negative, self.operand, self.plane, self.low, self.high
        )

    def bounded(self, bounds: Pair) -> Self:
        """The same with these bounds of each x."""
        return self.of(self.level, self.negative, self.operand, self.plane, bounds)

    def turned(self) -> Self:
        """The same with the other signs."""
        return type(self)(self.level, ~self.negative, self.operand, self.plane, self.low, self.high)

    @property
    def least(self) -> np.ndarray:
        """Of each ±x."""
        return np.where(self.negative, -self.high, self.low)

    @property
    def largest(self) -> np.ndarray:
        return np.where(self.negative, -self.low, self.high)


@dataclass(frozen=True, eq=False)
class Wanted:
    """floor((Σ ±x·2^level + constant) / 2^shift).

    Parameters
    ----------
    constant: in units of level 0
    start: level to begin with, at most the lowest; None: the lowest that matters
    """

    terms: Terms
    constant: int
    shift: int
    start: int | None = None

    @classmethod
    def of(cls, terms: Terms, constant: int, shift: int) -> Self:
        """The same with a shift of at least 0: a shift to the left lifts the terms."""
        if shift < 0:
            return cls(terms.lifted(-shift), constant << -shift, 0)
        return cls(terms, constant, shift)

    @property
    def bounds(self) -> Pair:
        """Least and largest value."""
        return self._value(self.terms.least), self._value(self.terms.largest)

    def _value(self, x: np.ndarray) -> int:
        base = min(0, int(self.terms.level.min(initial=0)), self.shift)
        levels = zip(x.tolist(), (self.terms.level - base).tolist(), strict=True)
        total = sum(value << level for value, level in levels)
        return (total + (self.constant << -base)) >> (self.shift - base)
