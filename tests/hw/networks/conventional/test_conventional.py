"""Conventional networks: their sizes as published, and what they compute."""

import numpy as np
import plain_numerics
import pytest

from hw.errors import InputError
from hw.ir import reference
from hw.ir.clip import Clip
from hw.ir.graph import Add, Conv
from hw.ir.validate import validate
from hw.networks.cells import Stem
from hw.networks.conventional import MODELS, model
from hw.networks.conventional.sizes import Sizes
from hw.networks.counts import count
from hw.networks.random_network import random_network

CIFAR = Sizes((32, 32, 3), 10)
IMAGENET = Sizes((224, 224, 3), 1000, Stem.IMAGENET)

# Trainable weights: of CIFAR networks as common implementations have them, of ImageNet's as
# torchvision lists them.
WEIGHTS = [
    ("resnet18", CIFAR, 11_173_962),
    ("resnet50", CIFAR, 23_520_842),
    ("resnet101", CIFAR, 42_512_970),
    ("resnet152", CIFAR, 58_156_618),
    ("vgg16", CIFAR, 14_724_042),
    ("mobilenet_v2", CIFAR, 2_236_682),
    ("resnet18", IMAGENET, 11_689_512),
    ("resnet50", IMAGENET, 25_557_032),
    ("resnet101", IMAGENET, 44_549_160),
    ("resnet152", IMAGENET, 60_192_808),
    ("vgg16", IMAGENET, 138_357_544),
    ("vgg19", IMAGENET, 143_667_240),
    ("mobilenet_v2", IMAGENET, 3_504_872),
    ("googlenet", IMAGENET, 6_624_904),
    ("shufflenet_v2_x0_5", IMAGENET, 1_366_792),
    ("shufflenet_v2_x1_0", IMAGENET, 2_278_604),
    ("shufflenet_v2_x2_0", IMAGENET, 7_393_996),
    ("squeezenet1_0", IMAGENET, 1_248_424),
]


@pytest.mark.parametrize(("name", "sizes", "weights"), WEIGHTS)
def test_published_sizes(name, sizes, weights):
    assert count(model(name, sizes)).weights == weights


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("stem", Stem)
def test_narrow_ones_are_valid_networks(name, stem):
    validate(random_network(model(name, Sizes((33, 32, 3), 4, stem, 1 / 32)), seed=2))


@pytest.mark.parametrize(("name", "shape"), [("resnet8", (9, 8, 3)), ("mobilenet_v2", (5, 6, 1))])
def test_what_they_compute(name, shape):
    network = random_network(model(name, Sizes(shape, 4, width=1 / 32)), seed=2)
    image = np.random.default_rng(0).integers(0, 256, (1, *shape)).astype(np.uint8)
    found = reference.run(network, image)
    for tensor, expected in plain_numerics.run(network, image[0].tolist()).items():
        assert found[tensor][0].tolist() == expected, tensor


def test_what_is_clipped():
    """ReLU behind sums of residual blocks; ReLU6 everywhere in MobileNet-v2 but at block ends."""
    graph = model("resnet20", CIFAR)
    assert {node.clip for node in graph if isinstance(node, Add)} == {Clip.RELU}
    graph = model("mobilenet_v2", CIFAR)
    ends = {node.name: node.clip for node in graph if isinstance(node, Conv)}
    assert {clip for name, clip in ends.items() if name.endswith("/project")} == {None}
    assert {clip for name, clip in ends.items() if not name.endswith("/project")} == {Clip.RELU6}


def test_a_shortcut_is_a_convolution_only_where_the_shape_changes():
    graph = model("resnet18", CIFAR)
    shortcuts = [node.name for node in graph if node.name.endswith("shortcut")]
    assert shortcuts == [f"stage{n}/block0/shortcut" for n in (2, 3, 4)]


def test_images_that_are_too_small():
    with pytest.raises(InputError, match="image: 8x8 is too small: nothing would be left behind"):
        model("vgg16", Sizes((8, 8, 3), 10))


def test_a_name_that_there_is_not():
    with pytest.raises(InputError, match="model: 'resnet9' is not known; use one of resnet8"):
        model("resnet9", CIFAR)
