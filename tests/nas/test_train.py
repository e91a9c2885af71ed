"""Training runs."""

import json
import math

import numpy as np
import pytest
import torch
from interrupted import InterruptedRun, interrupt_after, tensors_of, without_times

from hw.data import load
from hw.errors import InputError
from hw.ir.format import Format
from hw.ir.paper import PAPER_FORMAT
from hw.ir.parameters import Rounding
from hw.networks import genotypes
from hw.networks.counts import count
from hw.networks.inside import Inside
from nas import train as training
from nas.config import load_config
from nas.data_record import DataRecord
from nas.export import export
from nas.model import count_weights, image_tensor
from nas.task import Task
from nas.train import load_trained, make_model, train

GENOTYPE = genotypes.get("ShiftNAS_C10")
SHORT = ("train.images=256", "train.epochs=1")
SMALL = (
    "train.images=256",
    "train.epochs=2",
    "train.drop_path=0.1",
    "train.flip=true",
    "train.quantise_epochs=2",
)


def read_log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


EVERYTHING = (
    *SMALL,
    "train.epochs=4",
    "train.images=128",
    "train.crop=1",
    "train.cutout=3",
    "train.jitter=0.2",
    "train.label_smoothing=0.1",
    "train.warmup_epochs=1",
    "train.drop_path=0.2",
)


@pytest.mark.parametrize(
    ("epochs", "settings"),
    [
        (1, ("shift.layer=ps",)),
        (3, ("shift.layer=ps", "train.optimiser=sgd")),
        (1, ("shift.layer=q", "train.optimiser=sgd", "train.momentum=0.5")),
        (2, ("shift.layer=q",)),
        (1, ("shift.layer=inq", "train.optimiser=sgd")),
        (3, ("shift.layer=inq",)),
        (2, ("train.lr_steps=[0.5]",)),
    ],
)
def test_a_run_cut_short_ends_as_one_in_a_piece(tmp_path, monkeypatch, epochs, settings):
    """Every tensor of the last checkpoint, random generators and optimiser included."""
    config = load_config("tiny", (*EVERYTHING, *settings))
    whole = train(GENOTYPE, "digits", tmp_path / "whole", config)
    with monkeypatch.context() as patch:
        interrupt_after(patch, training._Trainer, "_epoch", epochs)
        with pytest.raises(InterruptedRun):
            train(GENOTYPE, "digits", tmp_path / "parts", config)
    assert len(read_log(tmp_path / "parts")) == epochs
    # What is left of the random generator must not matter.
    torch.rand(1)
    metrics = train(GENOTYPE, "digits", tmp_path / "parts", config, resume=True)
    states = [
        tensors_of(torch.load(tmp_path / name / "checkpoint.pt", weights_only=True))
        for name in ("whole", "parts")
    ]
    assert states[0].keys() == states[1].keys()
    assert {name.split("/")[1] for name in states[0]} == {"model", "optimiser", "random"}
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name
    assert metrics["accuracy"] == whole["accuracy"]
    assert without_times(read_log(tmp_path / "parts")) == without_times(
        read_log(tmp_path / "whole")
    )


def test_resuming_a_finished_run_changes_nothing(tmp_path):
    config = load_config("tiny", (*SMALL, "train.epochs=1"))
    first = train(GENOTYPE, "digits", tmp_path / "run", config)
    assert train(GENOTYPE, "digits", tmp_path / "run", config, resume=True) == first


LEARNS = ("train.epochs=4", "train.lr=0.05", "train.batch=32", "train.channels=4")


@pytest.mark.parametrize("layer", ["q", "inq"])
def test_other_layers_learn_and_are_exported(tmp_path, layer):
    config = load_config("tiny", (*LEARNS, "train.lr=0.02", f"shift.layer={layer}"))
    metrics = train(GENOTYPE, "digits", tmp_path / "run", config)
    assert metrics["accuracy"] > 0.5
    meta = export(tmp_path / "run").meta
    assert meta["accuracy_float"] == metrics["accuracy"]
    assert abs(meta["accuracy_float"] - meta["accuracy_integer"]) < 0.03


def test_inq_is_exported_when_all_is_frozen_and_not_before(tmp_path, monkeypatch):
    config = load_config("tiny", (*SMALL, "train.epochs=3", "shift.layer=inq"))
    with monkeypatch.context() as patch:
        interrupt_after(patch, training._Trainer, "_epoch", 2)
        with pytest.raises(InterruptedRun):
            train(GENOTYPE, "digits", tmp_path / "run", config)
    with pytest.raises(InputError, match=r"stem/conv: shift.layer: inq: 24.1 % of the w"):
        export(tmp_path / "run")
    train(GENOTYPE, "digits", tmp_path / "run", config, resume=True)
    assert export(tmp_path / "run").meta["accuracy_integer"] > 0


def test_the_papers_activations_from_the_first_epoch(tmp_path):
    config = load_config("tiny", (*SHORT, "train.activations=16.16"))
    train(GENOTYPE, "digits", tmp_path / "run", config)
    data = DataRecord("digits", image=(8, 8, 1), classes=10)
    model = make_model(Task("train", data, config, GENOTYPE))
    assert model.rounding is Rounding.FLOOR and model.formats
    assert all(str(target) == "s32.16" for target in model.formats.values())
    state = torch.load(tmp_path / "run/checkpoint.pt", weights_only=True)
    assert Format(*state["formats"]["stem/conv"]) == PAPER_FORMAT
    train(GENOTYPE, "digits", tmp_path / "off", load_config("tiny", SHORT))
    # A last bit of 2**-16 changes the numbers and little else.
    losses = [
        json.loads((tmp_path / name / "log.jsonl").read_text().splitlines()[0])["loss"]
        for name in ("run", "off")
    ]
    assert losses[0] != losses[1] and abs(losses[0] - losses[1]) < 0.05


@pytest.mark.parametrize("domain", ["shift", "real"])
def test_what_is_kept_of_the_inside(tmp_path, domain):
    """Beside the trained network itself, image by image."""
    config = load_config("tiny", SHORT)
    metrics = train(GENOTYPE, "digits", tmp_path / "run", config, domain=domain)
    kept = Inside.from_mapping(json.loads((tmp_path / "run/inside.json").read_text()))
    model, test = load_trained(tmp_path / "run"), load("digits", "test")
    found = [
        int(model(image_tensor(torch.from_numpy(image[None]))).argmax()) for image in test.images
    ]
    wanted = np.zeros((10, 10), int)
    for label, cls in zip(test.labels, found, strict=True):
        wanted[label, cls] += 1
    assert np.array_equal(kept.confusion, wanted)
    assert np.trace(wanted) / len(test) == pytest.approx(metrics["accuracy"])
    weights = {name: weight() for name, weight in model.shift_weights().items()}
    assert kept.exponents.keys() == weights.keys()
    for name, weight in weights.items():
        layer = kept.exponents[name]
        assert layer.zeros == int((weight == 0).sum())
        for p, (negative, positive) in layer.powers.items():
            assert (negative, positive) == tuple(
                int((weight == sign * 2.0**p).sum()) for sign in (-1, 1)
            )


def test_sgd_trains(tmp_path):
    settings = ("train.epochs=2", "train.optimiser=sgd", "train.momentum=0.8", "train.lr=0.1")
    config = load_config("tiny", (*LEARNS, *settings))
    assert train(GENOTYPE, "digits", tmp_path / "run", config)["accuracy"] > 0.3
    state = torch.load(tmp_path / "run/checkpoint.pt", weights_only=True)["optimiser"]
    assert state["param_groups"][0]["momentum"] == 0.8


@pytest.mark.parametrize("domain", ["shift", "real"])
def test_training_learns(tmp_path, domain):
    config = load_config("tiny", LEARNS)
    metrics = train(GENOTYPE, "digits", tmp_path / "run", config, domain=domain)
    assert metrics["accuracy"] > 0.5
    assert metrics["domain"] == domain and metrics["images"] == 359
    model = load_trained(tmp_path / "run")
    assert bool(model.shift_weights()) == (domain == "shift")


def test_seed_decides(tmp_path):
    losses = []
    for number, seed in enumerate((1, 1, 2)):
        config = load_config("tiny", (*SMALL, "train.epochs=1", f"seed={seed}"))
        train(GENOTYPE, "digits", tmp_path / str(number), config)
        losses.append(json.loads((tmp_path / str(number) / "log.jsonl").read_text())["loss"])
    assert losses[0] == losses[1] != losses[2]


def learning_rates(folder, config) -> list[float]:
    """Of each step of a training."""
    rates = []
    with pytest.MonkeyPatch.context() as patch:
        original = training.ShiftOptimiser.set_lr
        patch.setattr(
            training.ShiftOptimiser,
            "set_lr",
            lambda self, lr: (rates.append(lr), original(self, lr)),
        )
        train(GENOTYPE, "digits", folder, config)
    return rates


def test_learning_rate_warms_up_and_falls_on_a_cosine(tmp_path):
    """By value: four steps an epoch; two of the six epochs are the warm-up."""
    settings = ("train.epochs=6", "train.warmup_epochs=2", "train.batch=16", "train.lr=0.04")
    config = load_config("tiny", (*settings, "train.images=64"))
    rates = learning_rates(tmp_path / "run", config)
    assert len(rates) == 24
    assert rates[:8] == pytest.approx([0.04 * k / 8 for k in range(1, 9)])
    assert rates[8] == pytest.approx(0.04)
    assert rates[12] == pytest.approx(0.02 * (1 + math.cos(math.pi / 4)))
    assert rates[16] == pytest.approx(0.02)
    assert 0 < rates[-1] < 0.001 and rates[8:] == sorted(rates[8:], reverse=True)
    log = read_log(tmp_path / "run")
    assert [entry["lr"] for entry in log] == rates[::4]


def test_learning_rate_falls_in_steps(tmp_path):
    """By value: two steps an epoch, a warm-up of one epoch, a tenth from the fourth of six on."""
    settings = ("train.epochs=6", "train.warmup_epochs=1", "train.lr_steps=[0.5]", "train.lr=0.04")
    config = load_config("tiny", (*settings, "train.batch=32", "train.images=64"))
    rates = learning_rates(tmp_path / "run", config)
    assert rates == pytest.approx([0.02, *[0.04] * 5, *[0.004] * 6])


def test_drop_path_rises_linearly_over_the_epochs(tmp_path):
    rates = []
    original = training._Trainer._epoch

    def watching(self, *arguments):
        result = original(self, *arguments)
        rates.append(self.model.drop_path)
        return result

    settings = ("train.epochs=5", "train.drop_path=0.2", "train.images=64")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training._Trainer, "_epoch", watching)
        train(GENOTYPE, "digits", tmp_path / "run", load_config("tiny", settings))
    assert rates == pytest.approx([0, 0.05, 0.1, 0.15, 0.2])


def test_label_smoothing_spreads_the_target_over_all_classes(tmp_path):
    config = load_config("tiny", ("train.label_smoothing=0.1", "train.epochs=1"))
    losses = []
    original = training._Trainer._loss

    def watching(self, logits, labels):
        loss = original(self, logits, labels)
        share = torch.full_like(logits, 0.1 / 10).scatter_(1, labels[:, None], 0.9 + 0.1 / 10)
        expected = -(share * logits.log_softmax(1)).sum(1).mean()
        losses.append((loss.item(), expected.item()))
        return loss

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training._Trainer, "_loss", watching)
        train(GENOTYPE, "digits", tmp_path / "run", config)
    assert losses and all(a == pytest.approx(b, rel=1e-5) for a, b in losses)


def test_top5_is_logged(tmp_path):
    metrics = train(
        GENOTYPE, "digits", tmp_path / "run", load_config("tiny", (*SMALL, "train.epochs=1"))
    )
    (entry,) = read_log(tmp_path / "run")
    assert entry["accuracy"] <= entry["top5_accuracy"] <= 1
    assert 1 >= metrics["top5_accuracy"] >= metrics["accuracy"]


@pytest.mark.parametrize(
    ("preset", "data", "message"),
    [
        ("cifar100", "cifar10", "classes 10, but the configuration is for 100"),
        ("cifar10", "digits", "image 8x8x1, but the configuration is for 32x32x3"),
        ("imagenet-mobile", "digits", "image 8x8x1, but the configuration is for 224x224x3"),
    ],
)
def test_data_that_does_not_match_the_preset(tmp_path, cifar10, preset, data, message):
    data = str(cifar10) if data == "cifar10" else data
    with pytest.raises(InputError, match=message) as caught:
        train(GENOTYPE, data, tmp_path / "run", load_config(preset))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("preset", ["cifar10", "cifar100"])
def test_the_presets_train_on_batches_in_the_published_layout(tmp_path, request, preset):
    """Crop, flip and cutout as the preset has them; the network and the epochs are small."""
    data = request.getfixturevalue(preset)
    small = ("train.channels=2", "train.cells=2", "train.epochs=2", "train.batch=64")
    config = load_config(preset, small)
    train(GENOTYPE, str(data), tmp_path / "run", config)
    assert all(math.isfinite(entry["loss"]) for entry in read_log(tmp_path / "run"))
    model = load_trained(tmp_path / "run")
    assert model.graph.output.shape == (1, 1, config.expect.classes)


@pytest.mark.parametrize(
    ("preset", "genotype", "classes", "channels", "weights", "additions"),
    [
        # These weights were counted in the lineage's own code.
        ("cifar10", "ShiftNAS_C10", 10, None, 3_661_030, 565_858_954),
        ("cifar10", "ShiftNAS_C100", 10, None, 3_882_862, 601_690_762),
        ("imagenet-mobile", "ShiftNAS_C10", 1000, 48, 5_238_784, 574_591_144),
        ("imagenet-mobile", "ShiftNAS_C100", 1000, 48, 5_492_224, 605_167_144),
        # 90 classes more, of 576 weights and a bias.
        ("cifar100", "ShiftNAS_C100", 100, None, 3_882_862 + 90 * 577, 601_690_762 + 90 * 577),
        ("imagenet-mobile", "ShiftNAS_C10", 1000, None, 4_851_217, 529_444_256),
    ],
)
def test_the_presets_networks_have_the_published_counts(
    preset, genotype, classes, channels, weights, additions
):
    config = load_config(preset, () if channels is None else (f"train.channels={channels}",))
    image = (224, 224, 3) if preset == "imagenet-mobile" else (32, 32, 3)
    data = DataRecord("", image=image, classes=classes)
    model = make_model(Task("train", data, config, genotypes.get(genotype)))
    size = count(model.graph)
    assert size.weights == count_weights(model) == weights
    assert size.additions == additions


def test_no_network_to_load(tmp_path):
    with pytest.raises(InputError, match="not a run"):
        load_trained(tmp_path)


def test_checkpoint_of_another_network(tmp_path):
    config = load_config("tiny", (*SMALL, "train.epochs=1"))
    train(GENOTYPE, "digits", tmp_path / "run", config)
    config_file = tmp_path / "run/config.yaml"
    config_file.write_text(config_file.read_text().replace("channels: 2", "channels: 3"))
    with pytest.raises(InputError, match="do not belong together"):
        load_trained(tmp_path / "run")
