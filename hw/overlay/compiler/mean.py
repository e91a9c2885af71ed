"""A mean of n pixels as shifted additions of two parts of their sum.

The sum S is kept as two planes, S = high·2^split + low. What `numerics.md` computes with R_n and
2^t is an integer function of S; any floor((S·R + c) / 2^t) that gives the same for every S that can
occur is as good, and the one of the fewest steps is taken. All of them are tried on all S.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hw.ir.arithmetic import average
from hw.ir.format import Format
from hw.overlay.compiler.levels import TooFar, arrange, digits
from hw.overlay.compiler.terms import Terms, Wanted


@dataclass(frozen=True)
class Mean:
    """q = floor((S·multiplier + constant) / 2^shift); `steps` of its sum, with a split's planes."""

    multiplier: int
    constant: int
    shift: int
    steps: int


def terms(multiplier: int, split: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levels, signs (negative?) and parts (0: low, 1: high) of S·multiplier."""
    found = digits(multiplier)
    parts = (0, 1) if split else (0,)
    level = [e + split * part for e, _ in found for part in parts]
    negative = [s < 0 for _, s in found for _ in parts]
    part = [part for _ in found for part in parts]
    return np.array(level, np.int64), np.array(negative, bool), np.array(part, np.int64)


@lru_cache(256)
def mean(code: Format, n: int, low: int, high: int, split: int) -> Mean | None:
    """The cheapest way to the mean of n codes whose sum is `low` to `high`; None: there is none."""
    sums = np.arange(low, high + 1, dtype=np.int64)
    exact = average(code.width, n)
    wanted = np.array(
        [(s * exact.multiplier + (1 << exact.shift - 1)) >> exact.shift for s in sums.tolist()]
    )
    wanted = np.clip(wanted, code.qmin, code.qmax)
    best = None
    for shift in range(exact.shift + 1):
        for multiplier in {(1 << shift) // n, -(-(1 << shift) // n)}:
            least = int((wanted * (1 << shift) - sums * multiplier).max())
            most = int(((wanted + 1) * (1 << shift) - 1 - sums * multiplier).min())
            if least > most or not multiplier:
                continue
            constant = _roundest(least, most)
            level, negative, _ = terms(multiplier, split)
            nothing = np.zeros(len(level), np.int64)
            made = Terms.of(level, negative, nothing, nothing, (0, 0))
            try:
                steps = len(
                    arrange(Wanted(made, constant, shift, min(int(level.min()), shift))).words
                )
            except TooFar:
                continue
            if best is None or steps < best.steps:
                best = Mean(multiplier, constant, shift, steps)
    return best


def _roundest(least: int, most: int) -> int:
    """The number in a range that the highest power of two divides."""
    for bit in range(64, -1, -1):
        found = -(-least >> bit) << bit
        if found <= most:
            return found
    raise AssertionError
