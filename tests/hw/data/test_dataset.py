"""The digest of a data set: what it is, not where it lies."""

import hashlib
import json
import pickle
import shutil
import tarfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hw import data
from hw.data import Dataset, image_folder


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(1)
    for split, count in (("train", 5), ("val", 2)):
        for name in ("a", "b"):
            (tmp_path / "photos" / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
                Image.fromarray(pixels).save(tmp_path / "photos" / split / name / f"{number}.png")
    return tmp_path / "photos"


def digest(folder, split="train"):
    return data.find(folder, split).digest


def small(**other) -> Dataset:
    images = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4, 1)
    return replace(Dataset("some", images, np.array([1, 0]), 2, {"bytes": "as stored"}), **other)


def test_of_images_in_memory():
    head = json.dumps([[2, 3, 4, 1], 2]).encode()
    labels = bytes([1, *[0] * 7, *[0] * 8])
    assert small().digest == hashlib.sha256(head + bytes(range(24)) + labels).hexdigest()
    assert small(name="other", preprocessing={}).digest == small().digest
    others = (
        small(classes=3),
        small(labels=np.array([0, 1])),
        small(images=small().images.reshape(2, 4, 3, 1)),
        small(images=small().images + np.uint8(1)),
    )
    assert len({small().digest, *(other.digest for other in others)}) == 5


def test_of_an_image_folder_wherever_it_lies_and_however_it_is_read(folder, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(folder, moved)
    assert digest(moved) == digest(folder) != digest(folder, "validation")
    assert data.load(folder, "train", size=(4, 4)).digest == digest(folder)


@pytest.mark.parametrize("change", ["byte", "name", "class", "less", "more"])
def test_of_an_image_folder_that_was_changed(folder, change):
    before, file = digest(folder), folder / "train/b/3.png"
    if change == "byte":
        content = file.read_bytes()
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif change == "name":
        file.rename(file.with_name("8.png"))
    elif change == "class":
        file.rename(folder / "train/a/8.png")
    elif change == "less":
        file.unlink()
    else:
        shutil.copy(file, file.with_name("9.png"))
    assert digest(folder) != before


def test_of_a_large_folder_every_size_and_some_of_the_bytes(folder, monkeypatch):
    monkeypatch.setattr(image_folder, "FILES_READ", 2)
    read = []
    path = type(folder)
    original = path.read_bytes
    monkeypatch.setattr(path, "read_bytes", lambda self: read.append(self.name) or original(self))
    before = digest(folder)
    assert read == ["0.png", "0.png"]
    with (folder / "train/a/3.png").open("ab") as file:
        file.write(b"x")
    assert digest(folder) != before


def test_cifar_in_a_folder_and_in_its_archive(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for number, name in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
        pixels = np.full((2, 3072), number, np.uint8)
        (folder / name).write_bytes(pickle.dumps({b"data": pixels, b"labels": [0, 1]}))
    with tarfile.open(tmp_path / "cifar-10-python.tar.gz", "w:gz") as archive:
        archive.add(folder, folder.name)
    assert digest(tmp_path / "cifar-10-python.tar.gz") == digest(folder)
