"""Tables about runs: what was run, its stages, its seeds."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from hw.networks.cells import build
from hw.networks.conventional import OF_CELLS
from hw.networks.counts import count
from hw.networks.genotypes import CIFAR10
from hw.networks.space import SKIP, Genotype
from hw.report.curves import stage_name
from hw.report.folder import Run
from hw.report.text import duration, grouped, percent

NONE = "—"
SHARED = (
    "strategy",
    "domain",
    "data",
    "precision",
    "supernet",
    "network",
    "batch",
    "optimiser",
    "first learning rate",
)
"""Rows of the header that all seeds of a run have in common."""


def header(run: Run, several: bool = False) -> str:
    """What was run and how far it came, then every setting, folded.

    `several`: leave out what differs between seeds.
    """
    rows = "".join(
        f"<div><dt>{escape(label)}</dt><dd>{escape(text)}</dd></div>"
        for label, text in _head_rows(run)
        if not several or label in SHARED
    )
    return f"<dl class='facts'>{rows}</dl>{_settings(run, several)}"


def stages(run: Run) -> str:
    """A row a stage: epochs, the last figures, the time."""
    log = run.log
    if not log.stages:
        return "<p class='note'>No epoch is done yet.</p>"
    columns = [
        ("loss", f"{_whose(run)}training loss", lambda value: f"{value:.4g}"),
        ("accuracy", f"{_whose(run)}training accuracy", percent),
        ("held_out_accuracy", f"{_whose(run)}held-out accuracy", percent),
        ("validation_accuracy", "validation accuracy", percent),
        ("validation_top5_accuracy", "validation, top 5", percent),
    ]
    columns = [column for column in columns if log.has(column[0])]
    head = "".join(f"<th>{title}</th>" for _, title, _ in columns)
    rows = []
    for stage in log.stages:
        part = slice(stage.first - 1, stage.last)
        seconds = _sum(log.values("seconds")[part])
        warmup = f", {stage.warmup} of warm-up" if stage.warmup else ""
        rows.append(
            f"<tr><td>{escape(stage_name(stage.name))}</td>"
            f"<td>{stage.epochs} of {stage.planned}{warmup}</td>"
            + "".join(
                f"<td>{_or_none(log.values(key)[part][-1], text)}</td>" for key, _, text in columns
            )
            + f"<td>{duration(seconds)}</td><td>{seconds / stage.epochs:.2f} s</td></tr>"
        )
    return (
        "<div class='scroll'><table><thead><tr><th>stage, its last epoch</th><th>epochs</th>"
        f"{head}<th>time</th><th>an epoch</th></tr></thead><tbody>{''.join(rows)}</tbody></table>"
        "</div>"
    )


def seeds(runs: Mapping[str, Run]) -> str:
    """A row a seed, then mean ± sample standard deviation (n − 1)."""
    whose = _whose(next(iter(runs.values())))
    columns: list[tuple[str, Callable[[Run], float | None], str]] = [
        # title, value, how it is written
        ("test accuracy, %", lambda run: _percent(_final(run, "test")), ".2f"),
        ("validation accuracy, %", lambda run: _percent(_final(run, "validation")), ".2f"),
        (f"{whose}training loss", lambda run: run.log.last("loss"), ".4f"),
        (f"{whose}training accuracy, %", lambda run: _percent(run.log.last("accuracy")), ".2f"),
        (
            f"{whose}held-out accuracy, %",
            lambda run: _percent(run.log.last("held_out_accuracy")),
            ".2f",
        ),
        ("skips, normal cell", lambda run: _skips(run, False), ".3g"),
        ("skips, reduction cell", lambda run: _skips(run, True), ".3g"),
        ("trainable weights, CIFAR-10 network", _cifar10_of, ",.0f"),
        ("time, s", lambda run: _sum(run.log.values("seconds")), ",.0f"),
    ]
    known = []
    for title, value, form in columns:
        values = [value(run) for run in runs.values()]
        if any(entry is not None for entry in values):
            known.append((title, values, form))
    head = "".join(f"<th>{title}</th>" for title, _, _ in known)
    rows = [
        f"<tr><td>{escape(name)}</td><td>{len(run.log)}{'' if run.finished else ', unfinished'}"
        "</td>"
        + "".join(
            f"<td>{mean_and_deviation(values[number : number + 1], form)}</td>"
            for _, values, form in known
        )
        + "</tr>"
        for number, (name, run) in enumerate(runs.items())
    ]
    means = "".join(f"<td>{mean_and_deviation(values, form)}</td>" for _, values, form in known)
    return (
        f"<div class='scroll'><table><thead><tr><th>seed</th><th>epochs</th>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}<tr class='mean'><td>mean ± std</td><td></td>{means}</tr></tbody>"
        f"</table></div><p class='note'>{len(runs)} seeds; figures of each run's last epoch. std: "
        "the sample standard deviation (n − 1).</p>"
    )


def mean_and_deviation(values: Sequence[float | None], form: str) -> str:
    """`mean ± sample standard deviation` of the values that are known; a lone one as it is."""
    known = [value for value in values if value is not None and not math.isnan(value)]
    if not known:
        return NONE
    mean = format(statistics.fmean(known), form)
    return mean if len(known) == 1 else f"{mean} ± {format(statistics.stdev(known), form)}"


def weights_of_cifar10_network(genotype: Genotype) -> int:
    """Of the genotype's full-size CIFAR-10 network, the one that the literature counts."""
    return count(build(genotype, **CIFAR10)).weights


def _head_rows(run: Run) -> list[tuple[str, str]]:
    config, log, section, searched = run.config, run.log, run.settings, run.kind == "search"
    rows: list[tuple[str, Any]] = [
        ("strategy", run.strategy if searched else None),
        ("domain", config.get("domain")),
        ("data", config.get("data")),
        ("seed", config.get("seed")),
        ("precision", config.get("precision")),
        ("supernet" if searched else "network", _sizes(run)),
        ("batch", section.get("batch")),
        ("optimiser", section.get("optimiser")),
        ("first learning rate", section.get("lr")),
        ("state", _state(run)),
        ("time, all epochs", duration(_sum(log.values("seconds"))) if len(log) else None),
    ]
    if "accuracy" in run.metrics:
        images, split = run.metrics.get("images"), _judged_by(run)
        of = f" of {grouped(images)} {split} images" if images else ""
        rows.append((f"{split} accuracy", f"{percent(run.metrics['accuracy'])}{of}"))
    if "weights" in run.metrics:
        rows.append(("trainable weights", grouped(run.metrics["weights"])))
    if run.genotype is not None and searched:
        weights = grouped(weights_of_cifar10_network(run.genotype))
        rows.append(
            ("trainable weights", f"{weights} in its CIFAR-10 network of 36 channels and 20 cells")
        )
    return [(label, str(value)) for label, value in rows if value not in (None, "")]


def _judged_by(run: Run) -> str:
    """The split that the accuracy in a finished training's metrics is of."""
    return run.metrics.get("split", "test")


def _final(run: Run, split: str) -> float | None:
    """Accuracy of the trained network on the images of `split`, None where it has none."""
    key = "accuracy" if _judged_by(run) == split else f"{split}_accuracy"
    return run.metrics.get(key)


def _sizes(run: Run) -> str:
    section = run.settings
    if run.model:
        model, stem = run.model, section.get("stem")
        if "own" in model:
            return f"{model['own']}, {len(model.get('nodes', ()))} nodes"
        return f"{model.get('name')}, width {model.get('width')}, stem {stem}"
    if "channels" not in section or "cells" not in section:
        return ""
    return f"{section['channels']} channels, {section['cells']} cells"


def _state(run: Run) -> str:
    done = f"{len(run.log)} epochs" if len(run.log) != 1 else "1 epoch"
    if run.finished:
        return f"finished, {done}"
    if not run.log.stages:
        return "unfinished, no epoch done"
    stage = run.log.stages[-1]
    name = stage_name(stage.name)
    return f"unfinished, {done} done, epoch {stage.epochs} of {stage.planned} of {name}"


def _settings(run: Run, several: bool) -> str:
    """All settings that this kind of run reads, folded; without the seed where it has several."""
    other = {"search": "train", "train": "search"}[run.kind]
    unread = {f"{run.kind}.{name}" for name in (OF_CELLS if run.model else ())}
    if "own" in run.model:
        unread |= {f"{run.kind}.stem", "model.nodes"}
    rows = "".join(
        f"<tr><td><code>{escape(key)}</code></td><td class='text'>{escape(str(value))}</td></tr>"
        for key, value in _flat(run.config)
        if key.partition(".")[0] not in (other, "kind")
        if key not in unread
        if not (several and key == "seed")
    )
    if not rows:
        return ""
    return f"<details><summary>All settings</summary><table class='pairs'>{rows}</table></details>"


def _flat(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in config.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", "none" if value is None else value))
    return rows


def _whose(run: Run) -> str:
    """A search trains a supernet; no figure of it is one of the network that it finds."""
    return "supernet's " if run.kind == "search" else ""


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _skips(run: Run, reduction: bool) -> int | None:
    if run.genotype is None:
        return None
    return sum(operation == SKIP for operation, _ in run.genotype.edges(reduction))


def _cifar10_of(run: Run) -> float | None:
    if run.genotype is None or run.kind != "search":
        return None
    return weights_of_cifar10_network(run.genotype)


def _sum(values: Sequence[float]) -> float:
    return sum(value for value in values if not math.isnan(value))


def _or_none(value: float | None, text: Callable[[float], str]) -> str:
    return NONE if value is None or math.isnan(value) else text(value)
