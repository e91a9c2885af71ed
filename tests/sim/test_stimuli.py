"""Images and stalls: what is made by default, and what is refused."""

import numpy as np
import pytest

from hw.errors import InputError
from sim.stimuli import Stimuli, default_images, random_images


def test_wrong_stalls(hardware):
    images = random_images(hardware.network, 1, seed=1)
    with pytest.raises(InputError, match=r"stall: 1\.5; expected a probability"):
        Stimuli(images, stall=1.5)
    with pytest.raises(InputError, match="stall-pattern: 'often'; expected one of never, always"):
        Stimuli(images, pattern="often")


@pytest.mark.parametrize(("settings", "passes"), [
    ({}, 2), ({"stall": 0}, 1), ({"pattern": "never"}, 1),
])  # fmt: skip
def test_second_pass_is_under_stalls(hardware, settings, passes):
    assert Stimuli(random_images(hardware.network, 1, seed=1), **settings).passes == passes


def test_number_of_images(hardware):
    one = random_images(hardware.network, 1, seed=1)
    with pytest.raises(InputError, match="frames: 0"):
        default_images(hardware.network, None, 0, 1)
    with pytest.raises(InputError, match="frames: 0"):
        default_images(hardware.network, one[:0], None, 1)
    assert len(default_images(hardware.network, one, None, 1)) == 1
    assert len(default_images(hardware.network, np.repeat(one, 9, axis=0), None, 1)) == 4
    assert len(default_images(hardware.network, None, None, 1)) == 4
    with pytest.raises(InputError, match="frames: 3; the data have 1 images"):
        default_images(hardware.network, one, 3, 1)


def test_random_images_are_repeatable_and_have_the_corners(hardware):
    first, again = (random_images(hardware.network, 5, seed=4) for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, random_images(hardware.network, 5, seed=5))
    assert not first[1].any()
    assert (first[2] == 255).all()
    assert set(np.unique(first[3])) == {0, 255}
