"""A layer as its corners see it: what each output channel reads at a pixel, and codes put there."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from hw.corners.rules import LARGEST, SMALLEST, Greatest, Rule
from hw.corners.sums import Sum, Target
from hw.ir.graph import Pair


class Taps(NamedTuple):
    """The codes that an output channel sums up at each pixel; a column each.

    Parameters
    ----------
    source: which input of the node
    y, x, channel: place in it, from the window's first pixel on
    sign, power: a code q counts as sign·floor(q·2**power)
    """

    source: np.ndarray
    y: np.ndarray
    x: np.ndarray
    channel: np.ndarray
    sign: np.ndarray
    power: np.ndarray


Place = tuple[int, int, int]
"""Frame, row and column of an output pixel."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A node as its corners see it.

    Parameters
    ----------
    taps, rules: one for each output channel
    shares: channels of which only one can be solved for at a place, as they read the same codes
    side: height and width of the inputs; out: of the output
    stride, padding, spacing: of the windows on the input, and of windows apart on the output
    ranges: smallest and largest code of each input, as the taps count it
    relu: smallest code that counts as zero, where some do
    """

    taps: Sequence[Taps]
    rules: Sequence[Rule]
    shares: Sequence[Sequence[int]]
    side: Pair
    out: Pair
    stride: Pair
    padding: Pair
    spacing: Pair
    ranges: Sequence[Pair]
    relu: int | None

    @cached_property
    def middle(self) -> Pair:
        """The output pixel that sees the most of its window."""
        taps = max(self.taps, key=lambda taps: len(taps.y))
        seen = [
            [int(self._inside(axis, taps, at).sum()) for at in range(self.out[axis])]
            for axis in range(2)
        ]
        return seen[0].index(max(seen[0])), seen[1].index(max(seen[1]))

    def _at(self, axis: int, taps: Taps, at: int) -> np.ndarray:
        """Rows (axis 0) or columns of the taps of an output row or column."""
        return at * self.stride[axis] - self.padding[axis] + (taps.y, taps.x)[axis]

    def _inside(self, axis: int, taps: Taps, at: int) -> np.ndarray:
        place = self._at(axis, taps, at)
        return (place >= 0) & (place < self.side[axis])

    def seen(self, channel: int, y: int, x: int) -> np.ndarray:
        """Numbers of the channel's taps that do not lie in the padding."""
        taps = self.taps[channel]
        return np.flatnonzero(self._inside(0, taps, y) & self._inside(1, taps, x))

    @cached_property
    def _known(self) -> dict[tuple[int, bytes], tuple[Sum, dict[str, Target]]]:
        return {}

    def _targets(self, channel: int, seen: np.ndarray) -> tuple[Sum, dict[str, Target]]:
        """The sum of these taps, and the targets of all kinds."""
        key = channel, seen.tobytes()
        if key not in self._known:
            rule, total = self.rules[channel], self._sum(channel, seen)
            assert not isinstance(rule, Greatest)
            whole = total
            if len(seen) < len(self.taps[channel].y):
                whole = self._sum(channel, self.seen(channel, *self.middle))
            ends = {kind: Target(at, at) for kind, at in (
                (LARGEST, whole.most), (SMALLEST, whole.least)
            )}  # fmt: skip
            self._known[key] = total, rule.targets(total) | ends
        return self._known[key]

    def _sum(self, channel: int, seen: np.ndarray) -> Sum:
        taps = self.taps[channel]
        sign, power = taps.sign[seen], taps.power[seen]
        low, high = (ends >> np.maximum(-power, 0) for ends in self._ends(channel, seen))
        low, high = np.where(sign < 0, -high, low), np.where(sign < 0, -low, high)
        return Sum(low, high, np.maximum(power, 0))

    def _ends(self, channel: int, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest code of each tap."""
        ends = np.array(self.ranges, np.int64)[self.taps[channel].source[seen]]
        return ends[:, 0], ends[:, 1]

    def solvable(self, channel: int, kind: str, y: int, x: int) -> bool:
        """Whether some codes give the corner at an output pixel."""
        seen, rule = self.seen(channel, y, x), self.rules[channel]
        if isinstance(rule, Greatest):
            return rule.codes(kind, seen, np.random.default_rng(0)) is not None
        total, targets = self._targets(channel, seen)
        return kind in targets and total.reaches(targets[kind])

    def solve(
        self,
        inputs: Sequence[np.ndarray],
        place: Place,
        channel: int,
        kind: str,
        rng: np.random.Generator,
    ) -> int | None:
        """Put codes into the inputs that give the corner at an output pixel. Returns the output's
        code before any clamp; None, and nothing is done, where no codes give the corner."""
        frame, y, x = place
        seen, rule, taps = self.seen(channel, y, x), self.rules[channel], self.taps[channel]
        if isinstance(rule, Greatest):
            codes = rule.codes(kind, seen, rng)
            if codes is None:
                return None
            code = int(codes.max())
        else:
            total, targets = self._targets(channel, seen)
            values = total.values(targets[kind], rng) if kind in targets else None
            if values is None:
                return None
            codes = self._codes(channel, seen, values, rng)
            shifts = np.maximum(taps.power[seen], 0).tolist()
            made = sum(v << s for v, s in zip(values.tolist(), shifts, strict=True))
            code = rule.code(made, len(seen))
        if self.relu is not None:
            negative = rng.integers(self.relu, 0, codes.shape, endpoint=True)
            codes = np.where(codes == 0, negative, codes)
        rows, columns = self._at(0, taps, y)[seen], self._at(1, taps, x)[seen]
        for source, image in enumerate(inputs):
            of = taps.source[seen] == source
            image[frame, rows[of], columns[of], taps.channel[seen][of]] = codes[of]
        return code

    def _codes(
        self, channel: int, seen: np.ndarray, values: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Codes that count as `values`; the bits that are cut off are drawn."""
        taps = self.taps[channel]
        cut = np.maximum(-taps.power[seen], 0)
        codes = (values * taps.sign[seen] << cut) + rng.integers(0, np.int64(1) << cut)
        return np.clip(codes, *self._ends(channel, seen))
