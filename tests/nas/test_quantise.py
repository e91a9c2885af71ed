"""From a trained model to integer parameters."""

import numpy as np
import pytest
import torch
from exact_model import ExactModel

from hw import data
from hw.errors import InputError
from hw.ir.format import IMAGE_FORMAT, Format
from hw.ir.graph import Add, AvgPool, Concat, Conv, GlobalPool, MaxPool
from hw.ir.network import Network
from hw.ir.parameters import Arithmetic
from hw.ir.validate import validate
from hw.ir.weights import decode
from hw.networks import genotypes
from hw.networks.cells import build
from nas.model import GraphModel, image_tensor
from nas.norm import BatchNorm2d
from nas.quantise import calibrate, quantise
from nas.shift import ShiftSettings

SIZES = {"channels": 3, "cells": 3, "image": (8, 8, 1), "classes": 10}


def with_statistics(settings: ShiftSettings) -> GraphModel:
    torch.manual_seed(0)
    model = GraphModel(build(genotypes.get("DARTS_V1"), **SIZES), settings=settings).train()
    for norm in model.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.momentum = 1.0
    model(image_tensor(torch.from_numpy(data.load("digits").images[:256])))
    return model.eval()


@pytest.fixture(scope="module")
def model() -> GraphModel:
    return with_statistics(ShiftSettings())


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


def distances(model: GraphModel, network: Network) -> dict[str, float]:
    """Largest distance between each tensor's integers and the float model's, in deviations."""
    images = data.load("digits", "test").images[:50]
    with torch.no_grad():
        tensors = model.tensors(image_tensor(torch.from_numpy(images)))
    codes = ExactModel(model, network).codes(images)
    found = {}
    for node in network.graph:
        if node.name == "classifier":
            continue
        real = tensors[node.name].permute(0, 2, 3, 1).numpy()
        ours = codes[node.name] * 2.0 ** -network.formats[node.name].frac
        found[node.name] = float(np.abs(ours - real).max() / max(float(real.std()), 1e-6))
    return found


def test_integers_stay_close_to_the_float_model(model, x):
    """At 16 bits, what is left is rounding: far below what a wrong fold would leave."""
    network = quantise(model, calibrate(model, x, 16), Arithmetic(scale_terms=4))
    for name, distance in distances(model, network).items():
        assert distance < 0.15, name


@pytest.mark.parametrize("terms", [1, 2])
def test_nothing_is_lost_to_the_terms_that_a_network_was_trained_with(model, terms):
    """With them the float model computes the export's factors; without, export changes it."""
    x = image_tensor(torch.from_numpy(data.load("digits", "test").images[:50]))
    farthest = []
    for m in (with_statistics(ShiftSettings(scale_terms=terms)), model):
        # The images that are compared, and 20 bits, so that nothing saturates.
        network = quantise(m, calibrate(m, x, 20), Arithmetic(scale_terms=terms))
        farthest.append(max(distances(m, network).values()))
        for name, params in network.params.items():
            norm = getattr(m.units[name], "norm", None)
            if m is not model and isinstance(norm, BatchNorm2d):
                exported = (params.scale_sign * np.exp2(params.scale_exp.astype(float))).sum(1)
                assert np.array_equal(exported, norm.factor().detach().numpy()), name
    assert farthest[0] < 0.001 and farthest[1] > 0.5, farthest


def test_real_weights_are_refused(x):
    model = GraphModel(build(genotypes.get("DARTS_V1"), **SIZES), "real").eval()
    with pytest.raises(InputError, match="stem/conv: has real weights"):
        quantise(model, calibrate(model, x, 8), Arithmetic())
