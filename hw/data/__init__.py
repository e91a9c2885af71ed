"""Data sets as bytes: what ships inside packages by name, what the user has by folder."""

from collections.abc import Callable, KeysView
from dataclasses import dataclass
from pathlib import Path

from hw.data import cifar, idx, image_folder, shipped
from hw.data.classes import Classes as Classes
from hw.data.dataset import Dataset
from hw.data.image_folder import ImageFolder
from hw.errors import InputError

NAMES: KeysView[str] = shipped.LOADERS.keys()
"""The named data sets there are now."""

SPLITS: tuple[str, ...] = tuple(image_folder.FOLDERS)
"""What images can be for: 'train', 'validation', 'test'."""

PUBLISHED = ("train", "test")
"""Splits of every data set but an image folder, which says by its folders which it has."""


def register_dataset(
    name: str, load: Callable[[str], Dataset], available: Callable[[], bool] = lambda: True
) -> None:
    """Add a data set that `--data` knows by its name.

    Parameters
    ----------
    load: the split 'train' or 'test'
    available: whether it is on this machine

    Raises
    ------
    InputError: the name is taken, or is a path
    """
    if name in NAMES or not name or "/" in name:
        raise InputError(f"data set {name!r}: expected a name that is not taken, without /")
    shipped.LOADERS[name] = shipped.Loader(available, load)


def is_available(name: str) -> bool:
    """Whether the named data set is on this machine (nothing is loaded)."""
    return shipped.LOADERS[name].available()


def splits(name_or_folder: str | Path) -> tuple[str, ...]:
    """Which of `SPLITS` a data set has, in that order (nothing is loaded); raises as `load`."""
    return _source(name_or_folder).splits


def evaluated(name_or_folder: str | Path) -> str:
    """The split that a finished network is judged by: 'test', else 'validation'.

    Raises
    ------
    InputError: the data set has neither, or as of `load`
    """
    has = splits(name_or_folder)
    for split in ("test", "validation"):
        if split in has:
            return split
    raise InputError(f"{Path(name_or_folder) / 'test'}: missing, and so is val; add one of them")


def load(
    name_or_folder: str | Path, split: str = "train", *, size: tuple[int, int] = (224, 224)
) -> Dataset:
    """A split of a data set, by its name or from the folder it lies in.

    Parameters
    ----------
    name_or_folder: one of `NAMES`; or a folder in MNIST idx layout, CIFAR-10 or CIFAR-100 python
        batches (the folder, its parent or the tar.gz), or one folder of images a class
    split: one of `SPLITS`
    size: height and width that the images of an image folder are brought to

    Raises
    ------
    InputError: unknown name, not such a folder, a split that is not there, a missing package, a
        damaged file, more images than memory should hold; one line that names it
    """
    source = find(name_or_folder, split, size=size)
    return source.load() if isinstance(source, ImageFolder) else source


def find(
    name_or_folder: str | Path, split: str = "train", *, size: tuple[int, int] = (224, 224)
) -> Dataset | ImageFolder:
    """As `load`, but the images of an image folder are listed and not read."""
    if split not in SPLITS:
        raise InputError(f"split: {split!r}; use {', '.join(SPLITS)}")
    try:
        return _source(name_or_folder).find(split, size)
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}; give a readable folder") from error


@dataclass(frozen=True)
class _Source:
    """A data set that was recognised."""

    splits: tuple[str, ...]
    find: Callable[[str, tuple[int, int]], Dataset | ImageFolder]
    """By split and size."""


def _source(name_or_folder: str | Path) -> _Source:
    if str(name_or_folder) in shipped.LOADERS:
        return _published(name_or_folder, shipped.LOADERS[str(name_or_folder)].load)
    path = Path(name_or_folder)
    try:
        return _recognised(path)
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}; give a readable folder") from error


def _recognised(path: Path) -> _Source:
    if not path.exists():
        raise InputError(f"data: '{path}' is neither a folder nor one of {', '.join(NAMES)}")
    if idx.found(path):
        return _published(path, lambda split: idx.load(path, split))
    if cifar.found(path):
        return _published(path, lambda split: cifar.load(path, split))
    folders = image_folder.splits(path)
    if folders:
        return _Source(folders, lambda split, size: image_folder.find(path, split, size))
    what = "an empty folder" if path.is_dir() and not any(path.iterdir()) else "no data set"
    raise InputError(
        f"{path}: {what}; expected MNIST idx files, CIFAR python batches, or train, val and test "
        "folders with one folder of images a class"
    )


def _published(place: str | Path, load: Callable[[str], Dataset]) -> _Source:
    """A data set of `PUBLISHED` splits, in memory."""

    def find(split: str, size: tuple[int, int]) -> Dataset:
        if split not in PUBLISHED:
            raise InputError(f"{place}: has no validation images of its own")
        return load(split)

    return _Source(PUBLISHED, find)
