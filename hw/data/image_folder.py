"""Image folders as ImageNet's: train and val, one folder of images a class."""

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hw.data.dataset import Dataset
from hw.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

SPLITS = {"train": ("train",), "test": ("val", "test")}
"""Names of the folder of each split, the first that is there counts."""

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm")

CROP = 7 / 8
"""The crop's share of the shorter side: 224 of 256."""

MEMORY_LIMIT = 16 << 30
"""Bytes of images that are loaded at most: they are held in memory."""


def _split_folder(path: Path, split: str) -> Path | None:
    return next((path / name for name in SPLITS[split] if (path / name).is_dir()), None)


def found(path: Path) -> bool:
    """Whether `path` has a folder for one of the splits."""
    return any(_split_folder(path, split) for split in SPLITS)


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """A split of an image folder, listed and not yet read.

    An image is resized (bilinear) so that it covers `size` / CROP, then cropped from the centre.
    One that has the size already stays as it is. Parameters with the names of `Dataset`'s are those
    that the images would have if they were loaded.

    Parameters
    ----------
    name, labels, classes: see `Dataset`
    folder: of the split
    files: one an image, in the order of the labels: class/name, for a million Paths take a gigabyte
    size: height and width that the images are brought to
    """

    name: str
    folder: Path
    files: tuple[str, ...]
    labels: np.ndarray
    classes: int
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.files)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        return (*self.size, 3)

    @property
    def bytes(self) -> int:
        """Memory that all images take."""
        return len(self) * math.prod(self.image_shape)

    @property
    def preprocessing(self) -> dict[str, Any]:
        height, width = self.size
        return {
            "dataset": self.name,
            "bytes": "as stored",
            "resize": f"cover {height}x{width} / {CROP}, crop the centre",
        }

    def open(self, number: int) -> "Image":
        """Image `number` as it is stored, RGB."""
        return _decode(self.folder / self.files[number])

    def read(self, index: np.ndarray) -> np.ndarray:
        """The images at `index`, uint8 NHWC."""
        images = np.empty((len(index), *self.image_shape), np.uint8)
        for place, number in enumerate(index):
            images[place] = centre_crop(self.open(number), self.size)
        return images

    def load(self) -> Dataset:
        """All images, in memory. InputError above `MEMORY_LIMIT`."""
        if self.bytes > MEMORY_LIMIT:
            height, width = self.size
            raise InputError(
                f"{self.folder}: {len(self)} images of {height}x{width} need "
                f"{self.bytes / (1 << 30):.0f} GiB of memory, more than {MEMORY_LIMIT >> 30}; give "
                "a smaller size or fewer images"
            )
        images = self.read(np.arange(len(self)))
        return Dataset(self.name, images, self.labels, self.classes, self.preprocessing)


def find(path: Path, split: str, size: tuple[int, int]) -> ImageFolder:
    """The split below `path`, its images to be brought to `size` (height, width).

    Classes are numbered in the order of the names of the training split's folders.
    """
    if importlib.util.find_spec("PIL") is None:
        raise InputError(f"{path}: an image folder needs Pillow; run: pip install pillow")
    folder = _split_folder(path, split)
    if folder is None:
        raise InputError(
            f"{path / SPLITS[split][0]}: missing; expected one folder of images a class"
        )
    numbers = {name: n for n, name in enumerate(_classes(_split_folder(path, "train") or folder))}
    files: list[str] = []
    labels: list[int] = []
    for name in _classes(folder):
        if name not in numbers:
            raise InputError(f"{folder / name}: a class that the training split does not have")
        entries = (folder / name).iterdir()
        images = [f.name for f in entries if f.suffix.lower() in EXTENSIONS]
        files += (f"{name}/{image}" for image in sorted(images))
        labels += [numbers[name]] * len(images)
    if not files:
        raise InputError(f"{folder}: no images; expected one folder of images a class")
    return ImageFolder(
        name=path.resolve().name,
        folder=folder,
        files=tuple(files),
        labels=np.array(labels, np.int64),
        classes=len(numbers),
        size=size,
    )


def _classes(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir())


def _decode(file: Path) -> "Image":
    """The image in `file`, RGB. InputError where it cannot be read."""
    from PIL import Image

    try:
        with Image.open(file) as opened:
            return opened.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{file}: not an image that can be read ({error})") from error


def centre_crop(image: "Image", size: tuple[int, int]) -> np.ndarray:
    """What networks are evaluated on, here and on the board: uint8, `size` (height, width) x 3."""
    from PIL import Image

    height, width = size
    if image.size != (width, height):
        scale = max(height / image.height, width / image.width) / CROP
        columns = max(width, math.floor(image.width * scale + 0.5))
        rows = max(height, math.floor(image.height * scale + 0.5))
        image = image.resize((columns, rows), Image.Resampling.BILINEAR)
        left, top = (columns - width) // 2, (rows - height) // 2
        image = image.crop((left, top, left + width, top + height))
    return np.asarray(image)
