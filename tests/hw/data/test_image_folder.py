"""hw.data.image_folder: small images in ImageNet's layout."""

import importlib.util
import re

import numpy as np
import pytest
from PIL import Image

from hw import data
from hw.data import image_folder
from hw.errors import InputError


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def folder(tmp_path):
    """Two classes; b has two training images, a has one; sizes differ."""
    rng = np.random.default_rng(3)
    save(tmp_path / "train" / "b" / "2.png", rng.integers(0, 256, (12, 10, 3), np.uint8))
    save(tmp_path / "train" / "b" / "1.png", rng.integers(0, 256, (8, 8), np.uint8))
    save(tmp_path / "train" / "a" / "9.jpeg", rng.integers(0, 256, (30, 50, 3), np.uint8))
    (tmp_path / "train" / "a" / "notes.txt").write_text("no image")
    save(tmp_path / "val" / "b" / "1.png", np.full((8, 8, 3), 77, np.uint8))
    return tmp_path


def test_both_splits(folder):
    train = data.load(folder, "train", size=(8, 8))
    assert train.images.shape == (3, 8, 8, 3)
    assert train.labels.tolist() == [0, 1, 1]  # by class, then by file name
    assert train.classes == 2
    test = data.load(folder, "validation", size=(8, 8))
    assert test.labels.tolist() == [1]
    assert test.classes == 2
    assert np.all(test.images == 77)
    assert test.preprocessing == train.preprocessing


def test_an_image_of_the_size_asked_for_is_left_alone(folder):
    with Image.open(folder / "train" / "b" / "2.png") as image:
        expected = np.asarray(image)
    assert np.array_equal(data.load(folder, "train", size=(12, 10)).images[2], expected)


def test_grey_becomes_three_equal_channels(folder):
    image = data.load(folder, "train", size=(8, 8)).images[1]
    assert np.array_equal(image[..., 0], image[..., 1])
    assert np.array_equal(image[..., 0], image[..., 2])


@pytest.mark.parametrize("stored", [(64, 96), (96, 64), (3, 2), (257, 31)])
def test_resize_covers_and_crops_the_centre(tmp_path, stored):
    # A gradient keeps its middle in the middle, whatever the size.
    rows, columns = np.indices(stored)
    grey = (rows / stored[0] + columns / stored[1]) * 127
    save(tmp_path / "train" / "a" / "1.png", grey.astype(np.uint8))
    image = data.load(tmp_path, size=(32, 32)).images[0, ..., 0].astype(int)
    assert image.shape == (32, 32)
    assert abs(image[12:20, 12:20].mean() - grey.mean()) < 8
    assert image[0, 0] < image[31, 31]


def test_224_of_256(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (256, 300, 3), np.uint8)
    save(tmp_path / "train" / "a" / "1.png", array)
    assert np.array_equal(data.load(tmp_path).images[0], array[16:240, 38:262])


def test_what_is_wrong_is_named(folder, monkeypatch):
    (folder / "train" / "a" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    with pytest.raises(InputError, match=r"broken.png: not an image that can be read"):
        data.load(folder, "train", size=(8, 8))
    (folder / "train" / "a" / "broken.png").unlink()
    save(folder / "val" / "c" / "1.png", np.zeros((8, 8, 3), np.uint8))
    message = f"{folder / 'val' / 'c'}: a class that the training split does not have"
    with pytest.raises(InputError, match=re.escape(message)):
        data.load(folder, "validation", size=(8, 8))
    monkeypatch.setattr(image_folder, "MEMORY_LIMIT", 575)
    with pytest.raises(InputError, match=r"3 images of 8x8 need 0 GiB of memory"):
        data.load(folder, "train", size=(8, 8))


def test_folders_without_images(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(
        InputError, match=r"train: no images; expected one folder of images a class"
    ):
        data.load(tmp_path, "train")
    for split, name in (("test", "test"), ("validation", "val")):
        with pytest.raises(InputError, match=f"{name}: missing; expected one folder of images a"):
            data.load(tmp_path, split)
    with pytest.raises(InputError, match=f"^{tmp_path}/test: missing, and so is val; add one"):
        data.evaluated(tmp_path)


def test_each_folder_means_what_it_says(folder):
    """Three folders, three splits, none of which stands in for another."""
    assert data.splits(folder) == ("train", "validation")
    assert data.evaluated(folder) == "validation"
    save(folder / "test" / "a" / "1.png", np.full((8, 8, 3), 99, np.uint8))
    assert data.splits(folder) == ("train", "validation", "test")
    assert data.evaluated(folder) == "test"
    by_split = {name: data.load(folder, name, size=(8, 8)) for name in data.splits(folder)}
    assert np.all(by_split["validation"].images == 77) and np.all(by_split["test"].images == 99)
    assert len({split.digest for split in by_split.values()}) == 3


def test_a_subset_is_its_images_and_has_a_digest_of_its_own(folder):
    whole = data.find(folder, "train", size=(8, 8))
    part = whole.subset(np.array([2, 0]))
    assert (part.files, part.labels.tolist()) == (("b/2.png", "a/9.jpeg"), [1, 0])
    assert np.array_equal(part.load().images, whole.load().images[[2, 0]])
    assert part.classes == 2 and part.load().digest == part.digest != whole.digest
    with pytest.raises(ValueError, match="take the subset of its ImageFolder"):
        whole.load().subset(np.array([0]))


@pytest.mark.parametrize(
    ("stray", "said"),
    [
        ("train/c", "train/c: a class without images; add some (.jpg, "),
        ("train/c/deep/er", "train/c: a class without images"),
        ("train/c/notes.txt", "train/c: a class without images"),
        ("train/c/._1.png", "train/c: a class without images"),
        ("train/a/1.gif", "train/a/1.gif: .gif is not read; convert it to .png or remove it"),
        ("train/a/deep/1.HEIC", "train/a/deep/1.HEIC: .heic is not read"),
        ("train/1.png", "train/1.png: an image outside the folders of the classes"),
        ("val/b2", "val/b2: a class that the training split does not have"),
    ],
)
def test_what_would_be_left_out_without_a_word(folder, stray, said):
    path = folder / stray
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"") if path.suffix else path.mkdir(parents=True)
    with pytest.raises(InputError, match=re.escape(f"{folder}/{said}")):
        data.find(folder, "train", size=(8, 8))
        data.find(folder, "validation", size=(8, 8))


def test_what_systems_leave_behind_is_no_class_and_no_image(folder):
    plain = data.find(folder, "train", size=(8, 8))
    for name in (
        ".DS_Store", ".git/1.png", "__MACOSX/b/._1.png", "@eaDir/b/1.png", "readme.txt",
        "b/._1.png", "b/.DS_Store", "b/Thumbs.db", "b/.thumbnails/1.png", "b/@eaDir/1.png/s.jpg",
        "b/desktop.ini",
    ):  # fmt: skip
        path = folder / "train" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"none of the images")
    cluttered = data.find(folder, "train", size=(8, 8))
    assert (cluttered.files, cluttered.classes) == (plain.files, 2)
    assert plain.files == ("a/9.jpeg", "b/1.png", "b/2.png")
    cluttered.load()


def test_images_in_folders_within_a_class_are_its_own(folder):
    """In the order of torchvision's ImageFolder: folder by folder, by name."""
    pixels = np.zeros((8, 8, 3), np.uint8)
    for name in ("z/1.PNG", "a/9.tiff", "a/b/0.bmp", "a-/7.png"):
        save(folder / "train" / "a" / name, pixels)
    found = data.find(folder, "train", size=(8, 8))
    assert found.files == (
        "a/9.jpeg", "a/a/9.tiff", "a/a-/7.png", "a/a/b/0.bmp", "a/z/1.PNG", "b/1.png", "b/2.png"
    )  # fmt: skip
    assert found.labels.tolist() == [0] * 5 + [1] * 2
    assert np.all(found.read(np.array([1, 4])) == 0)


def test_links(folder):
    """A link to another folder counts as what it leads to, one in a circle is refused."""
    (folder / "train" / "c").symlink_to(folder / "train" / "b")
    assert data.find(folder, "train", size=(8, 8)).labels.tolist() == [0, 1, 1, 2, 2]
    (folder / "train" / "b" / "again").symlink_to(folder / "train")
    with pytest.raises(InputError, match="train/b/again: a link to a folder it lies in"):
        data.find(folder, "train", size=(8, 8))


def test_pillow_is_named_where_it_is_missing(folder, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"run: pip install pillow$"):
        data.load(folder, "train")
