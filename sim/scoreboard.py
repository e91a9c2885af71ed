"""Compares the beats that taps have written with the reference, bit for bit."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Difference:
    """Where a stream first differs from the reference.

    Parameters
    ----------
    frame, y, x, channel: place in the feature map; frames count from the first one sent
    expected, got: both values; `got` is None where the beat never came
    """

    frame: int
    y: int
    x: int
    channel: int
    expected: int
    got: int | None

    def __str__(self) -> str:
        got = "nothing" if self.got is None else str(self.got)
        return (
            f"frame {self.frame}, pixel ({self.y}, {self.x}), channel {self.channel}: "
            f"expected {self.expected}, got {got}"
        )


@dataclass(frozen=True)
class Compared:
    """What the comparison of one stream gave.

    Parameters
    ----------
    layer: name of the tensor
    beats: that were compared
    expected_beats: that should have come
    mismatches: bits that differ
    difference: the first one, None where all is equal
    """

    layer: str
    beats: int
    expected_beats: int
    mismatches: int
    difference: Difference | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Compared":
        fields = dict(content)
        difference = fields.pop("difference")
        return cls(**fields, difference=Difference(**difference) if difference else None)


def to_words(values: np.ndarray, words: int) -> np.ndarray:
    """Integers as a tap writes them: uint32 of shape (beats, words), low word first, sign-
    extended.
    """
    flat = np.asarray(values).reshape(-1)
    if flat.dtype != object and words <= 2:
        return flat.astype("<i8").view("<u4").reshape(-1, 2)[:, :words]
    data = b"".join(
        (int(value) % (1 << 32 * words)).to_bytes(4 * words, "little") for value in flat
    )
    return np.frombuffer(data, "<u4").reshape(-1, words)


def to_bytes(values: np.ndarray, size: int) -> bytes:
    """Integers as a source reads them: `size` bytes each (1, 2 or a multiple of 4), little-
    endian.
    """
    words = to_words(values, -(-size // 4))
    return words.astype(f"<u{size}").tobytes() if size < 4 else words.tobytes()


def to_integer(words: np.ndarray, signed: bool) -> int:
    """The value of one beat's words."""
    return int.from_bytes(words.astype("<u4").tobytes(), "little", signed=signed)


def read_words(path: Path, words: int) -> np.ndarray:
    """The whole beats in a tap's file, uint32 of shape (beats, words)."""
    data = np.fromfile(path, "<u4")
    beats = len(data) // words
    return data[: beats * words].reshape(beats, words)


def compare(
    layer: str,
    captured: np.ndarray,
    expected: np.ndarray,
    shape: Sequence[int],
    signed: bool,
) -> Compared:
    """Compare captured with expected words, both of shape (beats, words).

    `shape` is height, width, channels of a frame. Beats that are missing count as a difference but
    not as bits that differ; surplus ones are not looked at.
    """
    beats = min(len(captured), len(expected))
    flipped = captured[:beats] ^ expected[:beats]
    wrong = np.flatnonzero(flipped.any(axis=1))
    mismatches = int(np.unpackbits(np.ascontiguousarray(flipped[wrong]).view(np.uint8)).sum())
    difference = None
    if len(wrong) or beats < len(expected):
        beat = int(wrong[0]) if len(wrong) else beats
        _, width, channels = shape
        pixel, channel = divmod(beat, channels)
        frame, pixel = divmod(pixel, shape[0] * width)
        got = to_integer(captured[beat], signed) if len(wrong) else None
        difference = Difference(
            frame, *divmod(pixel, width), channel, to_integer(expected[beat], signed), got
        )
    return Compared(layer, beats, len(expected), mismatches, difference)
