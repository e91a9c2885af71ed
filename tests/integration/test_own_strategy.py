"""The example of a strategy of one's own: successive halving, resumed, by seeds, by torchrun."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from interrupted import InterruptedRun, interrupt_after, without_times
from own_plugins import forgotten

from hw import plugins
from hw.report.folder import read
from nas import search as searching
from nas.config import load_config
from nas.search import search

ROOT = Path(__file__).parents[2]
FILE = ROOT / "examples/own_strategy/halving.py"
WORDS = ("search", "--plugin", FILE, "--strategy", "halving", "--data", "digits", "--config",
         "tiny", "--set", "search.images=64", "--set", "search.options.genotypes=4")  # fmt: skip
SETTINGS = ("search.strategy=halving", "search.images=64", "search.options.genotypes=4")


@pytest.fixture(autouse=True)
def registries():
    with forgotten():
        yield


def run(folder, *words, launcher=("-P", "-m", "shiftnas")):
    return subprocess.run(
        [sys.executable, *launcher, *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def log_of(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_it_is_short():
    assert len(FILE.read_text(encoding="utf-8").splitlines()) <= 60


def test_each_rung_keeps_the_better_half(tmp_path):
    plugins.load(str(FILE))
    from nas.strategies.registry import make_strategy

    config = load_config("tiny", ("search.strategy=halving",)).search
    strategy = make_strategy(config)
    assert [stage.name for stage in strategy.stages] == ["rung0", "rung1", "rung2"]
    drawn = strategy.left.tolist()
    assert len(drawn) == 8
    accuracies = [0.1, 0.7, 0.2, 0.9, 0.3, 0.4, 0.3, 0.0]

    first = strategy.architecture(0, strategy.start)
    computed = [first.mixture_of(one)[1].tolist() for one in drawn]

    def evaluate(coefficients, chosen):
        return accuracies[computed.index(chosen.tolist())]

    torch.manual_seed(0)
    moment = strategy.stages[0].moment(0)
    seen = {computed.index(first.mixture(moment)[1].tolist()) for _ in range(200)}
    assert seen == set(range(8))
    strategy.retained(first, evaluate)
    assert strategy.left.tolist() == [drawn[k] for k in (3, 1, 5, 4)]
    second = strategy.architecture(1, strategy.start)
    strategy.retained(second, evaluate)
    third = strategy.architecture(2, strategy.start)
    assert third.left.tolist() == [drawn[k] for k in (3, 1)]
    assert strategy.choose(third, evaluate) == third.genotype_of(drawn[3])


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_search_cut_short_ends_as_it_would_have(tmp_path, monkeypatch, epochs):
    plugins.load(str(FILE))
    config = load_config("tiny", (*SETTINGS, "search.epochs=2"))
    whole = search("digits", tmp_path / "whole", config)
    with monkeypatch.context() as patch:
        interrupt_after(patch, searching._Searcher, "_epoch", epochs)
        with pytest.raises(InterruptedRun):
            search("digits", tmp_path / "cut", config)
    assert search("digits", tmp_path / "cut", config, resume=True) == whole
    assert without_times(log_of(tmp_path / "cut")) == without_times(log_of(tmp_path / "whole"))
    assert len(log_of(tmp_path / "cut")) == 4
    assert read(tmp_path / "whole").runs[0].strategy == "halving"


@pytest.mark.slow
@pytest.mark.thorough
def test_seeds_and_processes(tmp_path):
    done = run(tmp_path, *WORDS, "--seeds", "2", "--out", "seeds", "--json")
    assert done.returncode == 0, done.stderr
    runs = json.loads(done.stdout)["runs"]
    assert set(runs) == {"seed1", "seed2"}
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "nas")
    done = run(tmp_path, *WORDS, "--out", "two", "--json", launcher=launcher)
    assert done.returncode == 0, done.stderr
    assert {entry["strategy"] for entry in log_of(tmp_path / "two")} == {"halving"}
    recorded = yaml.safe_load((tmp_path / "two/config.yaml").read_text())
    assert [entry["place"] for entry in recorded["plugins"]] == [str(FILE)]
    assert recorded["search"]["options"] == {"genotypes": 4}
    # To go on, the strategy has to be there.
    resumed = [word for word in WORDS if word not in ("--plugin", FILE)]
    refused = run(tmp_path, *resumed, "--out", "two", "--resume")
    assert refused.returncode == 2 and "'halving' is not one of" in refused.stderr


@pytest.mark.slow
@pytest.mark.thorough
def test_a_comparison_runs_it_beside_those_that_ship(tmp_path):
    (tmp_path / "spec.yaml").write_text(
        "data: digits\nconfig: tiny\nset: {search: {images: 32, cells: 1}, train: {images: 64}}\n"
        "seeds: 1\narms: {own: {strategy: halving}, chance: {strategy: random}}\n"
    )
    words = ("compare", "spec.yaml", "--out", "out", "--json")
    refused = run(tmp_path, *words)
    assert refused.returncode == 2 and "halving" in refused.stderr
    done = run(tmp_path, *words, "--plugin", FILE)
    assert done.returncode == 0, done.stderr
    again = run(tmp_path, *words, "--plugin", FILE, "--resume")
    assert again.returncode == 0, again.stderr
    refused = run(tmp_path, *words, "--resume")
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
