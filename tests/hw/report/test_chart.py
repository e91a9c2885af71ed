"""Axes and lines of the charts."""

import itertools
import re

import pytest

from hw.report.chart import line_chart, ticks


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0.31, 0.87), (-3, 12), (1e-7, 3e-7), (5, 5), (0, 0), (-2, -2)]
)
def test_ticks_cover_the_range_in_few_equal_steps(low, high):
    found = ticks(low, high)
    assert found[0] <= low and found[-1] >= high and 2 <= len(found) <= 8
    steps = {round((b - a) / (found[1] - found[0]), 6) for a, b in itertools.pairwise(found)}
    assert steps == {1.0}


def test_points_stand_where_their_values_are():
    text = line_chart("Accuracy", {"training": [0, 50, 100]}, unit=" %")
    heights = [float(y) for y in re.findall(r'<circle[^>]*cy="([\d.]+)"', text)]
    assert heights == sorted(heights, reverse=True)
    assert heights[1] == pytest.approx((heights[0] + heights[2]) / 2)
    assert "training, epoch 2: 50 %" in text


def test_a_gap_interrupts_the_line():
    text = line_chart("Loss", {"a": [1.0, None, 2.0, 3.0]})
    (path,) = re.findall(r'class="line s0" d="([^"]*)"', text)
    assert path.count("M") == 2 and path.count("L") == 1 and text.count("<circle") == 3


def test_phases_are_marked_between_epochs():
    text = line_chart("Loss", {"a": [3.0, 2.0, 1.0]}, marks={1: "warmup", 3: "search"})
    assert text.count('<line class="mark"') == 1
    assert ">warmup<" in text and ">search<" in text


def test_nothing_to_draw():
    assert line_chart("Loss", {}) == "" and line_chart("Loss", {"a": [None]}) == ""


def test_one_epoch():
    assert line_chart("Loss", {"a": [1.0]}).count("<circle") == 1
