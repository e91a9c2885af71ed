"""hw.data.idx: files in the MNIST layout, whole and damaged."""

import gzip
import re
import struct

import numpy as np
import pytest

from hw import data
from hw.errors import InputError


def idx_bytes(array: np.ndarray) -> bytes:
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim)
    return header + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def arrays():
    rng = np.random.default_rng(1)
    return {
        "train-images": rng.integers(0, 256, (6, 5, 4), np.uint8),
        "train-labels": np.array([0, 1, 2, 1, 0, 2], np.uint8),
        "t10k-images": rng.integers(0, 256, (3, 5, 4), np.uint8),
        "t10k-labels": np.array([6, 0, 1], np.uint8),
    }


def write(folder, arrays, dot="-", zipped=False):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        path = folder / f"{name}{dot}idx{array.ndim}-ubyte{'.gz' if zipped else ''}"
        path.write_bytes(gzip.compress(idx_bytes(array)) if zipped else idx_bytes(array))


@pytest.mark.parametrize("dot", ["-", "."])
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("below", [".", "raw", "MNIST/raw"])
def test_every_spelling_is_found(tmp_path, arrays, dot, zipped, below):
    write(tmp_path / below, arrays, dot, zipped)
    for split, prefix in (("train", "train"), ("test", "t10k")):
        part = data.load(tmp_path, split)
        assert np.array_equal(part.images[..., 0], arrays[f"{prefix}-images"])
        assert np.array_equal(part.labels, arrays[f"{prefix}-labels"])
        assert part.classes == 7  # of both splits


def test_missing_file_is_named(tmp_path, arrays):
    write(tmp_path, arrays)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    assert data.load(tmp_path, "train").classes == 3
    message = f"{tmp_path / 't10k-labels-idx1-ubyte'}[.gz]: missing"
    with pytest.raises(InputError, match=re.escape(message)):
        data.load(tmp_path, "test")
    (tmp_path / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(InputError, match=r"t10k-images-idx3-ubyte\[.gz\]: missing"):
        data.load(tmp_path, "test")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda b: b[:-1], "119 bytes of data, its header says 120"),
        (lambda b: b + b"\0", "121 bytes of data, its header says 120"),
        (lambda b: b[:7], "not an idx file of unsigned bytes in 3"),
        (lambda b: b"", "not an idx file"),
        (lambda b: b"\0\0\x0d\3" + b[4:], "not an idx file"),
        (
            lambda b: b[:4] + b"\xff" * 12 + b[16:],
            "120 bytes of data, its header says 7922816245892410538530",
        ),
    ],
)
def test_damaged_file_is_named(tmp_path, arrays, damage, message):
    write(tmp_path, arrays)
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: {re.escape(message)}"):
        data.load(tmp_path, "train")


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b[1:], lambda b: b[:20] + b"x" * 9 + b[29:]]
)
def test_damaged_gzip_is_named(tmp_path, arrays, damage):
    write(tmp_path, arrays, zipped=True)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: cannot be read"):
        data.load(tmp_path, "train")


def test_labels_have_to_be_as_many_as_images(tmp_path, arrays):
    write(tmp_path, arrays | {"train-labels": arrays["train-labels"][:5]})
    with pytest.raises(InputError, match=r"5 labels for the split's 6 images"):
        data.load(tmp_path, "train")


def test_a_set_without_images_is_refused(tmp_path, arrays):
    write(tmp_path, {name: array[:0] for name, array in arrays.items()})
    with pytest.raises(InputError, match=r"no images in it"):
        data.load(tmp_path, "train")
