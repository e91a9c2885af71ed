"""Torch's exact evaluation equals the integer reference in every bit, on real images and in
numbers of any width."""

from dataclasses import replace

import exact_model as exact
import numpy as np
import pytest
import torch
from any_networks import networks
from exact_model import ExactModel
from hypothesis import given, settings

from hw import data
from hw.errors import InputError
from hw.ir import reference
from hw.ir.clip import Clip
from hw.ir.format import IMAGE_FORMAT, Format
from hw.ir.graph import Add, AvgPool, Concat, Conv, GlobalPool, Graph, Input, Linear
from hw.ir.network import Network
from hw.ir.parameters import Arithmetic, LayerParams, Rounding
from hw.ir.validate import validate
from hw.ir.weights import decode
from hw.networks import genotypes
from hw.networks.cells import build
from hw.networks.random_network import random_network
from hw.networks.space import Genotype
from nas.model import GraphModel, image_tensor
from nas.quantise import calibrate, quantise
from nas.shift import ShiftSettings

EVERY_OPERATION = Genotype(
    normal=(
        ("sep_conv_3x3", 0),
        ("dil_conv_5x5", 1),
        ("max_pool_3x3", 0),
        ("conv_7x1_1x7", 2),
        ("avg_pool_3x3", 1),
        ("skip_connect", 3),
        ("sep_conv_5x5", 4),
        ("dil_conv_3x3", 1),
    ),
    normal_concat=(2, 3, 4, 5),
    reduce=(
        ("skip_connect", 0),
        ("sep_conv_7x7", 1),
        ("avg_pool_3x3", 0),
        ("conv_7x1_1x7", 1),
        ("max_pool_3x3", 1),
        ("skip_connect", 2),
        ("dil_conv_5x5", 0),
        ("sep_conv_3x3", 4),
    ),
    reduce_concat=(2, 4, 5),
)


def trained_like(model: GraphModel) -> GraphModel:
    """A model with batch norms as trained ones: statistics, scales of both signs, biases."""
    torch.manual_seed(3)
    images = torch.from_numpy(data.load("digits").images[:256])
    if model.live.input.shape != (8, 8, 1):
        images = torch.randint(0, 256, (64, *model.live.input.shape), dtype=torch.uint8)
    model.train()
    for norm in model.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.momentum = 1.0
            norm.weight.data.normal_(0.8, 0.5)
            norm.bias.data.normal_(0, 0.4)
    with torch.no_grad():
        model(image_tensor(images))
    model.units["classifier"].linear.bias.data.normal_()
    return model.eval()


@pytest.fixture(scope="module")
def model() -> GraphModel:
    torch.manual_seed(0)
    settings = ShiftSettings(weight_bits=6, init="uniform")
    graph = build(EVERY_OPERATION, channels=3, cells=3, image=(8, 8, 1), classes=10)
    return trained_like(GraphModel(graph, settings=settings))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return data.load("digits", "test").images[:24]


def assert_equal_everywhere(model: GraphModel, network, images: np.ndarray) -> None:
    ours, expected = ExactModel(model, network).codes(images), reference.run(network, images)
    assert set(ours) == {node.name for node in network.graph} == set(expected)
    for node in network.graph:
        mine, its = ours[node.name].astype(object), expected[node.name].astype(object)
        assert mine.shape == its.shape and (mine == its).all(), node.name


CASES = {
    "default": (8, None, Arithmetic(weight_bits=6)),
    "one scale term": (8, None, Arithmetic(weight_bits=6, scale_terms=1)),
    "four scale terms": (6, None, Arithmetic(weight_bits=6, scale_terms=4)),
    "guard 4": (8, None, Arithmetic(weight_bits=6, guard=4)),
    "guard 0, floor": (8, None, Arithmetic(weight_bits=6, guard=0, rounding=Rounding.FLOOR)),
    "floor": (8, None, Arithmetic(weight_bits=6, rounding=Rounding.FLOOR)),
    "2 bits": (2, None, Arithmetic(weight_bits=6)),
    "16 bits": (16, None, Arithmetic(weight_bits=6)),
    "24 bits": (24, None, Arithmetic(weight_bits=6)),
    "32 bits": (32, None, Arithmetic(weight_bits=6)),
    "paper": (32, 16, Arithmetic(weight_bits=6, guard=0, rounding=Rounding.FLOOR)),
}


@pytest.mark.parametrize("case", CASES)
def test_equal_to_the_reference_in_every_tensor(model, images, case):
    width, frac, arithmetic = CASES[case]
    x = image_tensor(torch.from_numpy(data.load("digits").images[:128]))
    network = quantise(model, calibrate(model, x, width, frac), arithmetic)
    assert_equal_everywhere(model, network, images)


@pytest.mark.parametrize("float_bits", [0, 20])
@pytest.mark.parametrize("int_bits", [63, 0])
@pytest.mark.parametrize("case", ["default", "guard 4", "floor"])
def test_every_path_gives_the_same(model, images, case, float_bits, int_bits, monkeypatch):
    monkeypatch.setattr(exact, "FLOAT_BITS", float_bits)
    monkeypatch.setattr(exact, "INT_BITS", int_bits)
    width, frac, arithmetic = CASES[case]
    x = image_tensor(torch.from_numpy(images))
    network = quantise(model, calibrate(model, x, width, frac), arithmetic)
    assert_equal_everywhere(model, network, images[:4])


def test_odd_and_rectangular_images_of_three_channels():
    torch.manual_seed(1)
    sizes = {"channels": 4, "cells": 4, "image": (11, 14, 3), "classes": 7}
    model = trained_like(GraphModel(build(genotypes.get("ShiftNAS_C100"), **sizes)))
    images = np.random.default_rng(0).integers(0, 256, (6, 11, 14, 3), dtype=np.uint8)
    x = image_tensor(torch.from_numpy(images))
    network = quantise(model, calibrate(model, x, 8), Arithmetic())
    assert_equal_everywhere(model, network, images)


def test_imagenet_stem():
    torch.manual_seed(1)
    sizes = {"channels": 4, "cells": 3, "image": (40, 33, 3), "classes": 4}
    graph = build(genotypes.get("ShiftNAS_C10"), **sizes, stem="imagenet")
    model = trained_like(GraphModel(graph))
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 33, 3), dtype=np.uint8)
    network = quantise(
        model, calibrate(model, image_tensor(torch.from_numpy(images)), 8), Arithmetic()
    )
    assert_equal_everywhere(model, network, images)


def test_a_layer_whose_weights_are_all_zero(images):
    torch.manual_seed(1)
    sizes = {"channels": 2, "cells": 1, "image": (8, 8, 1), "classes": 3}
    model = trained_like(GraphModel(build(genotypes.get("GDAS_V1"), **sizes)))
    model.shift_weights()["stem/conv"].sign.data.zero_()
    x = image_tensor(torch.from_numpy(images))
    for guard in (None, 2):
        network = quantise(model, calibrate(model, x, 8), Arithmetic(guard=guard))
        assert_equal_everywhere(model, network, images)


def test_rounding_half_to_even_would_be_seen(model, images, monkeypatch):
    """The comparison fails for an evaluation that rounds as torch.round does."""
    network = quantise(
        model, calibrate(model, image_tensor(torch.from_numpy(images)), 4), Arithmetic(6)
    )
    expected = reference.run(network, images)

    def half_even(self, v):
        q = torch.round(v * 2.0**self.target.frac)
        return q.clamp(self.target.qmin, self.target.qmax) * 2.0**-self.target.frac

    monkeypatch.setattr(exact._Rounding, "value", half_even)
    ours = ExactModel(model, network).codes(images)
    assert any((ours[name] != expected[name]).any() for name in expected)


def test_logits_and_kept_tensors(model, images):
    x = image_tensor(torch.from_numpy(images))
    network = quantise(model, calibrate(model, x, 8), Arithmetic(6))
    evaluation = ExactModel(model, network)
    assert (evaluation.logits(images) == reference.logits(network, images)).all()
    assert set(evaluation.codes(images, ["stem/conv"])) == {"stem/conv"}


def test_a_rounding_that_nobody_knows_raises(model, images):
    """Also where the shared constants are those of a mode that there is."""
    x = image_tensor(torch.from_numpy(images))
    network = quantise(model, calibrate(model, x, 8), Arithmetic(weight_bits=6))
    exact_model = ExactModel(model, network)
    unknown = replace(network.arithmetic, rounding="half_even")
    exact_model.network = replace(network, arithmetic=unknown)
    for shift in (-1, 1):
        with pytest.raises(AssertionError, match="half_even"):
            exact_model._half_up(shift)


class Stored:
    """Weights of a network as its file has them, where a trained model has its own."""

    def __init__(self, network):
        self.network = network

    def shift_weights(self):
        bits = self.network.arithmetic.weight_bits
        return {name: StoredWeight(p.codes, bits) for name, p in self.network.params.items()}


class StoredWeight:
    def __init__(self, codes, bits):
        self.sign, self.power = decode(codes, bits)

    def to_int(self):
        return tuple(torch.from_numpy(t.astype(np.int64)) for t in (self.sign, self.power))


@settings(max_examples=80, deadline=None)
@given(networks())
def test_every_network_in_numbers_of_any_width(drawn):
    network, images = drawn
    assert_equal_everywhere(Stored(network), network, images)


@pytest.mark.parametrize(
    "genotype, sizes, numbers",
    [
        ("DARTS_V2", (2, 3, (6, 7, 3), 4), {"guard": 30, "seed": 7}),
        ("NASNet", (6, 3, (7, 9, 3), 6), {"weight_bits": 6, "scale_terms": 4, "seed": 28}),
    ],
)
def test_published_genotypes_in_32_bits(genotype, sizes, numbers):
    size = dict(zip(("channels", "cells", "image", "classes"), sizes, strict=True))
    network = random_network(build(genotypes.get(genotype), **size), act_bits=32, **numbers)
    images = np.random.default_rng(1).integers(0, 256, (1, *size["image"]), dtype=np.uint8)
    assert_equal_everywhere(Stored(network), network, images)


@pytest.mark.parametrize("shift", [-35, -3, 0, 3, 35])
def test_sums_of_more_than_63_bits(shift):
    """Inputs whose fractional bits lie 40 apart, brought to finer and coarser formats."""
    formats = {"input": IMAGE_FORMAT, "a": Format(True, 32, 40), "b": Format(True, 32, 0)}
    shape = (2, 3, 1)
    nodes = [Input(name="input", inputs=(), shape=shape)]
    nodes += [Conv(name=name, inputs=("input",), shape=shape) for name in "ab"]
    nodes += [Add(name="add", inputs=("a", "b"), shape=shape)]
    nodes += [Concat(name="concat", inputs=("add", "b", "a"), shape=(2, 3, 3))]
    one, exp = np.ones((1, 1), np.int8), np.zeros((1, 1), np.int16)
    codes = np.full((1, 1, 1, 1), 1, np.uint8)
    params = {
        "a": LayerParams(codes, one, exp - 14, (-3,)),
        "b": LayerParams(codes, one, exp + 26, (1,)),
    }
    formats |= {"add": Format(True, 32, 40 - shift), "concat": Format(True, 32, 40 - shift)}
    network = Network(Graph(tuple(nodes)), formats, params, Arithmetic())
    images = np.random.default_rng(2).integers(0, 256, (2, *shape), dtype=np.uint8)
    assert_equal_everywhere(Stored(network), network, images)


def test_means_at_the_half_are_rounded_by_the_constant():
    """R_6 of 18 bits is 89,478,485, a little below 2^29 / 6; float32 has 89,478,488, above it."""
    formats = {"input": IMAGE_FORMAT, "same": Format(True, 18, 8), "pool": Format(True, 18, 8)}
    nodes = (
        Input(name="input", inputs=(), shape=(6, 7, 3)),
        Concat(name="same", inputs=("input",), shape=(6, 7, 3)),
        AvgPool(name="pool", inputs=("same",), shape=(5, 5, 3), kernel=(2, 3), padding=(0, 0)),
    )
    network = Network(Graph(nodes), formats, {}, Arithmetic())
    images = np.random.default_rng(0).integers(0, 256, (2, 6, 7, 3), dtype=np.uint8)
    assert_equal_everywhere(Stored(network), network, images)


def test_a_sum_that_float64_does_not_hold_is_refused_by_name():
    """2,100,225 codes of 32 bits; the reference computes them all the same."""
    nodes = (
        Input(name="input", inputs=(), shape=(2049, 1025, 1)),
        Concat(name="wide", inputs=("input",), shape=(2049, 1025, 1)),
        GlobalPool(name="pool", inputs=("wide",), shape=(1, 1, 1)),
    )
    wide = Format(True, 32, 24)
    formats = {"input": IMAGE_FORMAT, "wide": wide, "pool": wide}
    network = Network(Graph(nodes), formats, {}, Arithmetic())
    with pytest.raises(InputError, match="pool: the sum of 2,100,225 values of 32 bits needs more"):
        ExactModel(Stored(network), network).codes(np.zeros((1, 2049, 1025, 1), np.uint8))


# --- activation functions and biases -------------------------------------------------------------

SIDE = (8, 8, 4)
RESIDUAL = Graph(
    (
        Input(name="input", inputs=(), shape=(8, 8, 1)),
        Conv(
            name="stem", inputs=("input",), shape=SIDE, batch_norm=False, bias=True, clip=Clip.RELU
        ),
        Conv(name="conv", inputs=("stem",), shape=SIDE, kernel=(3, 3), padding=(1, 1)),
        Add(name="sum", inputs=("stem", "conv", "conv", "conv"), shape=SIDE, clip=Clip.RELU6),
        AvgPool(name="mean", inputs=("sum",), shape=(4, 4, 4), stride=(2, 2)),
        Concat(name="concat", inputs=("mean", "mean"), shape=(4, 4, 8), clip=Clip.RELU6),
        GlobalPool(name="global_pool", inputs=("concat",), shape=(1, 1, 8)),
        Linear(name="classifier", inputs=("global_pool",), shape=(1, 1, 10)),
    )
)


@pytest.fixture(scope="module")
def residual() -> GraphModel:
    torch.manual_seed(1)
    model = trained_like(GraphModel(RESIDUAL))
    model.units["stem"].conv.bias.data.normal_(0, 0.1)
    return model


@pytest.mark.parametrize("numbers", [(8, None), (4, None), (32, 16)])
def test_clipped_tensors_and_biases(residual, images, numbers):
    width, frac = numbers
    x = image_tensor(torch.from_numpy(images))
    formats = calibrate(residual, x, width, frac)
    assert not any(formats[name].signed for name in ("stem", "sum", "mean", "concat"))
    assert formats["conv"].signed and formats["sum"].limit is not None
    network = quantise(residual, formats, Arithmetic())
    validate(network)
    assert any(network.params["stem"].bias)
    assert_equal_everywhere(residual, network, images)
    codes = reference.run(network, images, ["sum"])["sum"]
    assert (codes == formats["sum"].limit).any() and (codes == 0).any()


def test_the_float_model_clips_what_it_trains_on(residual, images):
    """Against torch's own functions."""
    with torch.no_grad():
        tensors = residual.tensors(image_tensor(torch.from_numpy(images)))
    total = tensors["stem"] + 3 * tensors["conv"]
    assert torch.allclose(tensors["sum"], torch.nn.functional.relu6(total), atol=1e-5)
    assert tensors["stem"].min() == 0 and tensors["conv"].min() < 0
