"""Images that are decoded as they are needed: image folders too large for memory.

Torch's DataLoader does it, in processes of its own. What is random about an image follows from the
epoch's seed and the image's number, never from the process that decodes it, so that the number of
processes changes nothing and a resumed run sees what the run in one piece would have seen.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from hw.data import ImageFolder
from hw.data.image_folder import centre_crop
from hw.errors import InputError
from nas.batches import orders, spread

if TYPE_CHECKING:
    from PIL.Image import Image

RATIOS = (3 / 4, 4 / 3)
"""Width over height of a random crop, drawn evenly on a logarithmic scale."""

TRIES = 10
"""Draws of a crop before the largest one from the centre is taken."""


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
class _Decoder(Dataset):
    """The DataLoader's data set: from indices into the folder to a batch.

    `seed` of the random crops; None: every image as it is evaluated.
    """

    folder: ImageFolder
    smallest: float
    seed: int | None

    def __len__(self) -> int:
        return len(self.folder)

    def __getitems__(self, index: list[int]) -> "tuple[Tensor, Tensor] | InputError":
        labels = torch.from_numpy(self.folder.labels[index])
        try:
            pixels = np.stack([self._image(number) for number in index])
        except InputError as error:
            # Returned, for a DataLoader would wrap it in the traceback of its process.
            return error
        return torch.from_numpy(pixels), labels

    def _image(self, number: int) -> np.ndarray:
        image, size = self.folder.open(number), self.folder.size
        if self.seed is None:
            return centre_crop(image, size)
        rng = np.random.default_rng((self.seed, number))
        return random_resized_crop(image, size, self.smallest, rng)


def _as_decoded(batch):
    return batch


@dataclass(frozen=True)
class StreamedImages:
    """An image folder as a `nas.batches.ImageSet`.

    Parameters
    ----------
    index: which of the folder's images these are, int64 on the CPU
    device: that batches are put on
    workers: processes that decode, at most one a core; 0: this one
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
        wanted = [self.index[order].tolist() for order in orders(len(self), size, shuffle)]
        cropped = shuffle and self.resized_crop > 0
        seed = int(torch.randint(1 << 62, ())) if cropped else None
        loader = DataLoader(
            _Decoder(self.folder, self.resized_crop, seed),
            batch_sampler=wanted,
            num_workers=min(self.workers, len(os.sched_getaffinity(0)), len(wanted)),
            collate_fn=_as_decoded,
            pin_memory=self.device.type == "cuda",
            # A generator of its own: torch's is for what decides the run.
            generator=torch.Generator(),
        )
        for batch in loader:
            if isinstance(batch, InputError):
                raise batch
            pixels, labels = batch
            yield (
                pixels.to(self.device, non_blocking=True),
                labels.to(self.device, non_blocking=True),
            )
