"""Mixed precision: what stays in float32, and how near the loss is."""

import json

import pytest
import torch
from torch.nn import functional

from hw.ir.format import Format
from hw.networks import genotypes
from hw.networks.cells import build
from nas.config import load_config
from nas.fake_quantise import fake_quantise
from nas.model import GraphModel, image_tensor
from nas.norm import BatchNorm2d
from nas.precision import autocast
from nas.search import search
from nas.train import train

CPU = torch.device("cpu")


def model() -> GraphModel:
    torch.manual_seed(3)
    graph = build(genotypes.get("ShiftNAS_C10"), channels=4, cells=3, image=(16, 16, 3), classes=10)
    return GraphModel(graph).train()


def test_float32_changes_nothing():
    x = torch.randn(2, 3)
    with autocast(CPU, "float32"):
        assert (x @ x.T).dtype == torch.float32
    with autocast(CPU, "bfloat16"):
        assert (x @ x.T).dtype == torch.bfloat16


def test_quantised_weights_are_computed_in_float32_and_fit_bfloat16():
    weight = next(iter(model().shift_weights().values()))
    outside = weight()
    with autocast(CPU, "bfloat16"):
        inside = weight()
    assert inside.dtype == torch.float32
    assert torch.equal(inside, outside)
    assert torch.equal(inside.bfloat16().float(), inside)


def test_fake_quantisation_widens_its_argument():
    # 200.25 -> 801 quarters needs ten bits; computed in bfloat16 it would be another number.
    target = Format(True, 12, 2)
    x = torch.tensor([1.0, -0.375, 127.5], requires_grad=True)
    with autocast(CPU, "bfloat16"):
        narrow = x.bfloat16()
        got = fake_quantise(narrow, target)
    assert got.dtype == torch.float32
    assert torch.equal(got, fake_quantise(narrow.detach().float(), target))
    got.sum().backward()
    assert x.grad.tolist() == [1, 1, 1]
    # Half a step above an odd number of steps: the sum with 1/2 is exact in float32 alone.
    halves = torch.tensor([100.5]).bfloat16()
    assert fake_quantise(halves, Format(True, 9, 0)).item() == 101
    assert fake_quantise(torch.tensor([191.0]).bfloat16(), Format(True, 9, 0)).item() == 191


def test_quick_batch_norm_leaves_narrow_tensors_to_the_library():
    norm = BatchNorm2d(4).train()
    x = torch.randn(8, 4, 3, 3).to(memory_format=torch.channels_last)
    with autocast(CPU, "bfloat16"):
        got = norm(x.bfloat16())
    expected = functional.batch_norm(x, None, None, training=True)
    torch.testing.assert_close(got.float(), expected, rtol=0.03, atol=0.03)
    assert norm.running_mean is not None and norm.running_mean.dtype == torch.float32


def test_loss_and_gradients_are_near_those_of_float32():
    x = image_tensor(torch.randint(0, 256, (64, 16, 16, 3), dtype=torch.uint8))
    labels = torch.randint(0, 10, (64,))
    results = []
    for precision in ("float32", "bfloat16"):
        net = model()
        net.formats = {"cell0/node2": Format(True, 8, 4)}
        with autocast(CPU, precision):
            tensors = net.tensors(x)
        assert tensors["cell0/node2"].dtype == torch.float32
        loss = functional.cross_entropy(tensors["classifier"].float(), labels)
        loss.backward()
        gradient = net.shift_weights()["classifier"].sign.grad
        assert gradient is not None and gradient.dtype == torch.float32
        results.append((loss.item(), gradient))
    (wide, wide_gradient), (narrow, narrow_gradient) = results
    assert 0 < abs(narrow - wide) < 0.03 * wide
    cosine = functional.cosine_similarity(wide_gradient.flatten(), narrow_gradient.flatten(), dim=0)
    assert cosine > 0.97


def test_a_search_in_bfloat16(tmp_path):
    settings = ("precision=bfloat16", "search.images=32", "search.batch=16", "search.cells=1")
    search("digits", tmp_path / "run", load_config("tiny", settings))
    assert (tmp_path / "run/genotype.yaml").exists()


def test_a_training_in_bfloat16_is_near_that_in_float32(tmp_path):
    losses = []
    for precision in ("float32", "bfloat16"):
        settings = (f"precision={precision}", "train.epochs=1", "train.images=256")
        config = load_config("tiny", (*settings, "train.quantise_epochs=1"))
        train(genotypes.get("ShiftNAS_C10"), "digits", tmp_path / precision, config)
        losses.append(json.loads((tmp_path / precision / "log.jsonl").read_text())["loss"])
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
