"""From a trained model to integer parameters."""

import numpy as np
import pytest
import torch

from hw import data, genotypes
from hw.errors import InputError
from hw.ir.format import IMAGE_FORMAT, Format
from hw.ir.graph import Add, AvgPool, Concat, Conv, GlobalPool, MaxPool
from hw.ir.network import Arithmetic
from hw.ir.validate import validate
from hw.ir.weights import decode
from hw.space import build
from nas.model import GraphModel, image_tensor
from nas.quantise import calibrate, quantise

SIZES = {"channels": 3, "cells": 3, "image": (8, 8, 1), "classes": 10}


@pytest.fixture(scope="module")
def model() -> GraphModel:
    torch.manual_seed(0)
    model = GraphModel(build(genotypes.get("DARTS_V1"), **SIZES)).train()
    for norm in model.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.momentum = 1.0
    model(image_tensor(torch.from_numpy(data.load("digits").images[:256])))
    return model.eval()


@pytest.fixture(scope="module")
def x() -> torch.Tensor:
    return image_tensor(torch.from_numpy(data.load("digits").images[:128]))


def test_formats_minimise_the_squared_error(model, x):
    formats = calibrate(model, x, 8)
    tensors = model.tensors(x)
    for node in model.live:
        if not isinstance(node, Conv | Add | Concat):
            continue
        values = tensors[node.name].detach().double().numpy()

        def error(frac, values=values):
            q = np.clip(np.floor(values * 2.0**frac + 0.5), -128, 127)
            return ((q * 2.0**-frac - values) ** 2).sum()

        frac = formats[node.name].frac
        errors = {f: error(f) for f in range(frac - 6, frac + 7)}
        assert errors[frac] == min(errors.values()), node.name


def test_pools_keep_the_format_and_the_image_has_its_own(model, x):
    formats = calibrate(model, x, 8)
    assert formats["input"] == IMAGE_FORMAT
    pools = [n for n in model.live if isinstance(n, MaxPool | AvgPool | GlobalPool)]
    assert len(pools) > 1
    assert all(formats[n.name] == formats[n.inputs[0]] for n in pools)
    assert "classifier" not in formats


def test_a_fixed_fraction_is_obeyed(model, x):
    formats = calibrate(model, x, 32, frac=16)
    assert formats["stem/conv"] == Format(True, 32, 16)


def test_codes_are_the_trained_weights(model, x):
    network = quantise(model, calibrate(model, x, 8), Arithmetic())
    validate(network)
    for name, weight in model.shift_weights().items():
        if name in network.params:
            sign, power = decode(network.params[name].codes, 5)
            w = sign * 2.0 ** power.astype(float)
            assert np.array_equal(w, weight().detach().numpy().astype(float)), name


def test_integers_stay_close_to_the_float_model(model, x):
    """At 16 bits, what is left is rounding: far below what a wrong fold would leave."""
    from nas.exact import ExactModel

    network = quantise(model, calibrate(model, x, 16), Arithmetic(scale_terms=4))
    images = data.load("digits", "test").images[:50]
    tensors = model.tensors(image_tensor(torch.from_numpy(images)))
    codes = ExactModel(model, network).codes(images)
    for node in network.graph:
        if node.name == "classifier":
            continue
        real = tensors[node.name].detach().permute(0, 2, 3, 1).numpy()
        ours = codes[node.name] * 2.0 ** -network.formats[node.name].frac
        spread = max(float(real.std()), 1e-6)
        assert np.abs(ours - real).max() < 0.15 * spread, node.name


def test_real_weights_are_refused(x):
    model = GraphModel(build(genotypes.get("DARTS_V1"), **SIZES), "real").eval()
    with pytest.raises(InputError, match="stem/conv: has real weights"):
        quantise(model, calibrate(model, x, 8), Arithmetic())
