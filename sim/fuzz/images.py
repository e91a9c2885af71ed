"""Images by kind: noise, the corners of the range, constants. The same for ever for one seed."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from hw.errors import InputError
from hw.ir.graph import Shape


def _noise(shape: Shape, key: str) -> np.ndarray:
    # A hash, not a generator of NumPy's, whose stream may change from one version to the next.
    data = hashlib.shake_256(f"noise/{key}".encode()).digest(int(np.prod(shape)))
    return np.frombuffer(data, np.uint8).reshape(shape)


def _constant(shape: Shape, key: str) -> np.ndarray:
    return np.full(shape, hashlib.sha256(f"constant/{key}".encode()).digest()[0], np.uint8)


def _extremes(shape: Shape, key: str) -> np.ndarray:
    """Each byte 0 or 255, at random."""
    return np.where(_noise(shape, key) & 1, 255, 0).astype(np.uint8)


def _checkerboard(shape: Shape, key: str) -> np.ndarray:
    rows, columns = np.indices(shape[:2])
    board = ((rows + columns) % 2 * 255).astype(np.uint8)
    return np.broadcast_to(board[..., None], shape)


KINDS: dict[str, Callable[[Shape, str], np.ndarray]] = {
    "noise": _noise,
    "zeros": lambda shape, key: np.zeros(shape, np.uint8),
    "full": lambda shape, key: np.full(shape, 255, np.uint8),
    "extremes": _extremes,
    "checkerboard": _checkerboard,
    "constant": _constant,
}
"""Kind of an image -> what makes it from its shape and a key."""


def make(kinds: Sequence[str], shape: Shape, seed: int) -> np.ndarray:
    """One image of each kind, uint8 (len(kinds), H, W, C)."""
    for kind in kinds:
        if kind not in KINDS:
            raise InputError(f"frames: {kind!r}; expected one of {', '.join(KINDS)}")
    return np.stack([KINDS[kind](shape, f"{seed}/{place}") for place, kind in enumerate(kinds)])
