"""hw.data.shipped: the named data sets."""

import importlib.util

import numpy as np
import pytest

from hw import data
from hw.data import shipped
from hw.errors import InputError


@pytest.mark.parametrize(
    ("name", "shape", "train", "test"),
    [("digits", (8, 8, 1), 1438, 359), ("mnist5k", (28, 28, 1), 4000, 1000)],
)
def test_split_of_a_set_without_one(name, shape, train, test):
    parts = [data.load(name, split) for split in ("train", "test")]
    assert [len(part) for part in parts] == [train, test]
    for part in parts:
        assert part.name == name
        assert part.image_shape == shape
        assert part.classes == 10
        assert (part.images.min(), part.images.max()) == (0, 255)
        assert set(part.labels) == set(range(10))
        assert part.preprocessing["dataset"] == name
    again = data.load(name, "test")
    assert np.array_equal(again.images, parts[1].images)
    assert np.array_equal(again.labels, parts[1].labels)


def test_digits_are_scaled_to_bytes_and_every_fifth_is_for_testing():
    from sklearn.datasets import load_digits

    content = load_digits()
    test = data.load("digits", "test")
    assert test.images[3, :, :, 0].tolist() == [
        [int(value) * 255 // 16 for value in row] for row in content.images[19]
    ]
    assert test.labels[:4].tolist() == content.target[[4, 9, 14, 19]].tolist()
    assert data.load("digits", "train").labels[4] == content.target[5]


@pytest.mark.skipif(
    not data.is_available("fashion"), reason="the package dataset-fashion-mnist is not installed"
)
def test_fashion():
    for split, count in (("train", 60000), ("test", 10000)):
        part = data.load("fashion", split)
        assert part.images.shape == (count, 28, 28, 1)
        assert np.bincount(part.labels).tolist() == [count // 10] * 10
        assert part.classes == 10
    assert part.labels[:5].tolist() == [9, 2, 1, 1, 6]


def test_missing_packages_are_named_with_the_command_that_installs_them(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "FASHION_FOLDER", tmp_path)
    with pytest.raises(InputError, match=r"run: apt-get install dataset-fashion-mnist$"):
        data.load("fashion")
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name in ("sklearn", "mlxtend") else find_spec(name),
    )
    with pytest.raises(InputError, match=r"run: pip install scikit-learn$"):
        data.load("digits")
    with pytest.raises(InputError, match=r"run: pip install mlxtend$"):
        data.load("mnist5k")
    assert [data.is_available(name) for name in data.NAMES] == [False, False, False]
