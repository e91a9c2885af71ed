"""Comparisons as a user makes them: whole, cut short and gone on with, and refused."""

import csv
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
from nas.compare.command import compare

ROOT = Path(__file__).parents[3]
SETTINGS = """\
data: digits
config: tiny
set:
  search: {images: 32, cells: 1}
  train: {images: 64, validation: 0.1}
"""
SPEC = (
    SETTINGS
    + """\
seeds: 2
domains: {shift: , real: {train: {lr: 0.001}}}
arms:
  found: {strategy: random}
  given: {genotype: GDAS_V1, domains: [shift], seeds: [2, 1]}
baseline: given
hardware: {board: none}
"""
)
SMALL = (
    *("--data", "digits", "--config", "tiny", "--set", "search.images=32"),
    *("--set", "search.cells=1", "--set", "train.images=64", "--set", "train.validation=0.1"),
)


def spec_in(folder, text=SPEC):
    path = folder / "spec.yaml"
    path.write_text(text)
    return path


def invoke(*arguments):
    return CliRunner().invoke(compare, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A comparison that has come to its end, and what its command printed."""
    folder = tmp_path_factory.mktemp("compare")
    result = invoke(spec_in(folder), "--out", folder / "out", "--jobs", 2, "--json")
    assert result.exit_code == 0, result.output
    return folder / "out", json.loads(result.stdout)


@pytest.mark.slow
def test_each_run_is_one_that_search_and_train_make(whole, tmp_path):
    out, _ = whole
    train = ("--genotype", "GDAS_V1", *SMALL, "--seed", "2", "--out", str(tmp_path / "t"))
    assert CliRunner().invoke(COMMANDS["train"], train).exit_code == 0
    search = ("--strategy", "random", *SMALL, "--seed", "1", "--out", str(tmp_path / "s"))
    assert CliRunner().invoke(COMMANDS["search"], search).exit_code == 0
    for alone, there in (("t", "given/seed2/train-shift"), ("s", "found/seed1/search")):
        name = "genotype.yaml"
        assert (tmp_path / alone / name).read_text() == (out / "runs" / there / name).read_text()
    alone, there = (
        json.loads((place / "metrics.json").read_text())
        for place in (tmp_path / "t", out / "runs/given/seed2/train-shift")
    )
    del alone["seconds"], there["seconds"]
    assert alone == there
    real = out / "runs/found/seed1/train-real/config.yaml"
    assert "domain: real" in real.read_text() and "lr: 0.001" in real.read_text()


@pytest.mark.slow
def test_the_table_is_of_those_runs(whole):
    out, printed = whole
    content = json.loads((out / "compare.json").read_text())
    assert printed == {**content, "out": str(out)}
    assert (content["planned"], content["done"], len(content["runs"])) == (8, 8, 6)
    for run in content["runs"]:
        metrics = json.loads((out / run["folder"] / "metrics.json").read_text())
        keys = ("accuracy", "validation_accuracy", "weights", "additions")
        assert [run[key] for key in keys] == [metrics[key] for key in keys]
        assert ("cycles_per_frame" in run) == (run["domain"] == "shift")
        genotype = genotypes.load(out / run["folder"] / "genotype.yaml")
        skips = sum(operation == "skip_connect" for operation, _ in genotype.normal)
        assert run["skips"] == skips
        assert ("search_seconds" in run) == (run["arm"] == "found")
    found = [run for run in content["runs"] if (run["arm"], run["domain"]) == ("found", "shift")]
    given = {run["seed"]: run for run in content["runs"] if run["arm"] == "given"}
    (entry,) = (e for e in content["table"] if (e["arm"], e["domain"]) == ("found", "shift"))
    values = [run["accuracy"] for run in found]
    assert entry["figures"]["accuracy"]["mean"] == pytest.approx(statistics.mean(values))
    assert entry["figures"]["accuracy"]["sd"] == pytest.approx(statistics.stdev(values))
    pairs = [run["accuracy"] - given[run["seed"]]["accuracy"] for run in found]
    assert entry["differences"]["accuracy"]["mean"] == pytest.approx(statistics.mean(pairs))
    assert entry["differences"]["accuracy"]["paired"]
    best = max(found, key=lambda run: run["validation_accuracy"])
    assert entry["chosen"]["seed"] == best["seed"]
    assert entry["chosen"]["accuracy"] == best["accuracy"]
    assert [(e["arm"], e["domain"]) for e in content["table"]] == [
        ("found", "shift"),
        ("given", "shift"),
        ("found", "real"),
    ]
    assert content["table"][2]["differences"] == {}, "the baseline has no real weights"


@pytest.mark.slow
def test_cycles_are_those_that_plan_says(whole):
    out, printed = whole
    run = next(run for run in printed["runs"] if run["arm"] == "given")
    network = out / "runs/given" / f"seed{run['seed']}" / "network-shift"
    plan = [sys.executable, "-m", "shiftnas", "plan", str(network), "--board", "none", "--json"]
    done = subprocess.run(
        [*plan, "--out", str(out.parent / "again.yaml")],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    figures = json.loads(done.stdout)
    assert run["cycles_per_frame"] == figures["cycles_per_frame"] and run["lut"] == figures["lut"]


@pytest.mark.slow
def test_every_file_is_there(whole):
    out, printed = whole
    assert (out / "compare.yaml").read_text() == SPEC
    with (out / "runs.csv").open(encoding="utf-8", newline="") as file:
        runs = list(csv.DictReader(file))
    assert [run["folder"] for run in runs] == [run["folder"] for run in printed["runs"]]
    assert (out / "table.md").read_text().startswith("| arm | weights are | n | test accuracy, %")
    assert r"\begin{tabular}" in (out / "table.tex").read_text()
    assert (out / "table.csv").read_text().startswith("arm,domain,figure,n,mean")
    page = (out / "report.html").read_text()
    assert "<h2>Comparison</h2>" in page
    assert "Difference to given in test accuracy, shift weights" in page
    assert (out / "plots/compare-test-accuracy-real.svg").exists()


@pytest.mark.slow
def test_what_is_done_is_not_done_again(whole):
    out, printed = whole
    before = {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("*")}
    spec = out.parent / "spec.yaml"
    refused = invoke(spec, "--out", out)
    assert refused.exit_code == 2
    message = f"{out}: exists already; pass --force to replace it or --resume to go on"
    assert refused.output.strip() == f"shiftnas: error: {message}"
    again = invoke(spec, "--out", out, "--resume", "--json")
    assert again.exit_code == 0 and "8 of 8 runs are done already" in again.stderr
    assert json.loads(again.stdout) == printed
    assert {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("*")} == before


@pytest.mark.slow
def test_another_comparison_is_refused_before_anything_runs(whole, tmp_path):
    out, _ = whole
    before = (out / "compare.json").read_bytes()
    other = spec_in(tmp_path, SPEC.replace("images: 64", "images: 96"))
    refused = invoke(other, "--out", out, "--resume")
    assert refused.exit_code == 2
    assert "not the run that the comparison asks for (train.images is 64 there, 96" in (
        refused.output
    )
    assert len(refused.output.strip().splitlines()) == 1
    assert (out / "compare.json").read_bytes() == before
    assert (out / "compare.yaml").read_text() == SPEC


def start(spec, out):
    return subprocess.Popen(
        [sys.executable, "-m", "shiftnas", "compare", str(spec), "--out", str(out), "--jobs", "1"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def working_in(place):
    """Processes that still live and were told of `place`."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                words = (process / "cmdline").read_bytes().decode().split("\0")
            except (OSError, UnicodeDecodeError):
                continue
            if any(word.startswith(str(place)) for word in words):
                found.append(process.name)
    return found


@pytest.mark.slow
@pytest.mark.thorough
def test_ctrl_c_and_the_same_call_goes_on(tmp_path):
    """Stopped within the second training: the first is kept, the table says what is missing."""
    text = SETTINGS + "arms: {a: {genotype: GDAS_V1}, b: {genotype: DARTS_V2}}\n"
    spec, out = spec_in(tmp_path, text.replace("images: 64", "epochs: 4")), tmp_path / "out"
    process = start(spec, out)
    log = out / "runs/b/seed1/train-shift/log.jsonl"
    while not (log.exists() and log.read_text()):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == EXIT_INTERRUPTED and "Traceback" not in err
    assert err.strip().splitlines()[-1] == (
        f"shiftnas: interrupted: 1 of 2 runs are done in {out}, and epochs of others; the same "
        "call with --resume goes on"
    )
    deadline = time.monotonic() + 30
    while working_in(out):
        assert time.monotonic() < deadline, working_in(out)
        time.sleep(0.1)
    assert "Unfinished: 1 of 2 runs are done." in (out / "table.md").read_text()
    assert not (out / "runs/b/seed1/train-shift/metrics.json").exists()
    first = (out / "runs/a/seed1/train-shift/checkpoint.pt").read_bytes()

    result = invoke(spec, "--out", out, "--resume")
    assert result.exit_code == 0, result.output
    assert "1 of 2 runs are done already" in result.stderr
    assert "Unfinished" not in result.stdout and "Unfinished" not in (out / "table.md").read_text()
    assert (out / "runs/a/seed1/train-shift/checkpoint.pt").read_bytes() == first
    in_one = invoke(spec, "--out", tmp_path / "whole", "--json")
    rows = json.loads((out / "compare.json").read_text())["runs"]
    for ours, theirs in zip(rows, json.loads(in_one.stdout)["runs"], strict=True):
        del ours["train_seconds"], theirs["train_seconds"]
        assert ours == theirs


@pytest.mark.slow
def test_a_run_that_fails_leaves_the_others(tmp_path):
    """The first arm cannot begin: a stranger's file lies in its folder."""
    text = SETTINGS + "arms: {a: {genotype: GDAS_V1}, b: {genotype: DARTS_V2}}\n"
    out = tmp_path / "out"
    place = out / "runs/a/seed1/train-shift"
    place.mkdir(parents=True)
    (place / "mine.txt").write_text("x")
    (out / "compare.yaml").write_text(text)
    result = invoke(spec_in(tmp_path, text), "--out", out, "--resume")
    assert result.exit_code == 2
    line = result.output.strip().splitlines()[-1]
    assert line.startswith(f"shiftnas: error: a/seed1/train-shift: {place}: no run to go on with")
    assert json.loads((out / "compare.json").read_text())["done"] == 1
    assert "Unfinished: 1 of 2 runs are done." in (out / "table.md").read_text()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--out", "mine"), "mine: exists already; pass --force"),
        (("--out", "mine", "--resume"), "mine: holds no comparison (compare.yaml); choose anoth"),
        (("--out", "mine", "--force"), "mine: holds no comparison (compare.yaml); --force repl"),
        (("--out", "spec.yaml"), "spec.yaml: is an input of this command"),
        (("--out", "spec.yaml", "--resume"), "spec.yaml: expected a folder, found a file"),
        (("--out", "o", "--data", "nope"), "nope"),
        (("--out", "o", "--jobs", "0"), "0 is not in the range"),
    ],
)
def test_wrong_calls(tmp_path, monkeypatch, flags, message):
    monkeypatch.chdir(tmp_path)
    spec_in(tmp_path)
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("x")
    result = invoke("spec.yaml", *flags)
    assert result.exit_code == 2 and message in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert not Path("o").exists() and Path("mine/notes.txt").exists()


def test_force_with_wrong_data_leaves_what_is_there(tmp_path):
    out, spec = tmp_path / "out", spec_in(tmp_path)
    out.mkdir()
    for name in ("compare.yaml", "table.md"):
        (out / name).write_text("kept")
    assert invoke(spec, "--out", out, "--force", "--data", "nope").exit_code == 2
    assert {path.name: path.read_text() for path in out.iterdir()} == {
        "compare.yaml": "kept",
        "table.md": "kept",
    }


@pytest.mark.slow
@pytest.mark.thorough
def test_force_begins_again(tmp_path):
    text = SETTINGS + "arms: {a: {genotype: GDAS_V1}, b: {genotype: DARTS_V2}}\n"
    out, spec = tmp_path / "out", spec_in(tmp_path, text)
    assert invoke(spec, "--out", out).exit_code == 0
    (out / "notes.txt").write_text("x")
    other = spec_in(tmp_path, text.replace("b:", "c:").replace("images: 64", "images: 96"))
    result = invoke(other, "--out", out, "--force", "--json")
    assert result.exit_code == 0, result.output
    assert "done already" not in result.stderr
    assert list(json.loads(result.stdout)["arms"]) == ["a", "c"]
    assert not (out / "runs/b").exists() and (out / "notes.txt").exists()
