"""Tables: what was run, its stages, mean and deviation of seeds."""

import html
import re
import statistics

import pytest
import sample_runs

from hw.networks import genotypes
from hw.report import folder, tables


def cells_of(text):
    return [html.unescape(part) for part in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", text)]


def facts(text):
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text))


def only_run(place):
    (run,) = folder.read(place).runs
    return run


def test_header_of_a_search(tmp_path):
    run = only_run(sample_runs.write_run(tmp_path / "a", sample_runs.shiftnas_log((1, 1), (2, 3))))
    text = tables.header(run)
    known = facts(text)
    assert known["strategy"] == "shiftnas" and known["domain"] == "shift"
    assert known["data"] == "fashion" and known["supernet"] == "16 channels, 8 cells"
    assert known["state"] == "finished, 5 epochs" and known["time, all epochs"] == "1 min 02 s"
    assert known["trainable weights"].startswith("3,661,030 in its CIFAR-10 network")
    assert "search.batch" in text and "train.batch" not in text and "shift.weight_bits" in text


def test_header_of_a_training(tmp_path):
    metrics = {"accuracy": 0.9123, "images": 10000, "weights": 12345}
    place = sample_runs.write_run(
        tmp_path / "a", sample_runs.train_log(2), kind="train", metrics=metrics
    )
    known = facts(tables.header(only_run(place)))
    assert known["test accuracy"] == "91.23 % of 10,000 test images"
    assert known["trainable weights"] == "12,345" and "strategy" not in known


def test_unfinished_runs_say_so(tmp_path):
    log = sample_runs.shiftnas_log((1, 1), (2, 3), done=3)
    run = only_run(sample_runs.write_run(tmp_path / "a", log, genotype=None))
    state = "unfinished, 3 epochs done, epoch 1 of 3 of topology search"
    assert facts(tables.header(run))["state"] == state
    empty = only_run(sample_runs.write_run(tmp_path / "b", None, genotype=None))
    assert facts(tables.header(empty))["state"] == "unfinished, no epoch done"
    assert "No epoch is done yet" in tables.stages(empty)


def test_stages(tmp_path):
    log = sample_runs.shiftnas_log((1, 1), (2, 3))
    run = only_run(sample_runs.write_run(tmp_path / "a", log))
    shown = cells_of(tables.stages(run))
    assert "2 of 2, 1 of warm-up" in shown and "topology search" in shown
    assert f"{100 * log[1]['held_out_accuracy']:.2f} %" in shown and tables.NONE in shown


def test_whose_figures_they_are(tmp_path):
    """A search's last accuracy is its supernet's, not that of the network that it finds."""
    for kind, log, whose in (
        ("search", sample_runs.shiftnas_log((1, 1), (2, 3)), "supernet's training accuracy"),
        ("train", sample_runs.train_log(2), "training accuracy"),
    ):
        run = only_run(sample_runs.write_run(tmp_path / kind, log, kind=kind))
        assert whose in cells_of(tables.stages(run))
        assert f"{whose}, %" in cells_of(tables.seeds({"seed1": run}))


def test_mean_and_sample_deviation():
    values = [1.0, 2.0, None, 6.0]
    deviation = statistics.stdev([1.0, 2.0, 6.0])
    assert tables.mean_and_deviation(values, ".2f") == f"3.00 ± {deviation:.2f}" == "3.00 ± 2.65"
    assert tables.mean_and_deviation([5.0], ".1f") == "5.0"
    assert tables.mean_and_deviation([None, float("nan")], ".1f") == tables.NONE


def test_seeds(tmp_path):
    logs = {number: sample_runs.shiftnas_log((1, 1), (2, 3), seed=number) for number in (1, 2, 10)}
    for number, log in logs.items():
        genotype = {1: "ShiftNAS_C10", 2: "DARTS_V2", 10: None}[number]
        sample_runs.write_run(tmp_path / f"seed{number}", log, genotype=genotype, seed=number)
    content = folder.read(tmp_path)
    assert list(content.seeds) == ["seed1", "seed2", "seed10"], "in the order of the numbers"
    text = tables.seeds(content.seeds)
    shown = cells_of(text)
    accuracies = [100 * log[-1]["accuracy"] for log in logs.values()]
    mean, deviation = statistics.fmean(accuracies), statistics.stdev(accuracies)
    assert f"{mean:.2f} ± {deviation:.2f}" in shown and "5, unfinished" in shown
    assert "sample standard deviation (n − 1)" in text
    assert "test accuracy, %" not in shown


@pytest.mark.parametrize("name", ["ShiftNAS_C10", "DARTS_V2"])
def test_weights_are_those_that_genotypes_tells(name):
    known = genotypes.published()[name]
    assert tables.weights_of_cifar10_network(known.genotype) == known.weights_cifar10
