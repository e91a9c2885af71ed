"""A hundred real images through onnxruntime and through the reference: every integer of every
tensor."""

import numpy as np
import pytest
from narrow_networks import NARROW

from hw import data
from hw.data.shipped import FASHION_FOLDER
from hw.exchange.judge import judge
from hw.exchange.model import to_model
from hw.ir.parameters import Rounding
from hw.networks import genotypes
from hw.networks.cells import build
from hw.networks.conventional import model
from hw.networks.random_network import random_network

IMAGES = 100

LARGE = "fashion" if FASHION_FOLDER.is_dir() else "mnist5k"
"""Images of 28×28, of which there are some everywhere."""

SETTINGS = (
    {},
    {"act_bits": 4, "scale_terms": 1},
    {"act_bits": 16, "scale_terms": 4, "rounding": Rounding.FLOOR},
    {"act_bits": 12, "scale_terms": 2},
    {"act_bits": 8, "guard": 0, "rounding": Rounding.FLOOR},
    {"act_bits": 9, "guard": 4, "weight_bits": 6},
    {"paper": True},
)
"""Roundings, numbers of scale terms, bits of tensors."""


def real_images(name, shape):
    """Test images brought to a shape: the nearest of their pixels, a shift for each channel."""
    images = data.load(name, "test").images[:IMAGES, ..., 0]
    rows, columns = (
        np.arange(wanted) * side // wanted
        for wanted, side in zip(shape[:2], images.shape[1:], strict=True)
    )
    small = images[:, rows][:, :, columns]
    return np.stack([np.roll(small, channel, axis=2) for channel in range(shape[2])], axis=3)


def require_equal(network, name):
    images = real_images(name, network.graph.input.shape)
    assert len(images) == IMAGES and len(np.unique(images)) > 10
    verdict = judge(network, to_model(network), images)
    assert (verdict.mismatches, verdict.first) == (0, "")
    assert verdict.tensors == len(network.graph) - 1 and verdict.images == IMAGES


@pytest.mark.slow
@pytest.mark.parametrize("name", genotypes.published())
def test_every_genotype(name):
    position = list(genotypes.published()).index(name)
    settings = SETTINGS[position % len(SETTINGS)]
    graph = build(genotypes.get(name), channels=2, cells=3, image=(8, 8, 1), classes=10)
    require_equal(random_network(graph, seed=1, **settings), "digits")


@pytest.mark.slow
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_all_settings_on_odd_rectangles(settings):
    graph = build(genotypes.get("GDAS_V1"), channels=2, cells=3, image=(9, 7, 3), classes=5)
    require_equal(random_network(graph, seed=2, **settings), LARGE)


@pytest.mark.slow
@pytest.mark.parametrize("name", NARROW)
def test_every_conventional_family(name):
    position = list(NARROW).index(name)
    network = random_network(model(name, NARROW[name]), seed=1, **SETTINGS[(0, 3)[position % 2]])
    require_equal(network, LARGE)
