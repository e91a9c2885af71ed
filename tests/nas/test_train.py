"""Training runs."""

import json

import pytest
import torch

from hw import genotypes
from hw.errors import InputError
from nas import train as training
from nas.config import load_config
from nas.train import load_trained, train

GENOTYPE = genotypes.get("ShiftNAS_C10")
SMALL = (
    "train.images=256",
    "train.epochs=2",
    "train.drop_path=0.1",
    "train.flip=true",
    "train.quantise_epochs=2",
)


class InterruptedRun(Exception):
    """Stands for Ctrl-C in the middle of a run."""


def interrupt_after(monkeypatch, owner, name: str, calls: int) -> None:
    original, seen = getattr(owner, name), []

    def wrapper(*arguments, **keywords):
        if len(seen) == calls:
            raise InterruptedRun
        seen.append(None)
        return original(*arguments, **keywords)

    monkeypatch.setattr(owner, name, wrapper)


def test_a_run_cut_short_ends_as_one_in_a_piece(tmp_path, monkeypatch):
    config = load_config("tiny", SMALL)
    train(GENOTYPE, "digits", tmp_path / "whole", config)
    with monkeypatch.context() as patch:
        interrupt_after(patch, training._Trainer, "_epoch", 1)
        with pytest.raises(InterruptedRun):
            train(GENOTYPE, "digits", tmp_path / "parts", config)
    metrics = train(GENOTYPE, "digits", tmp_path / "parts", config, resume=True)
    states = [
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)["model"]
        for name in ("whole", "parts")
    ]
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name
    assert (
        metrics["accuracy"] == json.loads((tmp_path / "whole/metrics.json").read_text())["accuracy"]
    )
    log = [json.loads(line) for line in (tmp_path / "parts/log.jsonl").read_text().splitlines()]
    assert [entry["epoch"] for entry in log] == [1, 2]
    assert all(entry["stage"] == "train" and entry["epochs"] == 2 for entry in log)


def test_resuming_a_finished_run_changes_nothing(tmp_path):
    config = load_config("tiny", (*SMALL, "train.epochs=1"))
    first = train(GENOTYPE, "digits", tmp_path / "run", config)
    assert train(GENOTYPE, "digits", tmp_path / "run", config, resume=True) == first


@pytest.mark.parametrize("domain", ["shift", "real"])
def test_training_learns(tmp_path, domain):
    settings = ("train.epochs=4", "train.lr=0.05", "train.batch=32", "train.channels=4")
    config = load_config("tiny", settings)
    metrics = train(GENOTYPE, "digits", tmp_path / "run", config, domain=domain)
    assert metrics["accuracy"] > 0.5
    assert metrics["domain"] == domain and metrics["images"] == 359
    model = load_trained(tmp_path / "run", (8, 8, 1), 10)
    assert bool(model.shift_weights()) == (domain == "shift")


def test_seed_decides(tmp_path):
    losses = []
    for number, seed in enumerate((1, 1, 2)):
        config = load_config("tiny", (*SMALL, "train.epochs=1", f"seed={seed}"))
        train(GENOTYPE, "digits", tmp_path / str(number), config)
        losses.append(json.loads((tmp_path / str(number) / "log.jsonl").read_text())["loss"])
    assert losses[0] == losses[1] != losses[2]


def test_no_network_to_load(tmp_path):
    with pytest.raises(InputError, match="not a run"):
        load_trained(tmp_path, (8, 8, 1), 10)


def test_checkpoint_of_another_network(tmp_path):
    config = load_config("tiny", (*SMALL, "train.epochs=1"))
    train(GENOTYPE, "digits", tmp_path / "run", config)
    with pytest.raises(InputError, match="do not belong together"):
        load_trained(tmp_path / "run", (8, 8, 1), 7)
