"""Images by kind."""

import numpy as np
import pytest

from hw.errors import InputError
from sim.fuzz import images

SHAPE = (6, 5, 3)


def test_kinds():
    made = dict(zip(images.KINDS, images.make(tuple(images.KINDS), SHAPE, seed=3), strict=True))
    assert all(image.shape == SHAPE and image.dtype == np.uint8 for image in made.values())
    assert not made["zeros"].any()
    assert (made["full"] == 255).all()
    assert len(np.unique(made["constant"])) == 1
    assert set(np.unique(made["extremes"])) == set(np.unique(made["checkerboard"])) == {0, 255}
    assert made["checkerboard"][0, 0, 0] != made["checkerboard"][0, 1, 0]
    assert len(np.unique(made["noise"])) > 50


def test_noise_stays_the_same_for_ever():
    assert images.make(("noise",), (1, 3, 1), seed=3).ravel().tolist() == [152, 61, 97]


def test_seed_and_place_make_the_noise():
    one, two = images.make(("noise", "noise"), SHAPE, seed=3)
    assert not np.array_equal(one, two)
    assert not np.array_equal(one, images.make(("noise",), SHAPE, seed=4)[0])


def test_unknown_kind():
    with pytest.raises(InputError, match="frames: 'snow'; expected one of noise, zeros"):
        images.make(("snow",), SHAPE, seed=1)
