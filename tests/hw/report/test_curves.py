"""What the curves show, read from the figures themselves."""

import math

import pytest
import sample_runs

from hw.report import curves
from hw.report.log import Log

SEARCH = Log(sample_runs.shiftnas_log((2, 3), (5, 8)))


def lines(axes):
    """Label -> points (epoch, value) of the lines with data, stages joined."""
    found, name = [], None
    for line in axes.get_lines():
        if line.get_transform() != axes.transData:
            continue  # a stage's boundary
        name = line.get_label() if not line.get_label().startswith("_") else name
        found.append((name, list(zip(*line.get_data(), strict=True))))
    return found


def boundaries(axes):
    return [
        line.get_xdata()[0] for line in axes.get_lines() if line.get_transform() != axes.transData
    ]


def test_learning_rate_jumps_where_the_stage_begins():
    (axes,) = curves.learning_rate(SEARCH).axes
    (_, first), (_, second) = lines(axes)
    assert first[0] == (1, 0.01) and second[0] == (6, 0.01) and len(first + second) == 13
    assert first[-1][1] < second[0][1]
    assert boundaries(axes) == [5.5]
    assert {text.get_text() for text in axes.texts} == {
        "operation search",
        "topology search",
        "reset to 0.01",
    }
    assert axes.get_xlabel() == "epoch" and axes.get_ylabel() == "learning rate"


def test_one_cosine_over_both_stages_has_no_reset():
    records = [dict(record) for record in SEARCH.records]
    for epoch, record in enumerate(records, 1):
        record["lr"] = sample_runs.cosine(epoch, 13)
    (axes,) = curves.learning_rate(Log(records)).axes
    assert not any("reset" in text.get_text() for text in axes.texts)


def test_accuracy_of_both_stages_is_on_one_axis_in_per_cent():
    figure = curves.accuracy(SEARCH)
    (axes,) = figure.axes
    points = [point for name, part in lines(axes) if name == "training images" for point in part]
    assert [epoch for epoch, _ in points] == list(range(1, 14))
    assert points[12][1] == pytest.approx(100 * SEARCH.records[12]["accuracy"])
    assert [text.get_text() for text in figure.legends[0].texts] == [
        "training images",
        "held-out images",
    ]
    assert axes.get_ylabel() == "accuracy (%)"


def test_a_lone_curve_is_named_on_its_axis():
    figure = curves.loss(Log(sample_runs.train_log(3)))
    assert figure.legends == []
    assert figure.axes[0].get_ylabel() == "loss (cross entropy), training images"


def test_warm_up_is_shaded():
    (axes,) = curves.loss(SEARCH).axes
    spans = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in axes.patches]
    assert spans == [(0.5, 2.5), (5.5, 8.5)]


def test_temperature_over_decades_is_logarithmic():
    (axes,) = curves.temperature(SEARCH).axes
    assert axes.get_yscale() == "log" and "logarithmic" in axes.get_ylabel()
    slow = Log(
        [
            {**record, "temperature": 10 - number}
            for number, record in enumerate(sample_runs.darts_log(epochs=5))
        ]
    )
    assert curves.temperature(slow).axes[0].get_yscale() == "linear"


def test_mean_of_seeds_ends_with_the_shortest():
    logs = {
        "seed1": Log(sample_runs.train_log(4, 1)),
        "seed2": Log(sample_runs.train_log(4, 2)[:2]),
    }
    figure = curves.overlay(logs, "accuracy", 100.0, "accuracy (%)")
    found = dict(lines(figure.axes[0]))
    assert [len(found[name]) for name in ("seed1", "seed2")] == [4, 2]
    wanted = [
        50 * (logs["seed1"].records[epoch]["accuracy"] + logs["seed2"].records[epoch]["accuracy"])
        for epoch in (0, 1)
    ]
    assert [value for _, value in found["mean"][:2]] == pytest.approx(wanted)
    assert all(math.isnan(value) for _, value in found["mean"][2:])


def test_one_epoch_has_a_mark():
    (axes,) = curves.accuracy(Log(sample_runs.train_log(1))).axes
    assert axes.get_lines()[0].get_marker() == "o"
    assert axes.get_xlim() == (0.5, 1.5)
