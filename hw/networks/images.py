"""Images for a network: random ones with corners among them, or those of a .npy file."""

from math import prod
from pathlib import Path

import numpy as np

from hw.errors import InputError
from hw.ir.graph import Shape
from hw.ir.network import Network

FRAMES, MORE_FRAMES = 4, 8
"""Images of a run that is told no number; and where all streams together have few beats for that
many. While a frame's output is held back for long, those behind it have to fill all buffers.
"""

FEW_BEATS = 20_000


def random_images(network: Network, count: int, seed: int) -> np.ndarray:
    """Full-range images, uint8 (count, H, W, C): noise, and among the first ones the corners.

    The corners are all 0, all 255, and a checkerboard of both.
    """
    return full_range(network.graph.input.shape, count, seed)


def full_range(shape: Shape, count: int, seed: int) -> np.ndarray:
    """The same for images of a shape."""
    height, width, channels = shape
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, height, width, channels), dtype=np.uint8)
    rows, columns = np.indices((height, width))
    checkerboard = ((rows + columns) % 2 * 255).astype(np.uint8)[..., None]
    for position, corner in enumerate((0, 255, checkerboard), start=1):
        if position < count:
            images[position] = corner
    return images


def default_images(
    network: Network, images: np.ndarray | None, frames: int | None, seed: int
) -> np.ndarray:
    """The first `frames` of `images`, or random ones where there are none.

    Where no number is given: `MORE_FRAMES` for a small network, else `FRAMES`; or all images where
    they are fewer.
    """
    if frames is None:
        beats = MORE_FRAMES * sum(prod(node.shape) for node in network.graph)
        frames = MORE_FRAMES if beats <= FEW_BEATS else FRAMES
        frames = frames if images is None else min(frames, len(images))
    if frames < 1:
        raise InputError(f"frames: {frames}; expected 1 or more")
    if images is None:
        return random_images(network, frames, seed)
    if len(images) < frames:
        raise InputError(f"frames: {frames}; the data have {len(images)} images")
    return np.ascontiguousarray(images[:frames])


def read_images(path: str | Path) -> np.ndarray:
    """The array in a .npy file; InputError where it holds no images."""
    try:
        images = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: expected images as a .npy file: {error}") from None
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 4:
        raise InputError(f"{path}: expected an array of uint8, (N, H, W, C)")
    return images
