"""Image folders as ImageNet's: train and val, one folder of images a class."""

import importlib.util
import math
from pathlib import Path

import numpy as np

from hw.data.dataset import Dataset
from hw.errors import InputError

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


def load(path: Path, split: str, size: tuple[int, int]) -> Dataset:
    """The split below `path`; RGB, cropped from the centre to `size` (height, width).

    An image is resized (bilinear) so that it covers `size` / CROP, then cropped. One that has the
    size already stays as it is. Classes are numbered in the order of the names of the training
    split's folders.
    """
    if importlib.util.find_spec("PIL") is None:
        raise InputError(f"{path}: an image folder needs Pillow; run: pip install pillow")
    folder = _split_folder(path, split)
    if folder is None:
        raise InputError(
            f"{path / SPLITS[split][0]}: missing; expected one folder of images a class"
        )
    numbers = {name: n for n, name in enumerate(_classes(_split_folder(path, "train") or folder))}
    files: list[tuple[Path, int]] = []
    for name in _classes(folder):
        if name not in numbers:
            raise InputError(f"{folder / name}: a class that the training split does not have")
        images = sorted(f for f in (folder / name).iterdir() if f.suffix.lower() in EXTENSIONS)
        files += [(file, numbers[name]) for file in images]
    if not files:
        raise InputError(f"{folder}: no images; expected one folder of images a class")
    height, width = size
    if len(files) * height * width * 3 > MEMORY_LIMIT:
        need = len(files) * height * width * 3 / (1 << 30)
        raise InputError(
            f"{folder}: {len(files)} images of {height}x{width} need {need:.0f} GiB of memory, "
            f"more than {MEMORY_LIMIT >> 30}; give a smaller size or fewer images"
        )
    images = np.empty((len(files), height, width, 3), np.uint8)
    for index, (file, _) in enumerate(files):
        images[index] = _read(file, height, width)
    return Dataset(
        name=path.resolve().name,
        images=images,
        labels=np.array([label for _, label in files], np.int64),
        classes=len(numbers),
        preprocessing={
            "dataset": path.resolve().name,
            "bytes": "as stored",
            "resize": f"cover {height}x{width} / {CROP}, crop the centre",
        },
    )


def _classes(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir())


def _read(file: Path, height: int, width: int) -> np.ndarray:
    """One image, uint8 (height, width, 3)."""
    from PIL import Image

    try:
        with Image.open(file) as opened:
            image = opened.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{file}: not an image that can be read ({error})") from error
    if image.size != (width, height):
        scale = max(height / image.height, width / image.width) / CROP
        columns = max(width, math.floor(image.width * scale + 0.5))
        rows = max(height, math.floor(image.height * scale + 0.5))
        image = image.resize((columns, rows), Image.Resampling.BILINEAR)
        left, top = (columns - width) // 2, (rows - height) // 2
        image = image.crop((left, top, left + width, top + height))
    return np.asarray(image)
