"""When a stream pauses: iterators that give, for each cycle, whether to hold back."""

import itertools
import random
from collections.abc import Iterator

Stall = float | str
"""A probability in [0, 1), or "bursts" (runs of pauses and of flow), or "after_valid" (sinks only:
ready falls after every beat and rises only once valid is seen, so a `valid` that waits for `ready`
hangs)."""


def pauses(stall: Stall, rng: random.Random) -> Iterator[bool]:
    """Whether to hold back, cycle after cycle."""
    if stall == "bursts":
        return bursts(rng)
    if stall == "after_valid":
        return itertools.repeat(False)
    if isinstance(stall, str) or not 0 <= stall < 1:
        raise ValueError(
            f"stall {stall!r}: expected a probability in [0, 1), 'bursts' or 'after_valid'"
        )
    return bernoulli(stall, rng) if stall else itertools.repeat(False)


def bernoulli(probability: float, rng: random.Random) -> Iterator[bool]:
    """Each cycle by itself."""
    while True:
        yield rng.random() < probability


def bursts(rng: random.Random, longest: int = 40) -> Iterator[bool]:
    """Pauses and runs of flow in turn, each 1 to `longest` cycles, short ones as likely as long
    ones.
    """
    paused = rng.random() < 0.5
    while True:
        yield from itertools.repeat(paused, int(longest ** rng.random()))
        paused = not paused
