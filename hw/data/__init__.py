"""Data sets as bytes: what ships inside packages by name, what the user has by folder."""

from pathlib import Path

from hw.data import cifar, idx, image_folder, shipped
from hw.data.dataset import Dataset
from hw.data.image_folder import ImageFolder
from hw.errors import InputError

NAMES: tuple[str, ...] = tuple(shipped.LOADERS)
"""The named data sets."""


def is_available(name: str) -> bool:
    """Whether the named data set is on this machine (nothing is loaded)."""
    return shipped.LOADERS[name].available()


def load(
    name_or_folder: str | Path, split: str = "train", *, size: tuple[int, int] = (224, 224)
) -> Dataset:
    """A split of a data set, by its name or from the folder it lies in.

    Parameters
    ----------
    name_or_folder: one of `NAMES`; or a folder in MNIST idx layout, CIFAR-10 or CIFAR-100 python
        batches (the folder, its parent or the tar.gz), or one folder of images a class
    split: 'train' or 'test'
    size: height and width that the images of an image folder are brought to

    Raises
    ------
    InputError: unknown name, not such a folder, a missing package, a damaged file, more images than
        memory should hold; one line that names it
    """
    source = find(name_or_folder, split, size=size)
    return source.load() if isinstance(source, ImageFolder) else source


def find(
    name_or_folder: str | Path, split: str = "train", *, size: tuple[int, int] = (224, 224)
) -> Dataset | ImageFolder:
    """As `load`, but the images of an image folder are listed and not read."""
    if split not in ("train", "test"):
        raise InputError(f"split: {split!r}; use train or test")
    if str(name_or_folder) in shipped.LOADERS:
        return shipped.LOADERS[str(name_or_folder)].load(split)
    try:
        return _load_path(Path(name_or_folder), split, size)
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}; give a readable folder") from error


def _load_path(path: Path, split: str, size: tuple[int, int]) -> Dataset | ImageFolder:
    if not path.exists():
        raise InputError(f"data: '{path}' is neither a folder nor one of {', '.join(NAMES)}")
    if idx.found(path):
        return idx.load(path, split)
    if cifar.found(path):
        return cifar.load(path, split)
    if image_folder.found(path):
        return image_folder.find(path, split, size)
    what = "an empty folder" if path.is_dir() and not any(path.iterdir()) else "no data set"
    raise InputError(
        f"{path}: {what}; expected MNIST idx files, CIFAR python batches, or train and val folders "
        "with one folder of images a class"
    )
