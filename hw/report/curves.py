"""Curves over the epochs of all stages: learning rate, accuracy, loss, temperature."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hw.report.log import Log, Stage
from hw.report.plotting import INK, PANEL, SERIES, SOFT, legend_below, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (6.0, 3.1)
"""Inches of a chart that takes half of the page's width."""
MOST_MARKERS = 40
"""A longer curve has no mark at each epoch."""
LOG_RATIO = 20
"""A temperature that falls by more than this is drawn on a logarithmic axis."""

STAGE_NAMES = {
    "operation": "operation search",
    "topology": "topology search",
    "search": "search",
    "train": "training",
}


def stage_name(name: str) -> str:
    """A stage as it is called on the page."""
    return STAGE_NAMES.get(name, name)


def learning_rate(log: Log) -> "Figure":
    """Learning rate of the weights over all stages, with its reset (the paper's figure 2)."""
    figure, axes = _chart(log, "learning rate")
    rates = log.values("lr")
    _by_stage(axes, log, rates, color=SERIES[0], marker=_marker(log))
    for before, after in zip(log.stages, log.stages[1:], strict=False):
        old, new = rates[before.last - 1], rates[after.first - 1]
        if new > old:
            axes.annotate(
                f"reset to {new:.3g}",
                (after.first - 0.5, new),
                xytext=(-4, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                color=SOFT,
                fontsize=8,
            )
    axes.set_ylim(bottom=0)
    return figure


def accuracy(log: Log) -> "Figure":
    """Accuracy of the stages on one axis (the paper's figures 4 and 5)."""
    names = {
        "accuracy": "training images",
        "held_out_accuracy": "held-out images",
        "validation_accuracy": "validation images",
        "top5_accuracy": "training images, top 5",
        "validation_top5_accuracy": "validation images, top 5",
    }
    known = {label: log.values(key, 100.0) for key, label in names.items() if log.has(key)}
    return _lines(log, known, "accuracy (%)")


def loss(log: Log) -> "Figure":
    """Cross entropy of the stages on one axis."""
    names = {
        "loss": "training images",
        "held_out_loss": "held-out images",
        "validation_loss": "validation images",
    }
    known = {label: log.values(key) for key, label in names.items() if log.has(key)}
    return _lines(log, known, "loss (cross entropy)")


def temperature(log: Log) -> "Figure":
    """Temperature of the softmax (T of eq. 12) in the stages that have one."""
    figure, axes = _chart(log, "temperature T")
    values = log.values("temperature")
    _by_stage(axes, log, values, color=SERIES[3], marker=_marker(log))
    known = [value for value in values if value == value]
    if min(known) > 0 and max(known) / min(known) > LOG_RATIO:
        axes.set_yscale("log")
        axes.set_ylabel("temperature T (logarithmic)")
    return figure


def overlay(logs: Mapping[str, Log], key: str, factor: float, label: str) -> "Figure":
    """The same field of several runs, and its mean over the epochs that all of them have."""
    longest = max(logs.values(), key=len)
    figure, axes = _chart(longest, label)
    for number, (name, log) in enumerate(logs.items()):
        colour = SERIES[number % len(SERIES)]
        _by_stage(axes, log, log.values(key, factor), name, color=colour, linewidth=1, alpha=0.75)
    common = min(len(log) for log in logs.values())
    if len(logs) > 1:
        columns = zip(*(log.values(key, factor)[:common] for log in logs.values()), strict=True)
        means = [sum(column) / len(column) for column in columns]
        means += [math.nan] * (len(longest) - common)
        _by_stage(axes, longest, means, "mean", color=INK, linewidth=2)
    legend_below(figure, axes)
    return figure


def mark_stages(axes: "Axes", stages: Sequence[Stage], *, names: bool = True) -> None:
    """A dashed line where a stage begins, its name above, and its warm-up on shaded ground."""
    for number, stage in enumerate(stages):
        if number:
            axes.axvline(stage.first - 0.5, color=SOFT, linewidth=0.9, linestyle=(0, (3, 2)))
        if stage.warmup:
            axes.axvspan(
                stage.first - 0.5, stage.first + stage.warmup - 0.5, color=PANEL, zorder=0, lw=0
            )
        if names and len(stages) > 1:
            axes.text(
                (stage.first + stage.last) / 2,
                1.02,
                stage_name(stage.name),
                transform=axes.get_xaxis_transform(),
                ha="center",
                va="bottom",
                fontsize=8,
                color=SOFT,
            )


def whole_epochs(axes: "Axes", epochs: int, ticks: int = 9) -> None:
    """An axis of epochs 1 to `epochs`, with whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(0.5, epochs + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=ticks, integer=True, min_n_ticks=1))


def _chart(log: Log, label: str) -> "tuple[Figure, Axes]":
    figure = new_figure(*SIZE)
    axes = figure.subplots()
    mark_stages(axes, log.stages)
    whole_epochs(axes, len(log))
    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    return figure, axes


def _lines(log: Log, series: Mapping[str, Sequence[float]], label: str) -> "Figure":
    figure, axes = _chart(log, label)
    for number, (name, values) in enumerate(series.items()):
        _by_stage(axes, log, values, name, color=SERIES[number], marker=_marker(log))
    if len(series) > 1:
        legend_below(figure, axes, 3)
    else:
        axes.set_ylabel(f"{label}, {next(iter(series))}")
    return figure


def _by_stage(
    axes: "Axes", log: Log, values: Sequence[float], name: str = "", **style: Any
) -> None:
    """A line for each stage: what happens between two stages is a jump and not a slope."""
    for stage in log.stages:
        part = slice(stage.first - 1, stage.last)
        # One entry in the legend, not one a stage.
        shown = name if name and stage is log.stages[0] else "_nolegend_"
        axes.plot(log.epochs[part], values[part], label=shown, **style)


def _marker(log: Log) -> str:
    return "o" if len(log) <= MOST_MARKERS else ""
