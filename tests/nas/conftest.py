"""What the tests of the search and training side share."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hw.networks import genotypes
from nas.config import load_config
from nas.train import train

# Test processes run side by side, and threads that share cores only wait for each other.
torch.set_num_threads(1)

SETTINGS = (
    "train.channels=4",
    "train.cells=3",
    "train.epochs=3",
    "train.lr=0.1",
    "train.batch=32",
)


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Path:
    """A finished training run on digits."""
    folder = tmp_path_factory.mktemp("train") / "run"
    train(genotypes.get("ShiftNAS_C10"), "digits", folder, load_config("tiny", SETTINGS))
    return folder


def _write_cifar(folder: Path, batches: dict[str, int], key: bytes, classes: int) -> Path:
    """Python batches of random images whose class shows in their brightness."""
    folder.mkdir()
    rng = np.random.default_rng(classes)
    for name, count in batches.items():
        labels = rng.permutation(np.arange(count) % classes)
        noise = rng.integers(0, 60, (count, 3072))
        data = (noise + labels[:, None] * 190 // classes).astype(np.uint8)
        content = pickle.dumps({b"data": data, key: labels.tolist()}, protocol=4)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="session")
def cifar10(tmp_path_factory) -> Path:
    """CIFAR-10 in the published layout: 200 + 40 images."""
    batches = {f"data_batch_{number}": 40 for number in range(1, 6)} | {"test_batch": 40}
    folder = tmp_path_factory.mktemp("data") / "cifar-10-batches-py"
    return _write_cifar(folder, batches, b"labels", 10)


@pytest.fixture(scope="session")
def cifar100(tmp_path_factory) -> Path:
    """CIFAR-100 in the published layout: 200 + 100 images."""
    folder = tmp_path_factory.mktemp("data") / "cifar-100-python"
    return _write_cifar(folder, {"train": 200, "test": 100}, b"fine_labels", 100)


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory) -> Path:
    """Photographs in ImageNet's layout, sizes differ: 2 classes, 24 + 10 JPEG files."""
    folder = tmp_path_factory.mktemp("data") / "photos"
    rng = np.random.default_rng(8)
    for split, count in (("train", 12), ("val", 5)):
        for number, name in enumerate(("n01440764", "n01443537")):
            (folder / split / name).mkdir(parents=True)
            for picture in range(count):
                height, width = rng.integers(30, 60, 2)
                pixels = rng.integers(0, 100, (height, width, 3)) + 120 * number
                image = Image.fromarray(pixels.astype(np.uint8))
                image.save(folder / split / name / f"{name}_{picture}.jpg")
    return folder
