"""Several seeds of one search or training."""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from hw.console import EXIT_INTERRUPTED
from hw.networks import genotypes
from nas.cli import COMMANDS
from nas.seeds import in_words

ROOT = Path(__file__).parents[2]
SMALL = ("--data", "digits", "--config", "tiny", "--set", "search.images=32")


def invoke(*arguments):
    return CliRunner().invoke(COMMANDS[arguments[0]], [str(a) for a in arguments[1:]])


def read_log(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_each_seed_is_a_run_of_its_own(tmp_path):
    """The first fails at first: the command does too, and what the second did is kept."""
    out = tmp_path / "run"
    several = ("search", *SMALL, "--seed", 5, "--seeds", 2, "--out", out, "--resume")
    (out / "seed1").mkdir(parents=True)
    (out / "seed1/mine.txt").write_text("x")
    result = invoke(*several)
    assert result.exit_code == 2
    errors = [line for line in result.output.splitlines() if line.startswith("shiftnas: error")]
    assert errors == [result.output.splitlines()[-1]]
    assert errors[0].startswith(f"shiftnas: error: seed1: {out / 'seed1'}: no run to go on with")
    assert not (out / "summary.json").exists()
    before = (out / "seed2/log.jsonl").read_bytes()

    (out / "seed1/mine.txt").unlink()
    result = invoke(*several, "--json")
    assert result.exit_code == 0, result.output
    assert (out / "seed2/log.jsonl").read_bytes() == before
    summary = json.loads((out / "summary.json").read_text())
    assert json.loads(result.stdout) == {**summary, "out": str(out)}
    assert [run["seed"] for run in summary["runs"].values()] == [5, 6]
    alone = invoke("search", *SMALL, "--seed", 6, "--out", tmp_path / "alone", "--json")
    assert alone.exit_code == 0
    genotype = genotypes.load(tmp_path / "alone/genotype.yaml")
    assert genotypes.load(out / "seed2/genotype.yaml") == genotype
    second = summary["runs"]["seed2"]
    assert second["genotype"] == genotypes.to_mapping(genotype)
    assert second["skips"] == sum(
        operation == "skip_connect" for operation, _ in (*genotype.normal, *genotype.reduce)
    )
    last = read_log(tmp_path / "alone")[-1]
    # No network has been trained yet: what there is belongs to the supernet.
    assert "accuracy" not in second and "accuracy" not in summary["mean"]
    assert second["supernet_accuracy"] == last["accuracy"]
    assert second["supernet_loss"] == last["loss"]
    values = [run["supernet_accuracy"] for run in summary["runs"].values()]
    assert summary["mean"]["supernet_accuracy"] == pytest.approx(statistics.mean(values))
    assert summary["std"]["supernet_accuracy"] == pytest.approx(statistics.stdev(values))


@pytest.mark.slow
def test_a_training_by_seeds(tmp_path):
    out = tmp_path / "run"
    train = ("train", "--genotype", "GDAS_V1", *SMALL, "--set", "train.images=64", "--seeds", 1)
    result = invoke(*train, "--out", out)
    assert result.exit_code == 0, result.output
    summary = json.loads((out / "summary.json").read_text())
    metrics = json.loads((out / "seed1/metrics.json").read_text())
    assert summary["runs"]["seed1"] == {"seed": 1, **metrics}
    assert summary["mean"]["accuracy"] == metrics["accuracy"]
    assert summary["std"]["accuracy"] is None
    percent = f"{100 * metrics['accuracy']:.2f} %"
    assert result.stdout.splitlines()[1].startswith(
        f"mean ± sample std of 1: test accuracy {percent}"
    )


def test_what_is_said_of_the_seeds():
    runs = {
        "seed1": {"seed": 1, "supernet_accuracy": 0.5, "supernet_loss": 1.25, "skips": 2},
        "seed2": {"seed": 2, "supernet_accuracy": 0.625, "supernet_loss": 1.0, "skips": 1},
    }
    summary = {
        "runs": runs,
        "mean": {"supernet_accuracy": 0.5625, "supernet_loss": 1.125, "skips": 1.5},
        "std": {"supernet_accuracy": 0.0884, "supernet_loss": 0.1768, "skips": 0.7071},
    }
    accuracy, loss = "supernet's training accuracy", "supernet's training loss"
    mean = f"{accuracy} 56.25 ± 8.84 %, {loss} 1.12 ± 0.18, skips in both cells 1.50 ± 0.71"
    assert in_words(summary).splitlines() == [
        f"seed1: {accuracy} 50.00 %, {loss} 1.25, skips in both cells 2",
        f"seed2: {accuracy} 62.50 %, {loss} 1.00, skips in both cells 1",
        f"mean ± sample std of 2: {mean}",
    ]


def members(session):
    """Processes that still live and whose folder lies in `session`."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                words = (place / "cmdline").read_bytes().decode().split("\0")
            except (OSError, UnicodeDecodeError):
                continue
            if any(word.startswith(str(session)) for word in words):
                found.append(place.name)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_seed_outlives_the_command(tmp_path, number):
    out = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "shiftnas", "search", *SMALL, "--set", "search.topology_epochs=999",
         "--seeds", "2", "--jobs", "1", "--out", str(out)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    log = out / "seed1/log.jsonl"
    while not (log.exists() and log.read_text()):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    if number == signal.SIGINT:
        assert process.returncode == EXIT_INTERRUPTED
        assert err.strip().splitlines()[-1] == (
            f"shiftnas: interrupted: the epochs done are kept in {out}; the same call with "
            "--resume goes on"
        )
    deadline = time.monotonic() + 30
    while members(out):
        assert time.monotonic() < deadline, members(out)
        time.sleep(0.1)
    assert not (out / "seed2").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--seeds", "0"), "0 is not in the range"),
        (("--jobs", "2"), "--jobs: expected --seeds"),
        (("--seeds", "2", "--out", "one"), "one: holds a run of one seed"),
        (("--seeds", "2", "--out", "full"), "full: exists already"),
    ],
)
def test_wrong_calls(tmp_path, monkeypatch, flags, message):
    monkeypatch.chdir(tmp_path)
    for name, file in (("one", "config.yaml"), ("full", "mine.txt")):
        Path(name).mkdir()
        Path(name, file).write_text("x")
    result = invoke("search", *SMALL, "--out", "o", *flags)
    assert result.exit_code == 2 and message in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert not Path("o").exists()
