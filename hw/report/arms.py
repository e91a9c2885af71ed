"""Pictures of a comparison: accuracies, differences to the baseline, training curves."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hw.report.curves import SIZE, whole_epochs
from hw.report.log import Log
from hw.report.plotting import INK, SERIES, SOFT, legend_below, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)))
"""Of lines, when all colours are used."""


def accuracies(values: Mapping[str, Sequence[float]], split: str) -> "Figure":
    """Arm -> accuracies in percent on images of `split`: a dot a training, a bar at the mean."""
    figure, axes = _rows(list(values))
    for row, (arm, known) in enumerate(values.items()):
        axes.plot(known, [row] * len(known), "o", color=_colour(row), alpha=0.7, label=arm)
        if known:
            axes.plot(
                [statistics.fmean(known)], [row], "|", color=INK, markersize=14, markeredgewidth=2
            )
    axes.set_xlabel(f"{split} accuracy (%); a dot a training, a bar the mean")
    return figure


def differences(found: Mapping[str, Mapping[str, Any]], baseline: str, level: float) -> "Figure":
    """Arm -> difference in accuracy to the baseline, with its interval where it has one."""
    figure, axes = _rows(list(found))
    axes.axvline(0, color=SOFT, linewidth=0.9, linestyle=(0, (3, 2)))
    for row, (arm, by) in enumerate(found.items()):
        if by["low"] is not None:
            axes.plot([100 * by["low"], 100 * by["high"]], [row, row], color=_colour(row))
        axes.plot([100 * by["mean"]], [row], "o", color=_colour(row), markersize=5, label=arm)
    axes.set_xlabel(f"accuracy minus that of {baseline} (points); lines: {100 * level:.0f} %")
    return figure


def bands(logs: Mapping[str, Sequence[Log]], key: str, factor: float, label: str) -> "Figure":
    """Arm -> mean of a field over its trainings, epoch by epoch, and a sample deviation around."""
    figure = new_figure(*SIZE)
    axes = figure.subplots()
    for number, (arm, of) in enumerate(logs.items()):
        columns = list(zip(*(log.values(key, factor) for log in of), strict=False))
        epochs = list(range(1, len(columns) + 1))
        means = [statistics.fmean(column) for column in columns]
        style = DASHES[number // len(SERIES) % len(DASHES)]
        axes.plot(epochs, means, color=_colour(number), label=arm, linestyle=style)
        if len(of) > 1:
            spread = [_deviation(column) for column in columns]
            low = [mean - by for mean, by in zip(means, spread, strict=True)]
            high = [mean + by for mean, by in zip(means, spread, strict=True)]
            axes.fill_between(epochs, low, high, color=_colour(number), alpha=0.13, linewidth=0)
    whole_epochs(axes, max(len(log) for of in logs.values() for log in of))
    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    legend_below(figure, axes, 4)
    return figure


def _deviation(column: Sequence[float]) -> float:
    return math.nan if any(map(math.isnan, column)) else statistics.stdev(column)


def _colour(number: int) -> str:
    return SERIES[number % len(SERIES)]


def _rows(names: Sequence[str]) -> "tuple[Figure, Axes]":
    """A chart with a row for each name, the first on top."""
    figure = new_figure(SIZE[0], 1.0 + 0.32 * len(names))
    axes = figure.subplots()
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    return figure, axes
