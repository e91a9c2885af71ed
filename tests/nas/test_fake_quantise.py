"""Fake quantisation of activations."""

import pytest
import torch

from hw import data
from hw.ir.format import Format
from hw.ir.graph import AvgPool, Conv, GlobalPool, MaxPool
from hw.ir.paper import PAPER_FORMAT
from hw.ir.parameters import Rounding
from hw.networks import genotypes
from hw.networks.cells import build
from nas.fake_quantise import fake_quantise, paper_formats
from nas.model import GraphModel, image_tensor
from nas.quantise import calibrate


def test_values_are_rounded_half_up_and_saturate():
    x = torch.tensor([-9.0, -0.375, -0.25, 0.125, 0.374, 0.375, 9.0])
    q = fake_quantise(x, Format(True, 4, 2))
    assert q.tolist() == [-2.0, -0.25, -0.25, 0.25, 0.25, 0.5, 1.75]


def test_values_are_rounded_to_the_floor_on_demand():
    x = torch.tensor([-9.0, -0.375, -0.2, 0.24, 0.25, 9.0])
    q = fake_quantise(x, Format(True, 4, 2), Rounding.FLOOR)
    assert q.tolist() == [-2.0, -0.5, -0.25, 0.0, 0.25, 1.75]


def test_paper_format_in_float32():
    """Exact below 2**8; above it a float32 is coarser than the format and stays as it is."""
    x = torch.tensor([1 + 2.0**-17, -(2.0**-20), 255 + 3 * 2.0**-16, 256 + 2.0**-15, 2.0**40])
    q = fake_quantise(x, PAPER_FORMAT, Rounding.FLOOR).double()
    assert q.tolist() == [1.0, -(2.0**-16), 255 + 3 * 2.0**-16, 256 + 2.0**-15, 2.0**15]
    narrow = torch.tensor([1.5, 0.2], dtype=torch.bfloat16)
    assert fake_quantise(narrow, PAPER_FORMAT, Rounding.FLOOR).dtype == torch.float32


def test_gradient_passes_where_nothing_saturates():
    x = torch.tensor([-9.0, -0.3, 0.0, 1.7, 9.0], requires_grad=True)
    fake_quantise(x, Format(True, 4, 2)).backward(torch.arange(1.0, 6.0))
    assert x.grad.tolist() == [0.0, 2.0, 3.0, 4.0, 0.0]


@pytest.fixture
def model() -> GraphModel:
    torch.manual_seed(0)
    graph = build(genotypes.get("ShiftNAS_C10"), channels=2, cells=3, image=(8, 8, 1), classes=10)
    return GraphModel(graph)


def test_every_tensor_of_a_training_model_has_its_format(model):
    x = image_tensor(torch.from_numpy(data.load("digits").images[:64]))
    model.formats = calibrate(model, x, 5)
    tensors = model.train().tensors(x)
    for node in model.live:
        if node.name == "classifier":
            continue
        target = model.formats[node.name]
        codes = tensors[node.name] * 2.0**target.frac
        assert torch.equal(codes, codes.round()), node.name
        assert codes.min() >= target.qmin and codes.max() <= target.qmax, node.name
    assert any(isinstance(node, MaxPool) for node in model.live)
    loss = tensors["classifier"].square().sum()
    loss.backward()
    assert model.units["stem/conv"].conv.weight.sign.grad.any()


def test_paper_mode_floors_every_tensor_to_16_fractional_bits(model):
    model.formats, model.rounding = paper_formats(model.live), Rounding.FLOOR
    x = image_tensor(torch.from_numpy(data.load("digits").images[:64]))
    tensors = model.train().tensors(x)
    for node in model.live:
        if node.name != "classifier":
            codes = tensors[node.name].double() * 2.0**16
            assert torch.equal(codes, codes.round()), node.name
    kinds = set()
    for node in model.live:
        if isinstance(node, Conv) and not node.batch_norm:
            source = tensors.rectified(node.inputs[0])
            plain, half = model.units[node.name](source), 0.0
        elif isinstance(node, GlobalPool):
            plain, half = tensors[node.inputs[0]].mean((2, 3), keepdim=True), 0.5
        elif isinstance(node, AvgPool):
            plain, half = model.units[node.name](tensors[node.inputs[0]]), 0.5
        else:
            continue
        kinds.add(type(node))
        expected = torch.floor(plain * 2.0**16 + half) * 2.0**-16
        assert torch.equal(tensors[node.name], expected), node.name
    assert len(kinds) > 1


def test_evaluation_is_of_the_float_model(model):
    x = image_tensor(torch.from_numpy(data.load("digits").images[:64]))
    plain = model.eval()(x)
    model.formats = calibrate(model, x, 4)
    assert torch.equal(model.eval()(x), plain)


def test_a_rounding_that_nobody_knows_raises():
    with pytest.raises(AssertionError, match="half_even"):
        fake_quantise(torch.ones(1), Format(True, 4, 2), "half_even")
