"""TensorBoard's event files."""

import pytest
from interrupted import InterruptedRun, interrupt_after

from hw.errors import InputError
from hw.networks import genotypes
from nas import events
from nas import train as training
from nas.config import load_config
from nas.train import train

GENOTYPE = genotypes.get("GDAS_V1")
CONFIG = load_config("tiny", ("train.images=64", "train.epochs=3"))


def scalars(run):
    """Steps and values of each tag, in the order written."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util.tensor_util import make_ndarray

    found = {}
    for path in sorted((run / "tensorboard").iterdir()):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                number = float(make_ndarray(value.tensor))
                found.setdefault(value.tag, []).append((event.step, number))
    return found


def test_a_resumed_run_has_every_step_once(tmp_path, monkeypatch):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        interrupt_after(patch, training._Trainer, "_epoch", 2)
        with pytest.raises(InterruptedRun):
            train(GENOTYPE, "digits", out, CONFIG, tensorboard=True)
    assert [step for step, _ in scalars(out)["train/loss"]] == [1, 2]
    train(GENOTYPE, "digits", out, CONFIG, tensorboard=True, resume=True)
    found = scalars(out)
    assert {"train/loss", "train/accuracy", "train/lr", "train/memory_mib"} <= found.keys()
    assert not {"train/epoch", "train/epochs"} & found.keys()
    assert all([step for step, _ in values] == [1, 2, 3] for values in found.values())
    assert [value for _, value in found["train/lr"]] == pytest.approx([0.01, 0.0075, 0.0025])


def test_without_the_flag_there_are_none(tmp_path):
    train(GENOTYPE, "digits", tmp_path / "run", CONFIG, tensorboard=True)
    train(GENOTYPE, "digits", tmp_path / "run", CONFIG, force=True)
    assert not (tmp_path / "run/tensorboard").exists()


def test_a_missing_package_is_named_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(events, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install tensorboard"):
        train(GENOTYPE, "digits", tmp_path / "run", CONFIG, tensorboard=True)
    assert not (tmp_path / "run").exists()
