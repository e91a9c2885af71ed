"""Stalls: what is made by default, and what is refused."""

import pytest

from hw.errors import InputError
from sim.stimuli import Stimuli, random_images


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
