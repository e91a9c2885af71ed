"""Where a tensor's pixels lie in the data memory, and how they are gathered from there."""

from dataclasses import dataclass

import numpy as np

from hw.ir.graph import Pair


@dataclass(frozen=True)
class Place:
    """Where a channel of a tensor lies, and from when on.

    Parameters
    ----------
    address: first word of its plane
    pitch: log2 of the pitches, down and across
    section, index: "prefix" or "suffix", and the word after which it is complete
    image: whether the address is that of the image's first buffer
    home: it lies as the batch's first image does, whichever image it is of
    """

    address: int
    pitch: Pair
    section: str
    index: int
    image: bool = False
    home: bool = False

    @property
    def words(self) -> int:
        return 1 << (max(self.pitch[0], 0) + max(self.pitch[1], 0))

    def pixels(self, words: np.ndarray, size: Pair, at: Pair) -> np.ndarray:
        """The plane's pixels of the image at a place of its batch.

        words: of the plane, (number, rows, columns); size: of the plane in pixels
        """
        lanes = (0, 0) if self.home else at
        (row, a), (column, b) = (
            _where(np.arange(size[axis]), self.pitch[axis], lanes[axis]) for axis in (0, 1)
        )
        number = row[:, None] * (1 << max(self.pitch[1], 0)) + column
        return words[number, a[:, None], b[None, :]]


def _where(pixel: np.ndarray, pitch: int, at: int) -> tuple[np.ndarray, np.ndarray]:
    """Word (on this axis) and lane of each pixel."""
    if pitch >= 0:
        return pixel & ((1 << pitch) - 1), pixel >> pitch
    return np.zeros_like(pixel), (pixel << -pitch) + at
