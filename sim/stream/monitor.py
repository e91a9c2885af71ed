"""Watches one stream."""

import inspect
import random
from collections import deque
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from sim.stream import protocol
from sim.stream.protocol import ProtocolError, Rule, Sample, shown
from sim.stream.signals import Signals, level
from sim.stream.testbench import Testbench


class Monitor:
    """Watches one stream: collects its beats and frames, hands each cycle to its rules.

    Parameters
    ----------
    bench: that moves it
    signals: of the stream
    shape: of a frame, (height, width, channels) in this project; the last axis comes first in time
    and fills the lanes. Without one a frame ends with `last`, and where there is no such signal
    each beat is a frame.
    signed: whether the numbers are two's complement
    lanes: numbers in a beat, the first one in the low bits
    rules: see sim.stream.protocol; default: all that fit. More can be appended to `rules`.

    `on_beat` and `on_frame` are lists of functions of one argument, plain ones, never `async`: they
    are called with a beat's payload (an integer; signed where the stream is and a beat is one
    number) and a frame (an array of `shape`) in the cycle in which it is taken, and what they raise
    fails the test. `beats` has all payloads so far.
    """

    def __init__(
        self,
        bench: Testbench,
        signals: Signals,
        *,
        shape: Sequence[int] | None = None,
        signed: bool = False,
        lanes: int = 1,
        rules: Sequence[Rule] | None = None,
    ):
        if signals.width % lanes:
            raise ValueError(f"{signals.name}: {signals.width} bits do not make {lanes} lanes")
        if shape is not None and prod(shape) % lanes:
            raise ValueError(f"{signals.name}: {tuple(shape)} does not fill {lanes} lanes")
        self.bench, self.signals, self.name = bench, signals, signals.name
        self.shape = None if shape is None else tuple(shape)
        self.signed, self.lanes = signed, lanes
        self.frame_beats = 0 if self.shape is None else prod(self.shape) // lanes
        has_last = signals.last is not None
        self.rules = list(protocol.standard(self.frame_beats, has_last) if rules is None else rules)
        self.beats: list[int] = []
        self.on_beat: list[Callable[[int], None]] = []
        self.on_frame: list[Callable[[np.ndarray], None]] = []
        self.sampled: Sample | None = None
        """What the last cycle showed."""
        self._begin, self._done = 0, 0
        self._frames: deque[list[int]] = deque()
        bench.add(self)

    async def receive(self, frames: int = 1) -> np.ndarray:
        """The next frames, waited for: integers of shape (frames, *shape).

        Frames whose length is not known come in one array only where they are equally long.
        """
        await self.bench.until(lambda: len(self._frames) >= frames)
        return np.stack([self.receive_nowait() for _ in range(frames)])

    def receive_nowait(self) -> np.ndarray:
        """The next frame, which must have come.

        Raises
        ------
        IndexError: it has not.
        """
        return self.unpack(self._frames.popleft())

    def flush(self) -> None:
        """Forget the frame that has begun, and all that nobody has received; beats keep their
        numbers.
        """
        self._begin = len(self.beats)
        self._frames.clear()

    def drive(self) -> None:
        """A monitor drives nothing."""

    def sample(self) -> bool:
        before, now = self.sampled, self._read()
        self.sampled = now
        for rule in self.rules:
            if complaint := rule.check(before, now):
                raise ProtocolError(
                    f"{self.name}: beat {now.beat}: {complaint} ({self.bench.when()})"
                )
        if not now.moves:
            return False
        if now.payload is None:
            raise ProtocolError(f"{self.name}: beat {now.beat} is unknown ({self.bench.when()})")
        self.beats.append(now.payload)
        self._tell("on_beat", self.on_beat, now.payload)
        if self._ends(now):
            self._end_frame()
        return True

    def state(self) -> str:
        now = self.sampled
        levels = "" if now is None else f", valid={shown(now.valid)} ready={shown(now.ready)}"
        return f"{self.name}: {len(self.beats)} beats{levels}"

    def problem(self) -> str | None:
        return None

    @property
    def place(self) -> int:
        """Number of the next beat in its frame."""
        return len(self.beats) - self._begin

    @property
    def row_beats(self) -> int:
        """Beats of a row of the frame: all of it where it has fewer than three axes."""
        if self.shape is None or len(self.shape) < 3:
            return max(1, self.frame_beats)
        return max(1, prod(self.shape[1:]) // self.lanes)

    def rng(self) -> random.Random:
        """Random numbers that depend on the bench's seed and the stream's name only."""
        return random.Random(f"{self.bench.seed}/{self.name}")

    def _read(self) -> Sample:
        signals = self.signals
        valid = level(signals.valid)
        payload = last = None
        if valid:
            payload = signals.read(self.signed and self.lanes == 1)
            last = None if signals.last is None else level(signals.last)
        return Sample(
            self.bench.in_reset,
            valid,
            level(signals.ready),
            payload,
            last,
            len(self.beats),
            self.place,
            self._done,
            signals.beside() if valid and signals.sideband else {},
        )

    def _ends(self, now: Sample) -> bool:
        if self.frame_beats:
            return self.place == self.frame_beats
        return now.last is not False

    def _end_frame(self) -> None:
        beats = self.beats[self._begin :]
        self._begin = len(self.beats)
        self._done += 1
        self._frames.append(beats)
        self._tell("on_frame", self.on_frame, self.unpack(beats))

    def _tell(self, name: str, functions: list[Callable[[Any], None]], what: Any) -> None:
        """Call the functions of `on_beat` or `on_frame`."""
        if not isinstance(functions, list):
            raise TypeError(f"{self.name}: {name} is a list of functions; use {name}.append(…)")
        for function in functions:
            if inspect.iscoroutine(done := function(what)):
                done.close()
                raise TypeError(f"{self.name}: {name}: {function} is async; expected a plain one")

    def unpack(self, beats: Sequence[int]) -> np.ndarray:
        """The frame that some beats make."""
        width = self.signals.width // self.lanes
        values = np.array(self.numbers(beats), np.int64 if width < 64 else object)
        return values if self.shape is None else values.reshape(self.shape)

    def numbers(self, beats: Sequence[int]) -> list[int]:
        """The numbers of some beats, lane by lane."""
        if self.lanes == 1 and not self.signed:
            return list(beats)
        width = self.signals.width // self.lanes
        return [
            _number(beat >> (lane * width), width, self.signed)
            for beat in beats
            for lane in range(self.lanes)
        ]

    def pack(self, frame: np.ndarray) -> list[int]:
        """The beats of a frame.

        Raises
        ------
        ValueError: another shape, or numbers that the stream cannot carry.
        """
        values = np.asarray(frame)
        if self.shape is not None and values.shape != self.shape:
            raise ValueError(f"{self.name}: frame of shape {values.shape}, expected {self.shape}")
        return self.to_beats([int(value) for value in values.reshape(-1)])

    def to_beats(self, numbers: Sequence[int]) -> list[int]:
        """Unsigned payloads that carry some numbers, lane by lane.

        Raises
        ------
        ValueError: they do not fill the lanes, or the stream cannot carry one.
        """
        width = self.signals.width // self.lanes
        low = -(1 << width - 1) if self.signed else 0
        high = low + (1 << width) - 1
        if len(numbers) % self.lanes or not numbers:
            raise ValueError(f"{self.name}: {len(numbers)} numbers do not fill {self.lanes} lanes")
        if not low <= min(numbers) <= max(numbers) <= high:
            raise ValueError(
                f"{self.name}: numbers span [{min(numbers)}, {max(numbers)}], the stream holds "
                f"[{low}, {high}]"
            )
        mask = high - low
        return [
            sum((number & mask) << lane * width for lane, number in enumerate(beat))
            for beat in zip(*[iter(numbers)] * self.lanes, strict=True)
        ]


def _number(bits: int, width: int, signed: bool) -> int:
    value = bits & (1 << width) - 1
    return value - (1 << width) if signed and value >> (width - 1) else value
