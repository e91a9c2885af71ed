"""What a run says of how it was computed."""

import json
import platform
import subprocess
import sys
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from interrupted import InterruptedRun, interrupt_after

from hw.networks import genotypes
from nas import provenance
from nas import train as training
from nas.cli import COMMANDS
from nas.config import load_config
from nas.runs import Run
from nas.search import search
from nas.train import train

GENOTYPE = genotypes.get("GDAS_V1")
TINY = ("search.images=32", "train.images=64")


@pytest.fixture(autouse=True)
def one_thread_again():
    yield
    torch.set_num_threads(1)


def calls_of(run: Path) -> list[dict]:
    return json.loads((run / "provenance.json").read_text())["calls"]


def test_a_run_says_what_computed_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/some/where/shiftnas", "search", "--out", "a b"])
    search("digits", tmp_path / "run", load_config("tiny", TINY))
    (call,) = calls_of(tmp_path / "run")
    assert call["shiftnas"] == version("shiftnas") and call["numpy"] == version("numpy")
    assert call["torch"] == torch.__version__ and call["python"] == platform.python_version()
    assert (call["threads"], call["processes"], call["device"]) == (1, 1, "cpu")
    assert call["data"] == Run.open(tmp_path / "run").task.data.digests
    assert call["command"] == "shiftnas search --out 'a b'"
    assert datetime.fromisoformat(call["started"]).tzinfo is not None
    state = torch.load(tmp_path / "run/checkpoint.pt", weights_only=True)
    assert state["provenance"] == [call]
    first = capsys.readouterr().err.splitlines()[0]
    assert first == f"search: {provenance.in_words(call)}"
    assert f"source {call['source'][:12]}" in first and "threads 1, processes 1" in first


def test_the_source_is_known_by_every_byte_of_it(tmp_path, monkeypatch):
    """Its own digest here, and another one for another name or content."""
    for package in provenance.PACKAGES:
        (tmp_path / package / "deep").mkdir(parents=True)
        (tmp_path / package / "deep/a.py").write_text("x = 1\n")
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    digests = []
    for change in (
        lambda: None,
        lambda: (tmp_path / "nas/deep/a.py").write_text("x = 2\n"),
        lambda: (tmp_path / "hw/deep/a.py").rename(tmp_path / "hw/deep/b.py"),
        lambda: (tmp_path / "hw/notes.txt").write_text("no source"),
    ):
        change()
        provenance.source_digest.cache_clear()
        digests.append(provenance.source_digest())
    provenance.source_digest.cache_clear()
    assert len(set(digests[:3])) == 3 and digests[3] == digests[2]


@pytest.mark.parametrize("repository", [True, False])
def test_the_commit_where_there_is_one(tmp_path, monkeypatch, repository):
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    expected = None
    if repository:
        names = ("-c", "user.name=a", "-c", "user.email=a@b")
        git = ("git", "-C", str(tmp_path))
        subprocess.run([*git, "init", "-q"], check=True)
        subprocess.run([*git, *names, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
        expected = head.stdout.strip()
    provenance._commit.cache_clear()
    found = provenance._commit()
    provenance._commit.cache_clear()
    assert found == expected


def test_going_on_with_other_threads_is_told(tmp_path, capsys, monkeypatch):
    """A line, and an entry of its own; nothing is refused."""
    config, run = load_config("tiny", (*TINY, "threads=1")), tmp_path / "run"
    with monkeypatch.context() as patch:
        interrupt_after(patch, training._Trainer, "_epoch", 1)
        with pytest.raises(InterruptedRun):
            train(GENOTYPE, "digits", run, config)
    capsys.readouterr()
    monkeypatch.setattr(provenance, "version", lambda name: f"9.{len(name)}")
    train(GENOTYPE, "digits", run, load_config("tiny", (*TINY, "threads=2")), resume=True)
    was, now = calls_of(run)
    assert (was["threads"], now["threads"]) == (1, 2)
    assert capsys.readouterr().err.splitlines()[1] == (
        f"{run}: goes on with shiftnas 9.8 (before: {was['shiftnas']}), NumPy 9.5 (before: "
        f"{was['numpy']}), threads 2 (before: 1): it may not end in the same bits as in one piece"
    )
    train(GENOTYPE, "digits", run, load_config("tiny", (*TINY, "threads=2")), resume=True)
    # The newest checkpoint is of the second call.
    assert "goes on with" not in capsys.readouterr().err
    assert [call["threads"] for call in calls_of(run)] == [1, 2, 2]


def test_a_run_of_an_older_version_goes_on(tmp_path, capsys):
    config, run = load_config("tiny", TINY), tmp_path / "run"
    train(GENOTYPE, "digits", run, config)
    opened = Run.open(run)
    state = opened.load()
    assert state is not None
    del state["provenance"]
    opened.save({key: value for key, value in state.items() if key not in ("task", "genotype")})
    capsys.readouterr()
    train(GENOTYPE, "digits", run, config, resume=True)
    assert "goes on with" not in capsys.readouterr().err
    assert len(calls_of(run)) == 1


def test_force_begins_the_list_anew(tmp_path):
    for number in range(2):
        search("digits", tmp_path / "run", load_config("tiny", TINY), force=number > 0)
    assert len(calls_of(tmp_path / "run")) == 1


@pytest.mark.slow
@pytest.mark.thorough
def test_jobs_change_nothing(tmp_path):
    """Seeds at a time and OMP_NUM_THREADS: the same genotypes and the same weights."""
    results = []
    for name, jobs, threads in (("one", "1", "2"), ("two", "2", "1")):
        words = ["--data", "digits", "--config", "tiny", "--set", "search.images=null"]
        result = CliRunner().invoke(
            COMMANDS["search"],
            [*words, "--seed", "3", "--seeds", "2", "--jobs", jobs, "--out", str(tmp_path / name)],
            env={"OMP_NUM_THREADS": threads},
        )
        assert result.exit_code == 0, result.output
        seeds = [tmp_path / name / f"seed{number}" for number in (1, 2)]
        assert [calls_of(seed)[0]["threads"] for seed in seeds] == [1, 1]
        states = [torch.load(seed / "checkpoint.pt", weights_only=True) for seed in seeds]
        genotype = [(seed / "genotype.yaml").read_bytes() for seed in seeds]
        results.append((genotype, [state["net"] for state in states]))
    assert results[0][0] == results[1][0]
    for one, two in zip(results[0][1], results[1][1], strict=True):
        assert one.keys() == two.keys() and len(one) > 10
        assert all(torch.equal(one[name], two[name]) for name in one)


def test_seeds_compute_with_the_threads_that_are_set(tmp_path):
    words = ["--data", "digits", "--config", "tiny", "--set", "threads=2", "--seeds", "1"]
    settings = [f"--set={setting}" for setting in TINY]
    result = CliRunner().invoke(
        COMMANDS["search"], [*words, *settings, "--out", str(tmp_path / "run")]
    )
    assert result.exit_code == 0, result.output
    assert calls_of(tmp_path / "run/seed1")[0]["threads"] == 2
