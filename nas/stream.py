"""Images that are decoded as they are needed: image folders too large for memory.

Threads do it: Pillow decodes and resizes outside Python's lock, and nothing goes through shared
memory, which a container keeps small. What is random about an image follows from the epoch's seed
and the image's number, never from the thread that decodes it, so that their number changes nothing
and a resumed run sees what the run in one piece would have seen.
"""

import math
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from hw.data import ImageFolder
from hw.data.image_folder import centre_crop
from nas.batches import orders, spread

if TYPE_CHECKING:
    from PIL.Image import Image

RATIOS = (3 / 4, 4 / 3)
"""Width over height of a random crop, drawn evenly on a logarithmic scale."""

TRIES = 10
"""Draws of a crop before the largest one from the centre is taken."""

AHEAD = 2
"""Batches under way while one is used."""


def random_resized_crop(
    image: "Image", size: tuple[int, int], smallest: float, rng: np.random.Generator
) -> np.ndarray:
    """A random part of an image, resized (bilinear) to `size`: uint8 (height, width, 3).

    Parameters
    ----------
    smallest: the part's area is drawn evenly from this share of the image's to all of it
    """
    from PIL import Image

    left, top, columns, rows = _crop_box(image.width, image.height, smallest, rng)
    box = (left, top, left + columns, top + rows)
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR, box=box))


def _crop_box(
    width: int, height: int, smallest: float, rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """Left, top, width, height of a random part."""
    for _ in range(TRIES):
        area = rng.uniform(smallest, 1) * width * height
        ratio = math.exp(rng.uniform(math.log(RATIOS[0]), math.log(RATIOS[1])))
        columns, rows = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < columns <= width and 0 < rows <= height:
            left, top = rng.integers(width - columns + 1), rng.integers(height - rows + 1)
            return int(left), int(top), columns, rows
    columns = min(width, max(1, round(height * RATIOS[1])))
    rows = min(height, max(1, round(width / RATIOS[0])))
    return (width - columns) // 2, (height - rows) // 2, columns, rows


@dataclass(frozen=True)
class StreamedImages:
    """An image folder as a `nas.batches.ImageSet`.

    Parameters
    ----------
    index: which of the folder's images these are, int64 on the CPU
    device: that batches are put on
    workers: threads that decode beside this one, at most one a core; 0: none
    resized_crop: smallest share of a random crop in shuffled batches; 0: images as they are
        evaluated
    """

    folder: ImageFolder
    index: Tensor
    device: torch.device
    workers: int = 0
    resized_crop: float = 0.0

    def __len__(self) -> int:
        return len(self.index)

    def subset(self, index: Tensor) -> "StreamedImages":
        return replace(self, index=self.index[index.cpu()])

    def sample(self, count: int) -> Tensor:
        chosen = self.index[spread(len(self), count)]
        return torch.from_numpy(self.folder.read(chosen.numpy())).to(self.device)

    def batches(self, size: int, shuffle: bool = False) -> Iterator[tuple[Tensor, Tensor]]:
        wanted = [self.index[order].numpy() for order in orders(len(self), size, shuffle)]
        cropped = shuffle and self.resized_crop > 0
        seed = int(torch.randint(1 << 62, ())) if cropped else None
        workers = min(self.workers, len(os.sched_getaffinity(0)))
        decoded = self._by_threads(wanted, seed, workers) if workers else self._here(wanted, seed)
        for index, pixels in zip(wanted, decoded, strict=True):
            labels = torch.from_numpy(self.folder.labels[index])
            yield (
                pixels.to(self.device, non_blocking=True),
                labels.to(self.device, non_blocking=True),
            )

    def _here(self, wanted: list[np.ndarray], seed: int | None) -> Iterator[Tensor]:
        """The pixels of each batch; `seed` of the random crops, None: images as evaluated."""
        for index in wanted:
            pixels = self._room(len(index))
            for row, number in zip(pixels.numpy(), index, strict=True):
                row[:] = self._decoded(int(number), seed)
            yield pixels

    def _by_threads(
        self, wanted: list[np.ndarray], seed: int | None, workers: int
    ) -> Iterator[Tensor]:
        """As `_here`, by so many threads."""

        def decode(row: np.ndarray, number: int) -> None:
            row[:] = self._decoded(number, seed)

        under_way: deque[tuple[Tensor, list[Future[None]]]] = deque()
        pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        try:
            for start in range(len(wanted) + AHEAD):
                if start < len(wanted):
                    pixels, index = self._room(len(wanted[start])), wanted[start]
                    rows = zip(pixels.numpy(), index, strict=True)
                    under_way.append(
                        (pixels, [pool.submit(decode, row, int(number)) for row, number in rows])
                    )
                if start >= AHEAD:
                    pixels, images = under_way.popleft()
                    for image in images:
                        image.result()
                    yield pixels
        finally:
            pool.shutdown(cancel_futures=True)

    def _room(self, count: int) -> Tensor:
        """For the pixels of a batch, where a GPU fetches them fastest."""
        shape = (count, *self.folder.image_shape)
        return torch.empty(shape, dtype=torch.uint8, pin_memory=self.device.type == "cuda")

    def _decoded(self, number: int, seed: int | None) -> np.ndarray:
        image, size = self.folder.open(number), self.folder.size
        if seed is None:
            return centre_crop(image, size)
        rng = np.random.default_rng((seed, number))
        return random_resized_crop(image, size, self.resized_crop, rng)
