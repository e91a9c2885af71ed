"""Feeds one input stream of a design."""

from collections import deque

import numpy as np

from sim.stream.driver import Driver
from sim.stream.protocol import Sample


class Source(Driver):
    """Feeds frames into an input stream, pausing between beats as `stall` says. A beat once offered
    stays until it is taken; `last` comes with the last beat of each frame.

    Parameters: see Driver; without a shape each array sent is a frame.
    """

    is_sink = False

    def setup(self) -> None:
        self._queue: deque[list[int]] = deque()
        self._queued, self._gone = 0, 0
        self._offered = False
        self._remnant = False
        """Whether what is on offer is left of a frame that was flushed."""
        self.signals.valid.value = 0

    async def send(self, frame: np.ndarray) -> None:
        """Send a frame behind those queued; returns when its last beat is taken."""
        self.send_nowait(frame)
        await self.wait()

    def send_nowait(self, frame: np.ndarray) -> None:
        """Queue a frame.

        Raises
        ------
        ValueError: it does not fit the stream.
        """
        self._queue.append(self.pack(frame))
        self._queued += 1

    async def wait(self) -> None:
        """Wait until all frames queued so far are taken (or flushed, by a reset)."""
        end = self._queued
        await self.bench.until(lambda: self._gone >= end)

    def flush(self) -> None:
        """Drop all frames that are still to send, and the rest of the one that has begun.

        Out of reset a beat on offer stays until it is taken, as the stream's rules ask for.
        """
        kept = [self._queue[0][: self.place + 1]] if self._held() else []
        begin = self._begin
        self._gone += len(self._queue) - len(kept)
        self._queue = deque(kept)
        super().flush()
        self._remnant = bool(kept)
        if kept:
            self._begin = begin

    def drive(self) -> None:
        signals, now = self.signals, self.sampled
        if self.bench.in_reset:
            self._offered = False
            signals.valid.value = 0
            return
        if self._offered and now is not None and not now.moves:
            return
        self._offered = bool(self._queue) and not self.holds()
        if not self._offered:
            signals.valid.value = 0
            return
        frame, place = self._queue[0], self.place
        signals.payload.value = frame[place]
        if signals.last is not None:
            signals.last.value = int(place == len(frame) - 1)
        signals.valid.value = 1

    def state(self) -> str:
        return f"{super().state()}, {len(self._queue)} frames to send"

    def problem(self) -> str | None:
        return f"{self.name}: {len(self._queue)} frames not taken" if self._queue else None

    def _ends(self, now: Sample) -> bool:
        return self.place == len(self._queue[0])

    def _held(self) -> bool:
        """Whether a beat is on offer that must stay."""
        now = self.sampled
        taken = now is not None and now.moves
        return self._offered and not taken and not self.bench.in_reset

    def _end_frame(self) -> None:
        self._queue.popleft()
        self._gone += 1
        if self._remnant:
            self._begin, self._remnant = len(self.beats), False
            return
        super()._end_frame()
        # Nobody receives what we have sent ourselves.
        self._frames.clear()
