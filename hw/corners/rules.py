"""From the sum of what a window sees to an output code: which sums are corners.

A kind of corner is a text that says what is reached, as it stands in a run's `corners.json`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd

import numpy as np

from hw.corners.sums import Sum, Target
from hw.ir.arithmetic import average
from hw.ir.format import Format

ABOVE, UPPER = "just above the upper clamp", "just below the upper clamp"
LOWER, BELOW = "just above the lower clamp", "just below the lower clamp"
LARGEST, SMALLEST = "largest sum", "smallest sum"

_CASES = tuple((parity, negative) for parity in (0, 1) for negative in (False, True))


def _case(parity: int, negative: bool) -> str:
    """A code's parity and sign, as corners are called."""
    return f"{'odd' if parity else 'even'} code, {'negative' if negative else 'not negative'}"


HALVES = {case: f"exactly half above an {_case(*case)}" for case in _CASES}
UP = {case: f"smallest sum to round up from an {_case(*case)}" for case in _CASES}
DOWN = {case: f"largest sum to round down to an {_case(*case)}" for case in _CASES}


@dataclass(frozen=True)
class Scaled:
    """clamp((total·scale + bias + rounding) >> shift): convolutions, additions, concatenations."""

    scale: int
    bias: int
    rounding: int
    shift: int
    target: Format

    kinds = (
        *(ABOVE, UPPER, LOWER, BELOW, LARGEST, SMALLEST),
        *(*HALVES.values(), *UP.values(), *DOWN.values()),
    )

    def code(self, total: int, terms: int = 1) -> int:
        """The code of a sum of so many terms, before the clamp."""
        value = total * self.scale + self.bias + self.rounding
        return value >> self.shift if self.shift >= 0 else value << -self.shift

    def targets(self, total: Sum) -> dict[str, Target]:
        """The totals of each kind, reachable or not."""
        found = dict(self._halves()) | dict(self._beside_halves(total))
        qmin, qmax = self.target.qmin, self.target.qmax
        above, upper = self._sides(total, qmax + 1)
        lower, below = self._sides(total, qmin)
        # The code inside is one of the clamp's if it is the format's last, or if none lies between.
        if above is None and upper is not None and self.code(upper) != qmax:
            upper = None
        if below is None and lower is not None and self.code(lower) != qmin:
            lower = None
        for kind, at in ((ABOVE, above), (UPPER, upper), (LOWER, lower), (BELOW, below)):
            if at is not None:
                found[kind] = Target(at, at)
        return found

    def _sides(self, total: Sum, code: int) -> tuple[int | None, int | None]:
        """The total of the smallest code from `code` on, and that of the largest one before it."""
        if not self.scale:
            return None, None
        least = code << self.shift if self.shift >= 0 else -(-code >> -self.shift)
        least -= self.bias + self.rounding
        if self.scale > 0:
            edge = -(-least // self.scale)
            return total.first(edge, total.most), total.last(total.least, edge - 1)
        edge = least // self.scale
        return total.last(total.least, edge), total.first(edge + 1, total.most)

    def _beside_halves(self, total: Sum) -> Iterator[tuple[str, Target]]:
        """The totals on both sides of where a code of the parity and sign ends, for one code that
        has both: exactly half is often no total, these are."""
        if self.shift < 1:
            return
        ends = sorted((self.code(total.least), self.code(total.most)))
        for parity, negative in _CASES:
            low, high = (self.target.qmin, -1) if negative else (0, self.target.qmax - 1)
            low, high = max(low, ends[0]), min(high, ends[1] - 1)
            middle = (low + high) // 2
            for code in (middle - (middle - parity) % 2, middle + 2 - (middle - parity) % 2):
                up, down = self._sides(total, code + 1)
                if up is None or down is None or not low <= code <= high:
                    continue
                if (self.code(down), self.code(up)) == (code, code + 1):
                    yield UP[parity, negative], Target(up, up)
                    yield DOWN[parity, negative], Target(down, down)
                    break

    def _halves(self) -> Iterator[tuple[str, Target]]:
        """Totals whose value lies exactly between the code k and the next: those that solve
        scale·total = k·2**shift + 2**(shift - 1) - bias for a k of the parity and sign."""
        if self.shift < 1 or not self.scale:
            return
        step, constant = 1 << self.shift, (1 << self.shift - 1) - self.bias
        common = gcd(self.scale, 2 * step)
        modulus = 2 * step // common
        inverse = pow(self.scale // common, -1, modulus)
        for (parity, negative), kind in HALVES.items():
            wanted = parity * step + constant
            if wanted % common:
                continue
            codes = (self.target.qmin - 1, -1) if negative else (0, self.target.qmax)
            low, high = sorted(k * step + constant for k in codes)
            if self.scale < 0:
                low, high = high, low
            rest = wanted // common * inverse % modulus
            bits = modulus.bit_length() - 1
            yield kind, Target(-(-low // self.scale), high // self.scale, rest, bits)


@dataclass(frozen=True)
class Mean:
    """Mean of as many codes of a format as there are terms, rounded half up: the pools."""

    target: Format

    kinds = (LARGEST, SMALLEST, *UP.values(), *DOWN.values())

    def code(self, total: int, terms: int) -> int:
        n = average(self.target.width, terms)
        return (total * n.multiplier + (1 << n.shift - 1)) >> n.shift

    def targets(self, total: Sum) -> dict[str, Target]:
        n, found = average(self.target.width, len(total.low)), {}
        for parity, negative in _CASES:
            low, high = (self.target.qmin, -1) if negative else (0, self.target.qmax - 1)
            code = (low + high) // 2
            code += (code - parity) % 2
            if low <= code <= high:
                # n's reciprocal is rounded: an exact half may fall on either side.
                half = ((2 * code + 1) << n.shift) >> 1
                least = -(-half // n.multiplier)
                found[UP[parity, negative]] = Target(least, least)
                found[DOWN[parity, negative]] = Target(least - 1, least - 1)
        return found


@dataclass(frozen=True)
class Plain:
    """The sum itself: the classifier."""

    bias: int

    kinds = (LARGEST, SMALLEST)

    def code(self, total: int, terms: int) -> int:
        return total + self.bias

    def targets(self, total: Sum) -> dict[str, Target]:
        return {}


@dataclass(frozen=True)
class Greatest:
    """The greatest code: which tap it is at, beside codes of one less, and where in the range."""

    taps: int
    target: Format

    @property
    def kinds(self) -> tuple[str, ...]:
        return greatest_kinds(self.taps)

    def codes(self, kind: str, taps: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
        """Codes of the taps numbered so, of which one is the greatest; None if it is not among
        them, or the range has no such code."""
        tap, level = divmod(self.kinds.index(kind), len(_LEVELS))
        low, high = self.target.qmin, self.target.qmax
        greatest = (low + 1, 0, high)[level]
        if tap not in taps or greatest <= low:
            return None
        least = np.where(rng.random(len(taps)) < 0.5, greatest - 1, low)
        return np.where(taps == tap, greatest, rng.integers(least, greatest - 1, endpoint=True))


_LEVELS = ("the smallest code but one", "zero", "the largest code")


def greatest_kinds(taps: int) -> tuple[str, ...]:
    """What a maximum over so many taps is driven to."""
    return tuple(
        f"greatest at tap {tap} alone, {level}" for tap in range(taps) for level in _LEVELS
    )


Rule = Scaled | Mean | Plain | Greatest
