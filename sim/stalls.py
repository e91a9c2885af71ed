"""When a stream pauses. Sources and sinks ask before each cycle whether to hold back.

A stall is given as

- a name of `PATTERNS`, or a number p for "bernoulli" with that chance;
- any iterable of truth values, one a cycle (true: hold back); when it ends the stream flows;
- a function of a `View`, for a pattern that reacts to what it sees.

No pattern of `PATTERNS` can hang a right design: each lets go once nothing has moved for a while.
"""

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

PATTERNS = ("never", "always_then_burst", "bernoulli", "bursts", "after_valid", "adversarial")
"""
never: full speed
always_then_burst: holds back until everything stands still, then flows for 1 to 256 cycles
bernoulli: each cycle by itself, with one chance
bursts: runs of pauses and of flow in turn
after_valid: a sink's ready falls after every beat and rises only once valid is seen, so that a
valid that waits for ready hangs; a source flows
adversarial: turns against what it sees, in moods that change now and then (see `Adversary`)
"""

STILL = 32
"""Cycles in which nothing moves, after which what can be full is full, what can be empty is
empty.
"""

BURST = 256
"""Cycles of flow at most, after everything has stood still."""


@dataclass(slots=True)
class View:
    """What an agent sees before it decides about the coming cycle.

    Parameters
    ----------
    is_sink: whether it drives ready (a source drives valid)
    valid, ready: of its stream, in the cycle before
    beat: number of the next beat in its frame
    beats: of a frame; 0 where a frame's length is not known
    row: beats of a row of the frame
    idle: cycles in which no stream of the testbench has moved
    """

    is_sink: bool
    valid: bool = False
    ready: bool = False
    beat: int = 0
    beats: int = 0
    row: int = 0
    idle: int = 0

    @property
    def on_border(self) -> bool:
        """Whether the next beat is the first or the last one of a row or a frame."""
        if not self.beats:
            return self.beat == 0
        return self.beat % self.row in (0, self.row - 1)


Stall = float | str
"""A stall by name or by number, as it can be written to a file."""

Hold = Callable[[View], bool]
"""Decides, cycle after cycle, whether to hold back."""

AnyStall = Stall | Iterable[bool] | Hold


def holds(stall: AnyStall, rng: random.Random) -> Hold:
    """The decisions that `stall` stands for; `rng` makes them repeatable.

    Raises
    ------
    ValueError: no such pattern, or a number outside [0, 1).
    """
    if isinstance(stall, int | float):
        if not 0 <= stall < 1:
            raise ValueError(f"stall {stall}: expected a probability in [0, 1)")
        return _blind(bernoulli(stall, rng)) if stall else _flow
    if isinstance(stall, str):
        if stall not in PATTERNS:
            raise ValueError(f"stall {stall!r}: expected {', '.join(PATTERNS)} or a probability")
        return {
            "never": lambda: _flow,
            "always_then_burst": lambda: StillThenBurst(rng),
            "bernoulli": lambda: _blind(bernoulli(0.5, rng)),
            "bursts": lambda: _blind(bursts(rng)),
            "after_valid": lambda: _after_valid,
            "adversarial": lambda: Adversary(rng),
        }[stall]()
    if callable(stall):
        return stall
    return _blind(stall)


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


def _flow(view: View) -> bool:
    return False


def _after_valid(view: View) -> bool:
    return view.is_sink and not (view.valid and not view.ready)


def _blind(cycles: Iterable[bool]) -> Hold:
    """A pattern that looks at nothing."""
    decisions = iter(cycles)
    return lambda view: bool(next(decisions, False))


class StillThenBurst:
    """Holds back until everything stands still, then flows for 1 to BURST cycles."""

    def __init__(self, rng: random.Random):
        self.rng, self.left = rng, 0

    def __call__(self, view: View) -> bool:
        if self.left:
            self.left -= 1
            return False
        if view.idle >= STILL:
            self.left = self.rng.randrange(BURST)
            return False
        return True


class Adversary:
    """Turns against what it sees. Its mood changes every 16 to 128 cycles:

    snap: gives up as soon as the other side comes forward, and seldom meets it
    brim: one beat each time that everything stands still: what is full stays full, what is empty
    stays empty
    borders: long pauses at the first and the last beat of rows and frames
    alternate: every other cycle
    flow: full speed
    """

    MOODS = ("snap", "brim", "borders", "alternate", "flow")

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.mood, self.mood_left, self.pause = "flow", 0, 0
        self.held = False

    def __call__(self, view: View) -> bool:
        if not self.mood_left:
            self.mood, self.mood_left = self.rng.choice(self.MOODS), 16 << self.rng.randrange(4)
        self.mood_left -= 1
        self.held = self._decide(view)
        return self.held

    def _decide(self, view: View) -> bool:
        if self.pause:
            self.pause -= 1
            return True
        match self.mood:
            case "snap":
                forward = view.valid if view.is_sink else view.ready
                return forward and self.rng.random() < 0.75
            case "brim":
                return view.idle < STILL
            case "borders":
                if view.on_border and self.rng.random() < 0.5:
                    self.pause = int(64 ** self.rng.random())
                return bool(self.pause)
            case "alternate":
                return not self.held
        return False
