"""Two processes compute what one computes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import distributed_worker as worker
import pytest
import torch

from hw.errors import InputError
from hw.networks import genotypes
from nas import distributed
from nas.config import load_config
from nas.journal import UNREPEATABLE
from nas.runs import Run
from nas.search import search
from nas.train import train

ROOT = Path(__file__).parents[2]
BOTH_STAGES = ("search.images=64", "search.cells=1", "search.arch_init=1e-3")
"""Adam's first step moves all alphas by the same; of those that begin at 0 too, the last bits of
float sums would choose."""


def two_processes(*arguments: str) -> subprocess.CompletedProcess[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*launcher, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True
    )


def log_of(folder: Path) -> list[dict]:
    lines = (folder / "log.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in UNREPEATABLE} for line in lines]


def figures(log: list[dict]) -> list[dict]:
    return [{k: v for k, v in e.items() if isinstance(v, float)} for e in log]


def assert_same_search(one: Path, two: Path) -> None:
    assert genotypes.load(two / "genotype.yaml") == genotypes.load(one / "genotype.yaml")
    expected, found = log_of(one), log_of(two)
    assert [e["stage"] for e in found] == [e["stage"] for e in expected]
    for mine, theirs in zip(figures(found), figures(expected), strict=True):
        assert mine == pytest.approx(theirs, rel=1e-5)
    for mine, theirs in zip(found, expected, strict=True):
        alpha = torch.tensor(theirs["architecture"]["alpha"])
        # The log has four digits.
        torch.testing.assert_close(
            torch.tensor(mine["architecture"]["alpha"]), alpha, rtol=0, atol=2e-4
        )


@pytest.mark.slow
def test_search_by_two_processes_gives_the_architecture_of_one(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    overrides = [f"--set={setting}" for setting in BOTH_STAGES]
    options = ["--config", "tiny", "--data", "digits", "--out", str(two), *overrides]
    done = two_processes("-m", "nas", "search", *options)
    assert done.returncode == 0, done.stderr
    # One process speaks, and it has nothing to complain of.
    assert done.stdout.count("normal:") == 1 and "arning" not in done.stderr
    search("digits", one, load_config("tiny", BOTH_STAGES))
    assert {e["stage"] for e in log_of(one)} == {"operation", "topology"}
    assert_same_search(one, two)


@pytest.fixture(scope="module")
def worked(tmp_path_factory):
    """Folder of all that `distributed_worker` does, and how it ended."""
    folder = tmp_path_factory.mktemp("two")
    done = two_processes(worker.__file__, str(folder))
    assert (folder / "1.pt").exists(), done.stderr
    return folder, done


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize("name", ["darts", "random"])
def test_second_order_and_sampled_searches_are_those_of_one(worked, tmp_path, name):
    settings = {"darts": worker.DARTS, "random": worker.RANDOM}[name]
    search("digits", tmp_path / "one", load_config("tiny", settings))
    assert_same_search(tmp_path / "one", worked[0] / name)


@pytest.mark.slow
def test_training_by_two_processes_gives_the_network_of_one(worked, tmp_path):
    """With every augmentation, and drop-path: both processes draw for the whole batch."""
    config = load_config("tiny", worker.TRAIN)
    metrics = train(genotypes.get("ShiftNAS_C10"), "digits", tmp_path / "one", config)
    found = json.loads((worked[0] / "train" / "metrics.json").read_text())
    assert found["accuracy"] == metrics["accuracy"] and found["images"] == metrics["images"]
    expected, found = figures(log_of(tmp_path / "one")), figures(log_of(worked[0] / "train"))
    assert found[-1] == pytest.approx(expected[-1], rel=1e-5)
    one, two = (Run.open(f).load() for f in (tmp_path / "one", worked[0] / "train"))
    assert one is not None and two is not None
    for name, value in one["model"].items():
        torch.testing.assert_close(two["model"][name], value, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_what_two_processes_differ_in_is_the_order_of_float_sums(worked, tmp_path):
    """In float64 they agree to the last digits after four epochs; in float32 to 3e-3."""
    config = load_config("tiny", worker.FOUR_EPOCHS)
    with worker.double_precision():
        train(worker.RESNET, "digits", tmp_path / "one", config)
    one, two = (Run.open(f).load() for f in (tmp_path / "one", worked[0] / "double"))
    assert one is not None and two is not None
    floats = [name for name, value in one["model"].items() if value.is_floating_point()]
    assert {one["model"][name].dtype for name in floats} == {torch.float64}
    apart = {name: float((one["model"][name] - two["model"][name]).abs().max()) for name in floats}
    assert max(apart.values()) < 1e-12, max(apart.items(), key=lambda item: item[1])


@pytest.mark.slow
def test_two_processes_resume_where_they_were(worked):
    whole, resumed = (log_of(worked[0] / name) for name in ("train", "resumed"))
    assert len(whole) == 2 and resumed == whole


@pytest.mark.slow
def test_parts_by_two_processes(worked):
    for rank in (0, 1):
        found = torch.load(worked[0] / f"{rank}.pt")
        assert found["batch norm"] < 1e-10 and found["second derivative"] < 1e-9
        assert found["apart"] < 1e-6
        assert found["dropout"]
        gradients = found["gradients"]
        assert gradients["flat"].abs().sum() > 0
        torch.testing.assert_close(gradients["flat"], gradients["expected"])


@pytest.mark.slow
def test_a_batch_that_does_not_divide_is_one_line(worked):
    folder, done = worked
    (line,) = [line for line in done.stderr.splitlines() if "shiftnas: error" in line]
    assert line.startswith("shiftnas: error: search.batch: 33 images do not divide among 2")
    assert not (folder / "odd").exists()
    # torchrun ends with 1 whatever its processes end with, and names theirs.
    assert done.returncode == 1 and "exitcode  : 2" in done.stderr


# --- without torchrun --------------------------------------------------------------------


def test_one_process_passes_everything_through():
    values = torch.rand(3)
    assert distributed.world() == 1 and distributed.launched() == 1
    for function in (distributed.share, distributed.total, distributed.mean):
        assert function(values) is values
    assert distributed.averages([values, None])[0] is values
    assert distributed.join(torch.device("cpu")) == torch.device("cpu")
    distributed.require_shares(7, "batch")


def test_more_processes_than_images(monkeypatch):
    monkeypatch.setattr(distributed, "world", lambda: 4)
    distributed.require_shares(8, "train.batch")
    with pytest.raises(InputError, match=r"train\.batch: 2 images do not divide among 4 processes"):
        distributed.require_shares(2, "train.batch")


def test_more_processes_than_gpus(monkeypatch):
    monkeypatch.setattr(distributed, "launched", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match="2 processes on a machine with 1 GPUs"):
        distributed.join(torch.device("cuda"))
