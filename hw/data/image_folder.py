"""Image folders as ImageNet's: train, val, test, whichever are there, one folder of images a class.

What counts is what torchvision's ImageFolder counts: every folder is a class, and the images in
folders within it are its own. What could be left out without a word is refused instead: a class
without images, an image beside the classes, a kind of image that is not read. Left out are files
that are no images, and what systems leave behind: hidden files and folders (`.git`, `.DS_Store`,
macOS' `._x.png`) and those of `LEFT_BEHIND`.
"""

import hashlib
import importlib.util
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from hw.data import decode
from hw.data.classes import Classes
from hw.data.dataset import Dataset
from hw.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

FOLDERS = {"train": "train", "validation": "val", "test": "test"}
"""Split -> its folder."""

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""Endings of the images that are read, as torchvision has them."""

FOREIGN = (
    ".gif", ".jpe", ".jfif", ".jp2", ".j2k", ".heic", ".heif", ".avif", ".apng", ".pnm", ".pbm",
    ".tga", ".ico", ".svg",
)  # fmt: skip
"""Endings of images that are not read."""

LEFT_BEHIND = ("__MACOSX", "@eaDir")
"""Folders of copies and thumbnails, made by macOS' archiver and by Synology's file server."""

CROP = 7 / 8
"""The crop's share of the shorter side: 224 of 256."""

FILES_READ = 256
"""Files of which `ImageFolder.digest` reads every byte."""

MEMORY_LIMIT = 16 << 30
"""Bytes of images that are loaded at most: they are held in memory."""


def splits(path: Path) -> tuple[str, ...]:
    """The splits that `path` has a folder for."""
    return tuple(split for split, name in FOLDERS.items() if (path / name).is_dir())


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """A split of an image folder, listed and not yet read.

    An image is resized (bilinear) so that it covers `size` / CROP, then cropped from the centre.
    One that has the size already stays as it is. Parameters with the names of `Dataset`'s are those
    that the images would have if they were loaded.

    Parameters
    ----------
    name, labels, classes, class_names: see `Dataset`
    folder: of the split
    files: one an image, in the order of the labels: class/name or class/folder/name; text, for a
        million Paths take a gigabyte
    size: height and width that the images are brought to
    """

    name: str
    folder: Path
    files: tuple[str, ...]
    labels: np.ndarray
    classes: int
    class_names: tuple[str, ...]
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.files)

    def subset(self, index: np.ndarray) -> "ImageFolder":
        """The images at `index`, in its order."""
        files = tuple(self.files[number] for number in index)
        return replace(self, files=files, labels=self.labels[index])

    @property
    def known_classes(self) -> Classes:
        """As of `Dataset`."""
        return Classes(self.classes, self.class_names)

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
            "bytes": decode.MEANING,
            "resize": f"cover {height}x{width} / {CROP}, crop the centre",
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the folder holds, wherever it lies: class, name and size of every file,
        and the bytes of `FILES_READ` of them, spread evenly: all bytes of ImageNet take minutes."""
        paths = [self.folder / file for file in self.files]
        sizes = [path.stat().st_size for path in paths]
        listed = [self.classes, self.files, self.labels.tolist(), sizes]
        digest = hashlib.sha256(json.dumps(listed).encode())
        for path in paths[:: -(-len(paths) // FILES_READ)]:
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def open(self, number: int) -> "Image":
        """Image `number` in full size, RGB (see `hw.data.decode`)."""
        return decode.rgb(self.folder / self.files[number])

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
        return Dataset(
            self.name,
            images,
            self.labels,
            self.classes,
            self.preprocessing,
            self.digest,
            self.class_names,
        )


def find(path: Path, split: str, size: tuple[int, int]) -> ImageFolder:
    """The split below `path`, its images to be brought to `size` (height, width).

    Classes are numbered in the order of the names of the training split's folders.
    """
    if importlib.util.find_spec("PIL") is None:
        raise InputError(f"{path}: an image folder needs Pillow; run: pip install pillow")
    folder = path / FOLDERS[split]
    if not folder.is_dir():
        raise InputError(f"{folder}: missing; expected one folder of images a class")
    training = path / FOLDERS["train"]
    names = _classes(training if training.is_dir() else folder)
    numbers = {name: number for number, name in enumerate(names)}
    files: list[str] = []
    labels: list[int] = []
    for name in _classes(folder):
        if name not in numbers:
            raise InputError(f"{folder / name}: a class that the training split does not have")
        images = [(PurePath(name) / image).as_posix() for image in _images(folder / name)]
        if not images:
            raise InputError(
                f"{folder / name}: a class without images; add some ({', '.join(EXTENSIONS)}) or "
                "remove the folder"
            )
        files += images
        labels += [numbers[name]] * len(images)
    if not files:
        raise InputError(f"{folder}: no images; expected one folder of images a class")
    return ImageFolder(
        name=path.resolve().name,
        folder=folder,
        files=tuple(files),
        labels=np.array(labels, np.int64),
        classes=len(names),
        class_names=tuple(names),
        size=size,
    )


def _classes(folder: Path) -> list[str]:
    """Names of the folders of a split's classes; InputError where images lie beside them."""
    entries = [entry for entry in folder.iterdir() if _counts(entry.name)]
    for entry in sorted(entries):
        if entry.suffix.lower() in EXTENSIONS + FOREIGN and not entry.is_dir():
            raise InputError(f"{entry}: an image outside the folders of the classes; move it there")
    return sorted(entry.name for entry in entries if entry.is_dir())


def _counts(name: str) -> bool:
    return not name.startswith(".") and name not in LEFT_BEHIND


def _images(folder: Path) -> Iterator[str]:
    """Names of the images in a class's folder and those within it, in torchvision's order."""
    found = []
    for place, folders, names in os.walk(folder, onerror=_raise, followlinks=True):
        folders[:] = filter(_counts, folders)
        for name in folders:
            # Where links lead in a circle, an image would count again and again.
            if Path(place).resolve().is_relative_to((Path(place) / name).resolve()):
                raise InputError(f"{place}/{name}: a link to a folder it lies in; remove it")
        found.append((place, sorted(filter(_counts, names))))
    for place, names in sorted(found):
        for name in names:
            ending = PurePath(name).suffix.lower()
            if ending in FOREIGN:
                raise InputError(
                    f"{place}/{name}: {ending} is not read; convert it to .png or remove it"
                )
            if ending in EXTENSIONS:
                yield os.path.relpath(f"{place}/{name}", folder)


def _raise(error: OSError) -> None:
    raise error


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
