"""Compares streams with what they should carry, beat by beat, as the simulation runs."""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from hw.ir import reference
from hw.ir.network import Network
from sim.scoreboard import Difference
from sim.stream.monitor import Monitor


class Scoreboard:
    """Compares streams with what they should carry, beat by beat; the first difference fails the
    test with layer, pixel, channel, both values.

    Parameters
    ----------
    network: whose layers are watched; without one, `expect_frame` says what should come
    """

    def __init__(self, network: Network | None = None):
        self.network = network
        self.streams: dict[str, _Watched] = {}

    def watch(self, monitor: Monitor, layer: str | None = None) -> None:
        """Compare what a monitor (or a sink) sees; by default the stream's name is the layer's.

        Raises
        ------
        ValueError: the layer is watched already, or the network has none of that name, or its
        frames have another number of beats.
        """
        layer = monitor.name if layer is None else layer
        if layer in self.streams:
            raise ValueError(f"{layer}: watched already")
        if self.network is not None:
            names = [node.name for node in self.network.graph]
            if layer not in names:
                raise ValueError(f"{layer}: no layer of the network; it has {', '.join(names)}")
            shape = self.network.graph[layer].shape
            if monitor.shape != shape:
                raise ValueError(f"{layer}: frames of {shape}, its monitor has {monitor.shape}")
        if not self.streams:
            monitor.bench.add(self)
            monitor.bench.on_finish.append(self._require_compared)
        self.streams[layer] = watched = _Watched(layer, monitor)
        monitor.on_beat.append(partial(watched.compare, monitor.bench.when))

    def expect(self, images: np.ndarray) -> None:
        """Expect, on every watched stream, what the network's reference computes from images.

        Parameters
        ----------
        images: uint8 (N, H, W, C), as they are sent

        Raises
        ------
        ValueError: there is no network, or no stream is watched, so that nothing would be compared.
        InputError: no images, or not of the network's shape.
        """
        if self.network is None:
            raise ValueError("this scoreboard has no network; use expect_frame")
        if not self.streams:
            raise ValueError("this scoreboard watches nothing; call watch(monitor) first")
        reference.check_images(self.network, images)
        tensors = reference.run(self.network, images)
        for layer in self.streams:
            for frame in tensors[layer]:
                self.expect_frame(layer, frame)

    def expect_frame(self, layer: str, frame: np.ndarray) -> None:
        """Expect one more frame on a watched stream."""
        watched = self._watched(layer)
        watched.expect(watched.monitor.pack(frame))

    def expect_beats(self, layer: str, numbers: Sequence[int]) -> None:
        """Expect some more numbers on a watched stream, whole frames or not."""
        watched = self._watched(layer)
        watched.expect(watched.monitor.to_beats(numbers))

    def _watched(self, layer: str) -> "_Watched":
        if layer not in self.streams:
            names = ", ".join(self.streams) or "nothing"
            raise ValueError(f"{layer}: not watched; this scoreboard watches {names}")
        return self.streams[layer]

    def flush(self) -> None:
        """Expect nothing more of what has not come yet: the testbench calls it at a reset."""
        for watched in self.streams.values():
            watched.expected.clear()
            watched.total = watched.compared
            watched.start = watched.compared

    def drive(self) -> None:
        """A scoreboard drives nothing."""

    def sample(self) -> bool:
        return False

    def state(self) -> str:
        return "expected: " + ", ".join(watched.state() for watched in self.streams.values())

    def problem(self) -> str | None:
        short = [watched for watched in self.streams.values() if watched.expected]
        return short[0].state() if short else None

    def _require_compared(self) -> None:
        """AssertionError where a stream was watched for nothing."""
        for watched in self.streams.values():
            if not watched.compared:
                raise AssertionError(
                    f"{watched.layer}: watched, and no beat of it was expected or came"
                )


class _Watched:
    """One stream and the beats that it should still give, as unsigned payloads."""

    def __init__(self, layer: str, monitor: Monitor):
        self.layer, self.monitor = layer, monitor
        self.expected: deque[int] = deque()
        self.total, self.compared, self.start = 0, 0, 0
        self.mask = (1 << monitor.signals.width) - 1

    def expect(self, beats: Sequence[int]) -> None:
        self.expected.extend(beats)
        self.total += len(beats)

    def state(self) -> str:
        return f"{self.layer}: {self.compared} of {self.total} beats"

    def compare(self, when: Callable[[], str], payload: int) -> None:
        beat = self.compared
        if not self.expected:
            raise AssertionError(
                f"{self.layer}: beat {beat} ({payload}) is one too many, expected {self.total} "
                f"beats ({when()})"
            )
        expected, got = self.expected.popleft(), payload & self.mask
        self.compared += 1
        if expected != got:
            what = self._difference(beat - self.start, expected, got)
            raise AssertionError(f"{self.layer}: beat {beat}: {what} ({when()})")

    def _difference(self, beat: int, expected: int, got: int) -> str:
        """The first number of a beat that differs, placed in its frame."""
        monitor = self.monitor
        wanted, found = (monitor.numbers([bits]) for bits in (expected, got))
        lane = next(lane for lane in range(monitor.lanes) if wanted[lane] != found[lane])
        if not monitor.frame_beats or monitor.shape is None:
            return f"expected {wanted[lane]}, got {found[lane]}"
        frame, place = divmod(beat, monitor.frame_beats)
        height_width_channels = (1, 1, *monitor.shape)[-3:]
        y, x, channel = np.unravel_index(place * monitor.lanes + lane, height_width_channels)
        return str(Difference(frame, int(y), int(x), int(channel), wanted[lane], found[lane]))
