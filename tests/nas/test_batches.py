"""Batches and augmentation."""

import numpy as np
import pytest
import torch

from hw.data import Dataset
from nas.batches import Augmentation, Images, halves, spread, steps_of
from nas.model import image_tensor
from nas.sources import load_images


@pytest.fixture
def images() -> Images:
    pixels = torch.randint(1, 256, (10, 6, 7, 2), dtype=torch.uint8)
    return Images(pixels, torch.arange(10))


def test_in_order_every_image_comes_once(images):
    labels = torch.cat([labels for _, labels in images.batches(4)])
    assert labels.tolist() == list(range(10))
    assert steps_of(10, 4, shuffle=False) == 3


def test_shuffled_batches_are_whole(images):
    batches = [labels for _, labels in images.batches(4, shuffle=True)]
    assert [len(b) for b in batches] == [4, 4] == [4] * steps_of(10, 4, shuffle=True)
    assert len(set(torch.cat(batches).tolist())) == 8
    assert [len(b) for _, b in images.batches(64, shuffle=True)] == [10]


def test_halves_are_disjoint_and_random(images):
    first, second = halves(images)
    assert sorted(first.labels.tolist() + second.labels.tolist()) == list(range(10))
    torch.manual_seed(1)
    again = halves(images)[0].labels.tolist()
    torch.manual_seed(2)
    assert again != halves(images)[0].labels.tolist()


def test_limit_draws_images():
    labels = np.arange(20, dtype=np.int64)
    pixels = np.repeat(labels.astype(np.uint8), 4).reshape(20, 2, 2, 1)
    pixels.flags.writeable = False  # as a file read whole is; torch must not warn
    loaded = load_images(Dataset("d", pixels, labels, 20), torch.device("cpu"), limit=5)
    assert isinstance(loaded, Images)
    assert len(loaded) == 5
    assert torch.equal(loaded.pixels[:, 0, 0, 0].long(), loaded.labels)


def test_nothing_switched_on_changes_nothing(images):
    assert torch.equal(Augmentation()(images.pixels), image_tensor(images.pixels))


def test_flip_turns_about_half_of_the_images(images):
    pixels = images.pixels.repeat(20, 1, 1, 1)
    torch.manual_seed(0)
    x, plain = Augmentation(flip=True)(pixels), image_tensor(pixels)
    same = (x == plain).flatten(1).all(1)
    turned = (x == plain.flip(3)).flatten(1).all(1)
    assert (same | turned).all()
    assert 60 < int(turned.sum()) < 140


def test_crop_shifts_the_padded_image(images):
    torch.manual_seed(0)
    x = Augmentation(crop=2)(images.pixels)
    padded = torch.nn.functional.pad(image_tensor(images.pixels), (2, 2, 2, 2))
    places = set()
    for index in range(len(images)):
        found = [
            (row, column)
            for row in range(5)
            for column in range(5)
            if torch.equal(x[index], padded[index, :, row : row + 6, column : column + 7])
        ]
        assert len(found) == 1
        places.update(found)
    assert len(places) > 3


def test_cutout_blanks_a_square(images):
    torch.manual_seed(0)
    x, plain = Augmentation(cutout=3)(images.pixels), image_tensor(images.pixels)
    blank = (x == 0).all(1)
    assert torch.equal(torch.where(blank[:, None], 0, plain), x)
    sizes = blank.flatten(1).sum(1)
    assert sizes.max() <= 9 and sizes.min() >= 2
    assert (sizes == 9).any()


def test_jitter_blends_each_image_with_black_its_mean_and_its_greys():
    pixels = torch.randint(0, 256, (50, 5, 4, 3), dtype=torch.uint8)
    torch.manual_seed(0)
    x = Augmentation(jitter=0.4)(pixels)
    torch.manual_seed(0)
    factors = [0.6 + 0.8 * torch.rand(50, 1, 1, 1) for _ in range(3)]
    expected = image_tensor(pixels)
    weights = torch.tensor([0.299, 0.587, 0.114])[None, :, None, None]
    for number, factor in enumerate(factors):
        grey = (expected * weights).sum(1, keepdim=True)
        other = (0 * grey, grey.mean((2, 3), keepdim=True), grey)[number]
        expected = (other + factor * (expected - other)).clamp(0, 255 / 256)
    torch.testing.assert_close(x, expected)
    assert 0 <= x.min() and x.max() <= 255 / 256


def test_jitter_of_grey_images_keeps_one_channel(images):
    assert Augmentation(jitter=0.2)(images.pixels[..., :1]).shape == (10, 1, 6, 7)


def test_sample_is_spread_evenly(images):
    assert torch.equal(images.sample(5), images.pixels[::2])
    assert torch.equal(images.sample(99), images.pixels)
    assert spread(1000, 3).tolist() == [0, 333, 666]
