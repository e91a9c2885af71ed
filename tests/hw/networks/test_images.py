"""Images: random ones with corners, those of a file, and what is refused."""

import numpy as np
import pytest

from hw.errors import InputError
from hw.networks.images import default_images, random_images, read_images


def test_number_of_images(network, monkeypatch):
    one = random_images(network, 1, seed=1)
    with pytest.raises(InputError, match="frames: 0"):
        default_images(network, None, 0, 1)
    with pytest.raises(InputError, match="frames: 0"):
        default_images(network, one[:0], None, 1)
    assert len(default_images(network, one, None, 1)) == 1
    # Twice as many where the network is small.
    assert len(default_images(network, np.repeat(one, 9, axis=0), None, 1)) == 8
    assert len(default_images(network, None, None, 1)) == 8
    monkeypatch.setattr("hw.networks.images.FEW_BEATS", 100)
    assert len(default_images(network, np.repeat(one, 9, axis=0), None, 1)) == 4
    assert len(default_images(network, None, None, 1)) == 4
    with pytest.raises(InputError, match="frames: 3; the data have 1 images"):
        default_images(network, one, 3, 1)


def test_random_images_are_repeatable_and_have_the_corners(network):
    first, again = (random_images(network, 5, seed=4) for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, random_images(network, 5, seed=5))
    assert not first[1].any()
    assert (first[2] == 255).all()
    assert set(np.unique(first[3])) == {0, 255}


def test_images_of_a_file(network, tmp_path):
    path, images = tmp_path / "images.npy", random_images(network, 2, seed=1)
    np.save(path, images)
    assert np.array_equal(read_images(path), images)
    for wrong in (images[0], images.astype(np.int8)):
        np.save(path, wrong)
        with pytest.raises(InputError, match=r"images\.npy: expected an array of uint8, \(N, H, W"):
            read_images(path)
    path.write_bytes(b"no array")
    with pytest.raises(InputError, match=r"images\.npy: expected images as a \.npy file"):
        read_images(path)
