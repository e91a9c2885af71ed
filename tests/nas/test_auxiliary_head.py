"""The auxiliary head."""

import json

import pytest
import torch
from interrupted import InterruptedRun, interrupt_after
from torch.nn import functional

from hw.errors import InputError
from hw.networks import genotypes
from hw.networks.cells import build
from hw.networks.counts import count
from nas import auxiliary_head
from nas import train as training
from nas.auxiliary_head import AuxiliaryHead, TrainedNetwork
from nas.config import load_config
from nas.export import export
from nas.model import GraphModel, count_weights, image_tensor
from nas.shift import ShiftSettings
from nas.train import load_trained, train

GENOTYPE = genotypes.get("ShiftNAS_C10")


def network(image, stem="cifar", domain="shift", cells=3, auxiliary=True) -> TrainedNetwork:
    graph = build(GENOTYPE, channels=4, cells=cells, image=image, classes=6, stem=stem)
    return TrainedNetwork(GraphModel(graph, domain), stem, auxiliary)


def weights_of_head(channels: int, classes: int, stem: str) -> int:
    first = channels * 128 + 2 * 128
    second = 128 * 768 * 4 + (2 * 768 if stem == "cifar" else 0)
    return first + second + 768 * classes + classes


@pytest.mark.parametrize(
    ("stem", "image", "shape"),
    [("cifar", (32, 32, 3), (8, 8, 64)), ("imagenet", (224, 224, 3), (7, 7, 64))],
)
def test_the_published_sizes_leave_one_pixel(stem, image, shape):
    net = network(image, stem)
    assert net.network.graph[net.tap].shape == shape
    seen = []
    net.head.units["widen"].register_forward_hook(lambda *given: seen.append(given[2].shape))
    logits, auxiliary = net.train()(torch.rand(2, 3, *image[:2]))
    assert logits.shape == auxiliary.shape == (2, 6)
    assert seen == [(2, 768, 1, 1)]
    assert count_weights(net.head) == weights_of_head(64, 6, stem)


@pytest.mark.parametrize(("cells", "tap"), [(1, 0), (2, 1), (3, 2), (14, 9), (20, 13)])
def test_it_reads_the_second_reduction_cell(cells, tap):
    graph = network((32, 32, 3), cells=cells, auxiliary=False).network.graph
    assert auxiliary_head.tap(graph) == f"cell{tap}/concat"


def test_layers_in_order():
    head = AuxiliaryHead((8, 8, 5), 3, "cifar", "real", ShiftSettings()).eval()
    x = torch.randn(2, 5, 8, 8)
    reduce, widen, classifier = (head.units[n] for n in ("reduce", "widen", "classifier"))
    h = functional.avg_pool2d(x.clamp(min=0), 5, 3)
    h = functional.conv2d(h, reduce.conv.weight()) / (1 + 1e-5) ** 0.5
    h = functional.conv2d(h.clamp(min=0), widen.conv.weight()) / (1 + 1e-5) ** 0.5
    expected = h.clamp(min=0).flatten(1) @ classifier.linear.weight().T + classifier.linear.bias
    torch.testing.assert_close(head(x), expected)
    assert AuxiliaryHead((16, 11, 5), 3, "cifar", "real", ShiftSettings()).eval()(
        torch.randn(2, 5, 16, 11)
    ).shape == (2, 3)


def test_its_weights_are_of_the_networks_domain():
    kinds = {
        domain: {type(unit.conv.weight).__name__ for unit in (head.units["reduce"],)}
        for domain in ("shift", "real")
        if (head := network((32, 32, 3), domain=domain).head) is not None
    }
    assert kinds == {"shift": {"DeepShiftPS"}, "real": {"RealWeight"}}


@pytest.mark.parametrize(
    ("stem", "side", "least"), [("cifar", 7, 8), ("cifar", 2, 8), ("imagenet", 6, 7)]
)
def test_a_small_map_is_refused(stem, side, least):
    with pytest.raises(InputError, match=rf"map of {side}x{side}, .* {least}x{least} or more"):
        AuxiliaryHead((side, side, 4), 3, stem, "shift", ShiftSettings())


def test_gradients_reach_the_cells_before_it_and_no_later_one():
    net = network((32, 32, 3), cells=5, domain="real")  # cell 3 is the second reduction
    _, auxiliary = net.train()(image_tensor(torch.randint(0, 256, (4, 32, 32, 3))))
    auxiliary.sum().backward()
    reached = {
        name.split(".")[2].split("/")[0]
        for name, p in net.named_parameters()
        if name.startswith("network.units") and p.grad is not None and p.grad.abs().sum() > 0
    }
    assert reached == {"stem", "cell0", "cell1", "cell2", "cell3"}


TINY = ("train.auxiliary=0.4", "train.batch=64", "train.epochs=2", "train.cells=1")


def test_training_with_it(tmp_path, cifar10, monkeypatch):
    """It trains, survives a resumption, and is not in the network that is loaded or exported."""
    config = load_config("tiny", TINY)
    whole = train(GENOTYPE, str(cifar10), tmp_path / "whole", config)
    assert whole["auxiliary_weights"] == weights_of_head(4 * 2 * 2, 10, "cifar")
    with monkeypatch.context() as patch:
        interrupt_after(patch, training._Trainer, "_epoch", 1)
        with pytest.raises(InterruptedRun):
            train(GENOTYPE, str(cifar10), tmp_path / "parts", config)
    train(GENOTYPE, str(cifar10), tmp_path / "parts", config, resume=True)
    one, two = (
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)
        for name in ("whole", "parts")
    )
    for part in ("model", "auxiliary"):
        assert one[part] and all(torch.equal(v, two[part][k]) for k, v in one[part].items())

    model = load_trained(tmp_path / "whole")
    assert count_weights(model) == whole["weights"] == count(model.graph).weights
    exported = export(tmp_path / "whole")
    assert not any("auxiliary" in name or "head" in name for name in exported.graph.by_name)
    assert exported.meta["weights"] == whole["weights"]


def test_its_loss_is_added_with_its_weight(tmp_path, cifar10):
    """With the same weights and images the first step's loss grows by 0.4 of the head's."""
    losses = []
    for weight in (0.0, 0.4, 0.8):
        settings = (*TINY, f"train.auxiliary={weight}", "train.epochs=1", "train.batch=200")
        config = load_config("tiny", settings)
        train(GENOTYPE, str(cifar10), tmp_path / str(weight), config)
        losses.append(json.loads((tmp_path / str(weight) / "log.jsonl").read_text())["loss"])
    alone, once, twice = losses
    assert once - alone > 0.4  # about 0.4 ln 10
    assert twice - alone == pytest.approx(2 * (once - alone), rel=1e-5)


def test_a_run_with_too_small_a_map_leaves_nothing_behind(tmp_path):
    config = load_config("tiny", ("train.auxiliary=0.4",))
    with pytest.raises(InputError, match=r"train\.auxiliary: .* 2x2, .* needs 8x8"):
        train(GENOTYPE, "digits", tmp_path / "digits", config)
    assert not (tmp_path / "digits").exists()
