"""hw.data.cifar: small batches in the real layout, as Python 2 and 3 pickle them."""

import io
import pickle
import re
import shutil
import struct
import tarfile
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from hw import data
from hw.errors import InputError

TRAIN10 = [f"data_batch_{number}" for number in range(1, 6)]


class Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2 wrote its strings: the published batches are such."""

    def save_string(self, text):
        self.write(pickle.BINSTRING + struct.pack("<i", len(text)) + text)
        self.memoize(text)

    dispatch: ClassVar = pickle._Pickler.dispatch | {bytes: save_string}


def python2(content) -> bytes:
    file = io.BytesIO()
    Python2Pickler(file, 2).dump(content)
    # The published files have the module's old name.
    old, new = b"cnumpy.core.multiarray\n", b"cnumpy._core.multiarray\n"
    return file.getvalue().replace(new, old)


def python3(content) -> bytes:
    return pickle.dumps(content, protocol=5)


def text_keys(content) -> bytes:
    return pickle.dumps({key.decode(): value for key, value in content.items()}, protocol=2)


def batch(seed: int, count: int, classes: int, key: bytes = b"labels"):
    rng = np.random.default_rng(seed)
    return {
        b"batch_label": b"a batch",
        key: rng.integers(0, classes, count).tolist(),
        b"data": rng.integers(0, 256, (count, 3072), np.uint8),
        b"filenames": [b"x.png"] * count,
    }


def write10(folder: Path, dump=python2) -> dict[str, dict]:
    folder.mkdir(parents=True, exist_ok=True)
    batches = {name: batch(seed, 4, 10) for seed, name in enumerate([*TRAIN10, "test_batch"])}
    for name, content in batches.items():
        (folder / name).write_bytes(dump(content))
    return batches


def pixel(content, image, row, column, channel):
    return content[b"data"][image, channel * 1024 + row * 32 + column]


@pytest.mark.parametrize("dump", [python2, python3, text_keys])
@pytest.mark.parametrize("inner", [".", "cifar-10-batches-py"])
def test_cifar10_folder(tmp_path, dump, inner):
    batches = write10(tmp_path / inner, dump)
    train = data.load(tmp_path, "train")
    assert train.name == "cifar10"
    assert train.images.shape == (20, 32, 32, 3)
    assert train.classes == 10
    labels = [label for name in TRAIN10 for label in batches[name][b"labels"]]
    assert train.labels.tolist() == labels
    for image, row, column, channel in ((0, 0, 0, 0), (2, 5, 31, 1), (3, 30, 7, 2)):
        value = pixel(batches["data_batch_3"], image, row, column, channel)
        assert train.images[8 + image, row, column, channel] == value
    test = data.load(tmp_path, "test")
    assert test.labels.tolist() == batches["test_batch"][b"labels"]


def archive(tmp_path: Path, inside: str = "") -> Path:
    """The tar.gz; `inside` is where the folder lies in it."""
    write10(tmp_path / "cifar-10-batches-py")
    path = tmp_path / "away" / "cifar-10-python.tar.gz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as tar:
        tar.add(tmp_path / "cifar-10-batches-py", f"{inside}cifar-10-batches-py")
    return path


@pytest.mark.parametrize("inside", ["", "./"])
def test_tar_gz_is_read_in_place(tmp_path, inside):
    path = archive(tmp_path, inside)
    expected = data.load(tmp_path / "cifar-10-batches-py", "train")
    for place in (path, path.parent):
        part = data.load(place, "train")
        assert np.array_equal(part.images, expected.images)
        assert np.array_equal(part.labels, expected.labels)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_damaged_tar_gz(tmp_path):
    path = archive(tmp_path)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:10], b"", b"no archive at all"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"^{re.escape(str(path))}: cifar-10-batches-py/"):
            data.load(path, "train")
    with tarfile.open(path, "w:gz") as tar:
        tar.add(tmp_path / "cifar-10-batches-py" / "data_batch_1", "cifar-10-batches-py/other")
        tar.add(tmp_path / "cifar-10-batches-py", "cifar-10-batches-py/test_batch", recursive=False)
    with pytest.raises(InputError, match=r"cifar-10-batches-py/data_batch_1: missing"):
        data.load(path, "train")
    with pytest.raises(InputError, match=r"cifar-10-batches-py/test_batch: not a file"):
        data.load(path, "test")


@pytest.mark.parametrize("inner", [".", "cifar-100-python"])
def test_cifar100_has_fine_labels(tmp_path, inner):
    (tmp_path / inner).mkdir(exist_ok=True)
    for seed, name in enumerate(("train", "test")):
        content = batch(seed, 6, 100, b"fine_labels") | {b"coarse_labels": [0] * 6}
        (tmp_path / inner / name).write_bytes(python2(content))
        part = data.load(tmp_path, name)
        assert part.name == "cifar100"
        assert part.classes == 100
        assert part.labels.tolist() == content[b"fine_labels"]


class Harmful:
    """Copies a file when it is loaded, by a function that every Python has in one place."""

    def __reduce__(self):
        return shutil.copyfile, ("set/data_batch_1", "harm")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a CIFAR batch"),
        (b"\x80\x02garbage", "not a CIFAR batch"),
        (python2(batch(0, 4, 10))[:3000], "not a CIFAR batch"),
        (python2([1, 2]), "not a CIFAR batch; fetch it anew"),
        (python2({b"labels": [0]}), "data: missing, or no array of bytes"),
        (python2(batch(0, 4, 10) | {b"data": np.zeros((4, 3072))}), "data: missing, or no array"),
        (python2(batch(0, 4, 10) | {b"data": np.zeros((4, 9), np.uint8)}), "data: shape (4, 9)"),
        (python2(batch(0, 0, 10) | {b"labels": [1]}), "data: shape (0, 3072)"),
        (python2(batch(0, 4, 10) | {b"labels": [1, 2]}), "labels: 2 labels for 4 images"),
        (python2(batch(0, 4, 10) | {b"labels": [1, 2, 3, 10]}), "labels: [1, 10]; cifar10 has"),
        (python2(batch(0, 4, 10) | {b"labels": [[1], [2, 3]]}), "labels: missing, or no list"),
        (python2(batch(0, 4, 10) | {b"labels": "0123"}), "labels: missing, or no list"),
        (pickle.dumps({"data": Harmful()}), "not a CIFAR batch (it asks for shutil.copyfile)"),
        (b"cos\nsystem\n(S'true'\ntR.", "not a CIFAR batch (it asks for os.system)"),
    ],
)
def test_damaged_or_harmful_batch_is_named(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    write10(tmp_path / "set")
    path = tmp_path / "set" / "data_batch_4"
    path.write_bytes(content)
    with pytest.raises(
        InputError, match=f"^{re.escape(str(path))}: {re.escape(message)}"
    ) as caught:
        data.load(tmp_path / "set", "train")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "harm").exists()


def test_any_cut_and_any_flipped_bit_of_a_batch_end_in_one_line(tmp_path):
    write10(tmp_path)
    path = tmp_path / "test_batch"
    whole = python2({b"data": np.zeros((1, 3072), np.uint8), b"labels": [3]})
    header = whole.index(bytes(64))
    damaged = [whole[:cut] for cut in (*range(header), len(whole) - 1)]
    for position in range(header):
        for bit in range(8):
            damaged.append(bytearray(whole))
            damaged[-1][position] ^= 1 << bit
    refused = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            data.load(tmp_path, "test")
        except InputError as error:
            assert str(error).startswith(f"{path}: ")
            refused += 1
    assert refused > len(damaged) // 2


def test_missing_batch_is_named(tmp_path):
    write10(tmp_path)
    (tmp_path / "data_batch_5").unlink()
    with pytest.raises(InputError, match=r"data_batch_5: No such file or directory; cifar10 needs"):
        data.load(tmp_path, "train")
    assert len(data.load(tmp_path, "test")) == 4


NAMES = {
    "cifar-10-batches-py": ("batches.meta", b"label_names", 10),
    "cifar-100-python": ("meta", b"fine_label_names", 100),
}


@pytest.mark.parametrize("folder", NAMES)
@pytest.mark.parametrize("packed", [False, True])
def test_names_of_the_classes_are_those_beside_the_batches(tmp_path, folder, packed):
    meta, key, classes = NAMES[folder]
    place = tmp_path / folder
    place.mkdir()
    if folder == "cifar-10-batches-py":
        write10(place)
    else:
        for name in ("train", "test"):
            (place / name).write_bytes(python2(batch(1, 4, 100, b"fine_labels")))
    assert data.load(place, "test").class_names == ()
    names = [b"class %d" % number for number in range(classes)]
    (place / meta).write_bytes(python2({key: names}))
    where = place
    if packed:
        where = tmp_path / {10: "cifar-10-python.tar.gz", 100: "cifar-100-python.tar.gz"}[classes]
        with tarfile.open(where, "w:gz") as archive:
            archive.add(place, arcname=folder)
    assert data.load(where, "train").class_names == tuple(f"class {n}" for n in range(classes))


@pytest.mark.parametrize("content", [{}, {b"label_names": [b"a"] * 9}, {b"label_names": [1] * 10}])
def test_damaged_names(tmp_path, content):
    write10(tmp_path)
    (tmp_path / "batches.meta").write_bytes(python2(content))
    with pytest.raises(InputError, match=r"batches\.meta: label_names: expected 10 names"):
        data.load(tmp_path, "test")
