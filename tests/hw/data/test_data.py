"""hw.data: finding what a folder holds, and what is said where it holds nothing."""

import numpy as np
import pytest
from own_plugins import forgotten

from hw import data
from hw.commands.options import DATA
from hw.errors import InputError


def test_names():
    assert tuple(data.NAMES) == ("digits", "mnist5k", "fashion")
    assert data.is_available("digits")


def test_what_is_neither_name_nor_folder(tmp_path):
    with pytest.raises(
        InputError, match=r"^data: 'mnits' is neither a folder nor one of digits, mnist5k, fashion$"
    ):
        data.load("mnits")
    with pytest.raises(InputError, match=r"^split: 'valid'; use train, validation, test$"):
        data.load("digits", "valid")


def test_empty_folder_and_folder_of_something_else(tmp_path):
    with pytest.raises(InputError) as caught:
        data.load(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}: an empty folder; expected MNIST idx files")
    assert "\n" not in str(caught.value)
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(InputError, match=r"no data set; expected MNIST idx files"):
        data.load(tmp_path)
    with pytest.raises(InputError, match=r"notes.txt: no data set"):
        data.load(tmp_path / "notes.txt")


def test_files_of_the_operating_system_get_one_line(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(data.idx, "found", refuse)
    with pytest.raises(InputError, match=r"Permission denied; give a readable folder$"):
        data.load(tmp_path)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.zeros((2, 3, 3)), np.zeros(2, np.int64)),
        (np.zeros((2, 3, 3), np.uint8), np.zeros(2, np.int64)),
        (np.zeros((2, 3, 3, 1), np.uint8), np.zeros(3, np.int64)),
        (np.zeros((2, 3, 3, 1), np.uint8), np.zeros(2, np.uint8)),
        (np.zeros((2, 3, 3, 1), np.uint8), np.array([0, 5])),
        (np.zeros((2, 3, 3, 1), np.uint8), np.array([0, -1])),
    ],
)
def test_a_data_set_is_bytes_and_labels_in_range(images, labels):
    with pytest.raises(ValueError, match=r"images are|labels are|labels span"):
        data.Dataset("x", images, labels, 5)
    good = data.Dataset("x", np.zeros((2, 3, 4, 1), np.uint8), np.array([0, 4]), 5)
    assert len(good) == 2
    assert good.image_shape == (3, 4, 1)


def test_a_data_set_of_ones_own():
    def load(split):
        count = {"train": 6, "test": 4}[split]
        images = np.zeros((count, 2, 3, 1), np.uint8)
        return data.Dataset("mine", images, np.zeros(count, np.int64), 2)

    with forgotten():
        data.register_dataset("mine", load, lambda: False)
        assert not data.is_available("mine")
        assert (len(data.load("mine")), len(data.load("mine", "test"))) == (6, 4)
        assert data.splits("mine") == data.PUBLISHED
        assert DATA.path("mine") is None
        for name in ("mine", "digits", "", "a/b"):
            with pytest.raises(InputError, match="expected a name that is not taken, without /"):
                data.register_dataset(name, load)
    assert "mine" not in data.NAMES
