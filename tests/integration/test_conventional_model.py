"""Conventional networks in torch: shapes, weights, training in formats, and integers that are those
of the reference in every bit."""

import numpy as np
import pytest
import torch
from exact_model import ExactModel
from torch.nn import functional

from hw.ir import reference
from hw.ir.clip import Clip
from hw.ir.graph import Conv, Linear, MaxPool
from hw.ir.parameters import Arithmetic, Rounding
from hw.ir.validate import validate
from hw.networks.conventional import MODELS, model
from hw.networks.conventional.sizes import Sizes
from hw.networks.counts import count
from nas.fake_quantise import paper_formats
from nas.model import GraphModel, bias_of, count_weights, image_tensor
from nas.quantise import calibrate, quantise
from nas.shift import Layer, ShiftSettings

SIZES = {
    "mobilenet_v2": Sizes((7, 6, 3), 5, width=1 / 16),
    "vgg16": Sizes((32, 33, 1), 5, width=1 / 32),
    "vgg19": Sizes((32, 33, 1), 5, width=1 / 32),
    "squeezenet1_0": Sizes((20, 19, 3), 5, width=1 / 16),
}
"""Small, odd where that is possible; `OTHERS` for the rest."""
OTHERS = Sizes((9, 8, 3), 5, width=1 / 16)
LARGE_STEM = ("resnet18", "vgg16", "googlenet", "squeezenet1_0", "shufflenet_v2_x0_5")


def sizes_of(name: str) -> Sizes:
    return SIZES.get(name, OTHERS)


def trained_like(graph, **settings) -> tuple[GraphModel, torch.Tensor]:
    """A model with batch norms and biases as trained ones have, and images (uint8)."""
    torch.manual_seed(3)
    network = GraphModel(graph, settings=ShiftSettings(**settings)).train()
    pixels = torch.randint(0, 256, (48, *graph.input.shape), dtype=torch.uint8)
    for norm in network.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.momentum = 1.0
            norm.weight.data.normal_(0.8, 0.5)
            norm.bias.data.normal_(0, 0.4)
    with torch.no_grad():
        network(image_tensor(pixels))
        for unit in network.units.values():
            if bias_of(unit) is not None:
                bias_of(unit).normal_(0, 0.2)
    return network.eval(), pixels


@pytest.mark.parametrize("domain", ["shift", "real"])
@pytest.mark.parametrize("name", MODELS)
def test_every_tensor_and_weight_is_the_graphs(name, domain):
    graph = model(name, sizes_of(name))
    network = GraphModel(graph, domain).eval()
    assert count_weights(network) == count(graph).weights
    assert bool(network.shift_weights()) == (domain == "shift")
    pixels = torch.randint(0, 256, (2, *graph.input.shape), dtype=torch.uint8)
    tensors = network.tensors(image_tensor(pixels))
    assert set(tensors) == {node.name for node in graph}
    for node in graph:
        height, width, channels = node.shape
        flat = isinstance(node, Linear)
        expected = (2, channels) if flat else (2, channels, height, width)
        assert tensors[node.name].shape == expected, node.name
        if getattr(node, "clip", None) is not None:
            low, high = tensors[node.name].aminmax()
            assert low >= 0 and (node.clip.upper is None or high <= node.clip.upper), node.name
    assert network(image_tensor(pixels)).shape == (2, 5)


def assert_same_integers(network: GraphModel, pixels: torch.Tensor, arithmetic: Arithmetic, width):
    made = quantise(network, calibrate(network, image_tensor(pixels), width), arithmetic)
    validate(made)
    images = pixels[:4].numpy()
    ours, expected = ExactModel(network, made).codes(images), reference.run(made, images)
    assert set(ours) == set(expected) == {node.name for node in made.graph}
    for node in made.graph:
        mine, its = ours[node.name].astype(object), expected[node.name].astype(object)
        assert mine.shape == its.shape and (mine == its).all(), node.name
    assert np.ptp(expected[made.graph.output.name]) > 0  # no network of zeros


@pytest.mark.parametrize("name", MODELS)
def test_integers_are_those_of_the_reference(name):
    graph = model(name, sizes_of(name))
    assert_same_integers(*trained_like(graph), Arithmetic(), 8)


@pytest.mark.parametrize("layer", [Layer.PS, Layer.Q])
@pytest.mark.parametrize("name", ["mobilenet_v2", "squeezenet1_0", "shufflenet_v2_x0_5"])
def test_integers_of_other_layers_and_numbers(name, layer):
    network, pixels = trained_like(model(name, sizes_of(name)), layer=layer, scale_terms=2)
    arithmetic = Arithmetic(guard=3, rounding=Rounding.FLOOR, scale_terms=2)
    assert_same_integers(network, pixels, arithmetic, 6)


@pytest.mark.parametrize("name", LARGE_STEM)
def test_integers_with_the_stem_of_large_images(name):
    graph = model(name, Sizes((33, 34, 3), 5, "imagenet", width=1 / 32))
    assert_same_integers(*trained_like(graph), Arithmetic(), 8)


@pytest.mark.parametrize("name", ["mobilenet_v2", "squeezenet1_0", "googlenet"])
def test_training_sees_the_formats(name):
    """Every tensor of a training step is a number of its format, and gradients reach every weight
    that a loss can see."""
    network, pixels = trained_like(model(name, sizes_of(name)))
    x = image_tensor(pixels)
    for formats in (calibrate(network, x, 8), paper_formats(network.live)):
        network.train().formats = formats
        tensors = network.tensors(x)
        for name, target in formats.items():
            codes = tensors[name].detach() * 2.0**target.frac
            assert torch.equal(codes, codes.round()), name
            assert codes.min() >= target.qmin and codes.max() <= target.qmax, name
        network.zero_grad()
        functional.cross_entropy(network.logits(tensors), torch.arange(48) % 5).backward()
        gradients = [weight.latents[0].grad for weight in network.shift_weights().values()]
        assert all(one is not None and torch.isfinite(one).all() for one in gradients)
        network.formats = None


def test_real_convolutions_are_torchs():
    """Node by node, against torch's own functions on the tensors that the node reads."""
    graph = model("mobilenet_v2", sizes_of("mobilenet_v2"))
    network = GraphModel(graph, "real").eval()
    x = image_tensor(torch.randint(0, 256, (3, 7, 6, 3), dtype=torch.uint8))
    with torch.no_grad():
        tensors = network.tensors(x)
        for node in graph:
            if not isinstance(node, Conv):
                continue
            unit, read = network.units[node.name], tensors[node.inputs[0]]
            made = functional.conv2d(
                read, unit.conv.weight(), None, node.stride, node.padding, 1, node.groups
            )
            made = functional.batch_norm(
                made, unit.norm.running_mean, unit.norm.running_var, unit.norm.weight,
                unit.norm.bias, eps=unit.norm.eps,
            )  # fmt: skip
            made = functional.relu6(made) if node.clip is Clip.RELU6 else made
            torch.testing.assert_close(tensors[node.name], made)


def test_pools_whose_last_window_is_cut_off_are_torchs():
    graph = model("squeezenet1_0", sizes_of("squeezenet1_0"))
    network = GraphModel(graph).eval()
    x = image_tensor(torch.randint(0, 256, (2, 20, 19, 3), dtype=torch.uint8))
    with torch.no_grad():
        tensors = network.tensors(x)
    pools = [node for node in graph if isinstance(node, MaxPool)]
    assert any(not node.is_even for node in pools)
    for node in pools:
        made = functional.max_pool2d(tensors[node.inputs[0]], 3, 2, ceil_mode=True)
        assert torch.equal(tensors[node.name], made), node.name


@pytest.mark.parametrize("name", ["squeezenet1_0", "resnet8"])
def test_stem_and_classifier_may_be_real(name):
    graph = model(name, sizes_of(name))
    weights = GraphModel(graph, settings=ShiftSettings(stem=False)).shift_weights()
    layers = GraphModel(graph).shift_weights().keys()
    assert layers - weights.keys() == {"stem/conv"}
    weights = GraphModel(graph, settings=ShiftSettings(classifier=False)).shift_weights()
    assert layers - weights.keys() == {"classifier"}
