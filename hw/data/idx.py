"""The idx layout of MNIST and its kin: four files, gzipped or not."""

import gzip
import zlib
from pathlib import Path

import numpy as np

from hw.data.dataset import Dataset
from hw.errors import InputError

PREFIX = {"train": "train", "test": "t10k"}


def _find(folder: Path, split: str, what: str) -> Path | None:
    """The file of `what` ('images-idx3' or 'labels-idx1'), in any of the spellings in use."""
    stem = f"{PREFIX[split]}-{what}"
    for name in (f"{stem}-ubyte", f"{stem.replace('-idx', '.idx')}-ubyte"):
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                return path
    return None


def _root(path: Path) -> Path | None:
    """The folder that holds the files: `path`, or where torchvision puts them below it."""
    for folder in (path, path / "raw", path / "MNIST" / "raw", path / "FashionMNIST" / "raw"):
        if any(_find(folder, split, "images-idx3") for split in PREFIX):
            return folder
    return None


def found(path: Path) -> bool:
    """Whether `path` is a folder with idx files."""
    return _root(path) is not None


def load(
    path: Path, split: str, name: str | None = None, class_names: tuple[str, ...] = ()
) -> Dataset:
    """The split in the idx files of folder `path`; greyscale, one channel.

    The number of classes is one more than the largest label of both splits. The files do not say
    what they are called: `class_names`.
    """
    folder = _root(path)
    if folder is None:
        raise InputError(f"{path}: no MNIST idx files; expected train-images-idx3-ubyte[.gz]")
    files = {}
    for what in ("images-idx3", "labels-idx1"):
        file = _find(folder, split, what)
        if file is None:
            raise InputError(f"{folder / f'{PREFIX[split]}-{what}-ubyte'}[.gz]: missing")
        files[what] = file
    images = read(files["images-idx3"], dimensions=3)
    labels = read(files["labels-idx1"], dimensions=1)
    if len(images) != len(labels):
        raise InputError(
            f"{files['labels-idx1']}: {len(labels)} labels for the split's {len(images)} images"
        )
    if images.size == 0:
        raise InputError(f"{files['images-idx3']}: no images in it")
    other = _find(folder, "test" if split == "train" else "train", "labels-idx1")
    both = [labels] if other is None else [labels, read(other, dimensions=1)]
    name = name or path.resolve().name
    return Dataset(
        name=name,
        images=images[..., np.newaxis],
        labels=labels.astype(np.int64),
        classes=1 + max(int(part.max(initial=0)) for part in both),
        preprocessing={"dataset": name, "bytes": "as stored"},
        class_names=class_names,
    )


def read(path: Path, dimensions: int) -> np.ndarray:
    """The array of unsigned bytes in an idx file; InputError where it is not a whole one."""
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error}); replace the file") from error
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != bytes((0, 0, 8, dimensions)):
        raise InputError(f"{path}: not an idx file of unsigned bytes in {dimensions} dimension(s)")
    shape = tuple(int(side) for side in np.frombuffer(content, ">u4", dimensions, 4))
    expected = int(np.prod(shape, dtype=object))
    if len(content) - start != expected:
        raise InputError(
            f"{path}: {len(content) - start} bytes of data, its header says {expected}; replace it"
        )
    return np.frombuffer(content, np.uint8, expected, start).reshape(shape)
