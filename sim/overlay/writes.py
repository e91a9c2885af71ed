"""What an overlay's data memory was written, as the harness has logged it, played back."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hw.overlay import isa
from hw.overlay.isa import Op, Register
from sim.overlay.harness import CAPTURE, CAPTURE_TO_WRITE, RESET, STORE, Harness, column_words

CHUNK = 4096
"""Records that are read at a time."""


@dataclass(frozen=True)
class Write:
    """One cycle's write.

    Parameters
    ----------
    capture: it is a capture's, not the loader's
    address: of the word, of each row
    enable: of each lane
    pixels: two's complement, of each lane
    """

    capture: bool
    address: np.ndarray
    enable: np.ndarray
    pixels: np.ndarray


def runs(path: Path, harness: Harness) -> Iterator[Iterator[Write]]:
    """The writes of each run, one run after the other: a reset ends a run.

    Each run must be read to its end before the next one is asked for.
    """
    records = _records(path, harness)
    ended = False

    def run() -> Iterator[Write]:
        nonlocal ended
        for record in records:
            if record is None:
                return
            yield record
        ended = True

    while not ended:
        yield run()


def lives(writes: Iterable[Write]) -> Iterator[Iterator[Write]]:
    """The writes under each program: one begins where the loader clears word 0. What comes before
    the first one was still on its way when a reset came, the beginning of another program among it:
    no program clears so few words.

    Each must be read to its end before the next one is asked for.
    """
    rest = iter(writes)
    early = list(itertools.islice(rest, CAPTURE_TO_WRITE))
    begins = max((n for n, write in enumerate(early) if _clears(write)), default=len(early))
    rest = itertools.chain(early[begins:], rest)
    first = next(filter(_clears, rest), None)

    def life() -> Iterator[Write]:
        nonlocal first
        assert first is not None
        yield first
        first = None
        for write in rest:
            if _clears(write):
                first = write
                return
            yield write

    while first is not None:
        yield life()


def _clears(write: Write) -> bool:
    """Whether it is the first one of those that fill the memory with zeros."""
    return not write.capture and not write.address.any() and bool(write.enable.all())


def _records(path: Path, harness: Harness) -> Iterator[Write | None]:
    overlay = harness.overlay
    rows, columns, bits = overlay.rows, overlay.columns, overlay.data_bits
    size = harness.record_words
    with path.open("rb") as file:
        while True:
            data = np.fromfile(file, "<u4", CHUNK * size)
            data = data[: len(data) // size * size].reshape(-1, size)
            if not len(data):
                return
            row = data[:, 1 : 1 + rows]
            at = 1 + rows + rows * column_words(overlay)
            lanes = np.ascontiguousarray(data[:, 1 + rows : at]).view(np.uint8)
            lanes = np.unpackbits(lanes, axis=1, bitorder="little")
            lanes = lanes.reshape(len(data), rows, -1)[:, :, :columns]
            enable = lanes.astype(bool) & ((row & STORE) != 0)[:, :, None]
            pixels = np.ascontiguousarray(data[:, at:]).view("<u2")[:, : rows * columns]
            pixels = pixels.reshape(-1, rows, columns).astype(np.int32)
            pixels -= (pixels >> (bits - 1)) << bits
            address = (row & 0xFFFF).astype(np.int64)
            flags = data[:, 0]
            for n in range(len(data)):
                if flags[n] & RESET:
                    yield None
                else:
                    yield Write(bool(flags[n] & CAPTURE), address[n], enable[n], pixels[n])


class Memory:
    """A data memory that writes are done to; zero at first."""

    def __init__(self, harness: Harness):
        overlay = harness.overlay
        self.words = np.zeros((overlay.words, overlay.rows, overlay.columns), np.int32)
        self._rows = np.arange(overlay.rows)

    def clear(self) -> None:
        self.words[:] = 0

    def do(self, write: Write) -> None:
        """A write beyond the memory is none."""
        address = write.address
        first = int(address[0])
        if (address == first).all():
            if first < len(self.words):
                np.copyto(self.words[first], write.pixels, where=write.enable)
            return
        for row in self._rows:
            if address[row] < len(self.words):
                np.copyto(self.words[address[row], row], write.pixels[row], where=write.enable[row])


def captures(words: np.ndarray) -> np.ndarray:
    """How many captures a section has done when each of its words has: in a body, its last pass."""
    control = np.flatnonzero(words & isa.CONTROL).tolist()
    done = np.zeros(len(words), np.int64)
    passes = 1
    for index in control:
        word = int(words[index])
        op = word >> 12 & 7
        if op == Op.SET and word >> 8 & 15 == Register.OUT_PITCH:
            pitch = isa.signed(word >> 4 & 15, 4), isa.signed(word & 15, 4)
            passes = 1 << sum(max(p, 0) for p in pitch)
        elif op == Op.BODY:
            body = words[index + 1 : index + 1 + (word & 0xFFF)]
            inside = np.count_nonzero(body >> 12 == isa.CONTROL >> 12 | Op.CAPTURE)
            done[index] = (passes - 1) * inside
        elif op == Op.CAPTURE:
            done[index] = 1
    return np.cumsum(done)
