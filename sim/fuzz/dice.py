"""Random choices that stay the same for ever.

Of Python's generators only `random()` is promised to give the same numbers in every version; all
choices are made from it.
"""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Choices that follow from a text."""

    def __init__(self, key: str):
        self._random = random.Random(key).random

    def chance(self, probability: float) -> bool:
        return self._random() < probability

    def integer(self, low: int, high: int) -> int:
        """A number of [low, high]."""
        return low + int(self._random() * (high - low + 1))

    def choice(self, values: Sequence[T]) -> T:
        return values[self.integer(0, len(values) - 1)]

    def weighted(self, values: Sequence[tuple[T, int]]) -> T:
        """A value, each as often as the number beside it says."""
        at = self._random() * sum(weight for _, weight in values)
        for value, weight in values:
            at -= weight
            if at < 0:
                return value
        return values[-1][0]

    def shuffled(self, values: Sequence[T]) -> list[T]:
        """The values in a random order."""
        rest, found = list(values), []
        while rest:
            found.append(rest.pop(self.integer(0, len(rest) - 1)))
        return found
