"""Which input pixels the windows of an output plane see."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from hw.overlay.compiler.emitter import View


@dataclass(frozen=True)
class Reach:
    """Input coordinates on an axis that the output's pixels of lane 0 read, in order."""

    used: tuple[int, ...]

    @classmethod
    def of(cls, view: View, axis: int, taps: int) -> Self:
        words = range(1 << max(view.pitch_out[axis], 0))
        stride, dilation, offset = view.stride[axis], view.dilation[axis], view.offset[axis]
        return cls(
            tuple(sorted({w * stride + t * dilation + offset for w in words for t in range(taps)}))
        )

    def __or__(self, other: Self) -> Self:
        return type(self)(tuple(sorted({*self.used, *other.used})))

    @property
    def low(self) -> int:
        return self.used[0]

    @property
    def pitch(self) -> int:
        """log2 of the pitch of a plane whose words are they all, from the lowest on."""
        return (self.used[-1] - self.low).bit_length()


def words_of(reaches: Sequence[Reach]) -> np.ndarray:
    """Numbers of the words that a plane of these reaches uses, of 2^(sum of the pitches)."""
    rows, columns = (np.array(reach.used) - reach.low for reach in reaches)
    return (rows[:, None] << reaches[1].pitch | columns).ravel()
