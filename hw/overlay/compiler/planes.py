"""The data memory: which plane lies where, and how long."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hw.errors import InputError
from hw.ir.graph import Pair
from hw.overlay.compiler.placement import words
from hw.overlay.hardware import RANGES


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies.

    Parameters
    ----------
    planes: first word of each channel's plane
    pitch: log2 of its pitches
    image: whether it lies in the image's buffer
    """

    planes: tuple[int, ...]
    pitch: Pair
    image: bool = False

    @property
    def slots(self) -> np.ndarray:
        """Number of each plane, in planes of this pitch."""
        return np.array(self.planes, np.int64) // words(self.pitch)


class MemoryFull(InputError):
    """Planes that the data memory has no room for."""


class Memory:
    """Words of the data memory, given to planes and taken back.

    Members
    -------
    most: words in use at most so far
    """

    def __init__(self, size: int):
        self._free = np.ones(size, bool)
        self._free[0] = False
        self._holders: dict[int, int] = {}
        self._words: dict[int, np.ndarray] = {}
        self.most = 1

    def take(self, name: str, planes: int, pitch: Pair, *, pairs: bool = False) -> tuple[int, ...]:
        """First words of so many new planes, neighbours where there is room for that.

        pairs: the first and the second one are neighbours in any case, and so on

        Raises
        ------
        MemoryFull: there is no room; `name` wanted the planes
        """
        plane_words = words(pitch)
        size = plane_words << pairs
        planes >>= pairs
        whole = len(self._free) // size
        blocks = np.flatnonzero(self._free[: whole * size].reshape(whole, size).all(axis=1))
        if len(blocks) < planes:
            used = int((~self._free).sum())
            most = len(self._free) >= RANGES["words"][1]
            advice = "the most there are: take smaller images" if most else "take more words"
            raise MemoryFull(
                f"{name}: {planes << pairs} planes of {plane_words} words do not fit the data"
                f" memory: {used} of its {len(self._free)} words hold what is still to be read;"
                f" {advice}"
            )
        runs = np.flatnonzero(
            blocks[planes - 1 :] - blocks[: len(blocks) - planes + 1] == planes - 1
        )
        start = int(runs[0]) if len(runs) else 0
        found = tuple((blocks[start : start + planes] * size).tolist())
        if pairs:
            found = tuple(plane + half for plane in found for half in (0, plane_words))
        self._hold(found, np.arange(plane_words))
        return found

    def take_sparse(self, planes: int, size: int, used: np.ndarray) -> tuple[int, ...] | None:
        """First words of planes of `size` words of which only some are used; None: no room."""
        whole = len(self._free) // size
        blocks = np.flatnonzero(self._free[: whole * size].reshape(whole, size)[:, used].all(1))
        if len(blocks) < planes:
            return None
        found = tuple((blocks[:planes] * size).tolist())
        self._hold(found, used)
        return found

    def _hold(self, planes: Sequence[int], used: np.ndarray) -> None:
        for plane in planes:
            self._words[plane] = plane + used
            self._free[self._words[plane]] = False
            self._holders[plane] = 1
        self.most = max(self.most, int((~self._free).sum()))

    def room(self, pitch: Pair) -> int:
        """Planes of this pitch that there is room for."""
        size = words(pitch)
        whole = len(self._free) // size
        return int(self._free[: whole * size].reshape(whole, size).all(axis=1).sum())

    def hold(self, planes: Sequence[int]) -> None:
        """One more holder of each of these planes."""
        for plane in planes:
            self._holders[plane] += 1

    def held_once(self, planes: Sequence[int]) -> bool:
        """Whether none of these planes has a second holder."""
        return all(self._holders.get(plane) == 1 for plane in planes)

    def drop(self, planes: Sequence[int]) -> None:
        """One holder less; a plane that nobody holds is free."""
        for plane in planes:
            self._holders[plane] -= 1
            if not self._holders[plane]:
                self._free[self._words.pop(plane)] = True
                del self._holders[plane]
