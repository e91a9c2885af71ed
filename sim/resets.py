"""When a co-simulation resets its designs: moments at which there is something to forget.

A register that a reset leaves out is seen only if it holds something when the reset comes, and if
that matters to the beats after it. So runs are cut off in different states: beats under way
everywhere, everything full, everything that can be empty empty, a frame just over; and the beats of
each run are compared, not only those after the last reset.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

LIST, LOG = "resets.txt", "reset_log.txt"
"""The moments, where the harness looks for them, and what it has seen in each."""

MOST_CYCLES = 20_000
"""Cycles after which a run is cut off at the latest; six times as many where it has to fill or to
drain."""

DELAY = 48
"""Cycles from a beat to the reset that it calls for, at most: longer than most elements take for
one sum."""

LONG = 1 << 20
"""A delay that never ends: the reset comes when everything stands still."""


class Hold(IntEnum):
    """What holds back from the awaited beat on."""

    NOTHING = 0
    SINKS = 1
    SOURCES = 2


@dataclass(frozen=True)
class Moment:
    """When a run is cut off.

    Parameters
    ----------
    stalled: whether the run is under stalls from its beginning
    tap, beats: the beat that is awaited: number of the tap, how many beats it has seen
    hold: what holds back from then on, if anything
    delay: cycles from then on; with something held back the reset comes at the latest when nothing
    moves any more
    most: cycles after which the beat is awaited no longer
    """

    stalled: bool
    tap: int
    beats: int
    hold: Hold = Hold.NOTHING
    delay: int = 0
    most: int = MOST_CYCLES

    @property
    def line(self) -> str:
        """The moment as the harness reads it."""
        numbers = (self.stalled, self.tap, self.beats, self.hold, self.delay, self.most)
        return " ".join(str(int(number)) for number in numbers) + "\n"


def moments(count: int, beats: Sequence[int], frames: int, seed: int) -> list[Moment]:
    """As many moments, in turn: under way, under way under stalls, all full, all empty, between two
    frames; then the same at other places, every other round under stalls but for what fills or
    drains.

    Each run but the first lasts until a stream is in its third frame, if there are enough, so that
    what the reset before it has left shows in most layers, and what is under way is not of the
    second image, which is all zero where images are random: sums of zeros are as a reset leaves
    them. The first run is never stalled: the later ones are to look like it.

    Parameters
    ----------
    beats: of a frame, for each tap; the first one is at an output
    frames: that the designs are sent
    """
    rng = np.random.default_rng([seed, 0x5E5E7])
    found = []
    for number in range(count):
        turn, kind = divmod(number, 5)
        tap = 0 if number == 0 else int(rng.integers(len(beats)))
        start = beats[tap] * (0 if number == 0 or frames == 1 else 2 if frames > 3 else 1)
        # The frame's last beat is not awaited: there would be nothing left under way.
        within = start + int(rng.integers(1, max(1, beats[tap] - 1), endpoint=True))
        under_way = Moment(bool(kind == 1 or turn % 2), tap, within, delay=int(rng.integers(DELAY)))
        match kind:
            case 0 | 1:
                found.append(under_way)
            case 2:
                whole = beats[0] if frames > 1 else 0
                found.append(_still(replace(under_way, tap=0, beats=whole), Hold.SINKS))
            case 3:
                found.append(_still(under_way, Hold.SOURCES))
            case _:
                found.append(replace(under_way, beats=max(1, start)))
    return found


def _still(moment: Moment, hold: Hold) -> Moment:
    """The moment at which nothing moves any more, as `hold` has it; never under stalls."""
    return replace(moment, stalled=False, hold=hold, delay=LONG, most=6 * MOST_CYCLES)
