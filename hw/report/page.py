"""The page itself: reads what a run left in its folder, writes `report.html`.

A demo's folder has everything (see `hw.demo`); the folder of a search or of a training has the
curves and the cells. What is not there is left out.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from hw import genotypes
from hw.console import write_atomic
from hw.errors import InputError
from hw.report.cell import draw
from hw.report.chart import line_chart
from hw.report.text import FIGURES, duration, grouped
from hw.space import Genotype


@dataclass(frozen=True)
class Run:
    """What is known about a run.

    Parameters
    ----------
    name: of the folder
    logs: title -> one record an epoch, from a log.jsonl
    genotype: found or trained
    record: content of demo.json, empty for a search or a training
    """

    name: str
    logs: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    genotype: Genotype | None = None
    record: Mapping[str, Any] = field(default_factory=dict)


def read(folder: str | Path) -> Run:
    """Collect a run; InputError where the folder is not one or a file in it is broken."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give that of a demo, a search or a training")
    record = _json(folder / "demo.json") if (folder / "demo.json").exists() else {}
    logs, genotype = {}, None
    for title, place in (
        ("Search", folder / "search"),
        ("Training", folder / "train"),
        ("", folder),
    ):
        if (place / "log.jsonl").exists():
            records = _json_lines(place / "log.jsonl")
            logs[title or "Training"] = records
        if genotype is None and (place / "genotype.yaml").exists():
            genotype = genotypes.load(place / "genotype.yaml")
    if not record and not logs:
        raise InputError(
            f"{folder}: neither demo.json nor log.jsonl in it; it is not a run's folder"
        )
    return Run(folder.resolve().name, logs, genotype, record)


def write(folder: str | Path, path: str | Path | None = None) -> Path:
    """Write the page of the run in `folder` to `path` (default: report.html in it)."""
    target = Path(path) if path is not None else Path(folder) / "report.html"
    write_atomic(target, render(read(folder)))
    return target


def render(run: Run) -> str:
    """The page as HTML text."""
    style = resources.files("hw.report").joinpath("style.css").read_text(encoding="utf-8")
    table = run.record.get("table", {})
    sections = [_head(run, table), _figures(table)]
    if run.genotype is not None:
        sections.append(_cells(run.genotype))
    sections += [_curves(title, records) for title, records in run.logs.items()]
    sections += [_checks(table), _closing_table(table), _layers(run.record), _steps(run.record)]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>ShiftNAS: {escape(run.name)}</title><style>{style}</style></head>\n"
        f"<body>{''.join(sections)}</body></html>\n"
    )


# --- sections


def _head(run: Run, table: Mapping[str, Any]) -> str:
    data = f" on {escape(str(table['data']))}" if "data" in table else ""
    lead = "From images to a bitstream in one run" if table else "Curves and cells of one run"
    caution = (
        '<p class="note">The search and the training of a demo are small by configuration: they '
        "show the tool at work, not what the search is worth.</p>"
        if table
        else ""
    )
    return (
        f"<header><h1>ShiftNAS: {escape(run.name)}</h1><p class='lead'>{lead}{data}. Every weight "
        "is 0 or ±2<sup>p</sup>, so that a multiplication is a shift and an addition.</p>"
        f"{caution}</header>"
    )


def _figures(table: Mapping[str, Any]) -> str:
    known = [figure for figure in FIGURES if figure.headline and table.get(figure.key) is not None]
    boxes = "".join(
        f'<div class="figure"><b>{escape(figure.text(table[figure.key]))}</b>'
        f"<span>{escape(figure.label)}</span></div>"
        for figure in known
    )
    return f'<div class="figures">{boxes}</div>' if boxes else ""


def _cells(genotype: Genotype) -> str:
    drawings = "".join(
        f"<h3>{title}</h3><div class='scroll'>{draw(edges, concat, title)}</div>"
        for title, edges, concat in (
            ("Normal cell", genotype.normal, genotype.normal_concat),
            ("Reduction cell", genotype.reduce, genotype.reduce_concat),
        )
    )
    return (
        f"<section><h2>The two cells</h2>{drawings}"
        "<p class='note'>c[k−2] and c[k−1] are the outputs of the two cells before; a node adds "
        "its two inputs; c[k] concatenates nodes. In the reduction cell the operations on c[k−2] "
        "and c[k−1] have stride 2.</p></section>"
    )


def _curves(title: str, records: Sequence[Mapping[str, Any]]) -> str:
    marks = _phases(records)
    accuracy = {
        "training": [_percent(record.get("accuracy")) for record in records],
        "held out": [_percent(record.get("validation_accuracy")) for record in records],
    }
    charts = [
        line_chart("Accuracy", _known(accuracy), unit=" %", marks=marks),
        line_chart("Loss", _known({"training": [r.get("loss") for r in records]}), marks=marks),
        line_chart("Learning rate", _known({"rate": [r.get("lr") for r in records]}), marks=marks),
        line_chart(
            "Temperature", _known({"T": [r.get("temperature") for r in records]}), marks=marks
        ),
    ]
    return f"<section><h2>{escape(title)}</h2><div class='charts'>{''.join(charts)}</div></section>"


def _phases(records: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Epoch (counted over the whole log) at which a stage or phase starts, and its name."""
    marks, before = {}, None
    for epoch, record in enumerate(records, 1):
        names = [str(record[key]) for key in ("stage", "phase") if record.get(key)]
        now = " ".join(dict.fromkeys(names))
        if now != before and now:
            marks[epoch] = now
        before = now
    return marks if len(marks) > 1 else {}


def _checks(table: Mapping[str, Any]) -> str:
    checks = table.get("checks", [])
    if not checks:
        return ""
    rows = "".join(
        f"<tr><td class='text'>{escape(check['what'])}</td><td>{escape(check['measured'])}</td>"
        f"<td class='{'pass' if check['passed'] else 'fail'}'>"
        f"{'holds' if check['passed'] else 'MISSED'}</td></tr>"
        for check in checks
    )
    return (
        "<section><h2>What had to hold</h2><table><thead><tr><th>condition</th><th>measured</th>"
        f"<th></th></tr></thead><tbody>{rows}</tbody></table></section>"
    )


def _closing_table(table: Mapping[str, Any]) -> str:
    # The genotype is drawn above.
    rows = "".join(
        f"<tr><td>{escape(figure.label)}</td><td>{escape(figure.text(table[figure.key]))}</td></tr>"
        for figure in FIGURES
        if table.get(figure.key) is not None and figure.key != "genotype"
    )
    return (
        f"<section><h2>The figures</h2><table class='pairs'>{rows}</table></section>"
        if rows
        else ""
    )


def _layers(record: Mapping[str, Any]) -> str:
    """Resources by layer, as synthesis counted them."""
    layers = next(
        (
            step["result"]["layers"]
            for step in reversed(record.get("steps", []))
            if isinstance(step["result"].get("layers"), list)
        ),
        [],
    )
    if not layers:
        return ""
    columns = [
        (key, title)
        for key, title in (
            ("lut", "LUT"),
            ("ff", "FF"),
            ("carry", "carry"),
            ("ram_bits", "RAM bits"),
            ("dsp", "DSP"),
        )
        if any(key in layer for layer in layers)
    ]
    most = max(layer.get("lut", 0) for layer in layers) or 1
    head = "".join(f"<th>{title}</th>" for _, title in columns)
    rows = "".join(
        f"<tr><td><code>{escape(layer['name'])}</code></td>"
        + "".join(f"<td>{grouped(layer.get(key, 0))}</td>" for key, _ in columns)
        + f"<td class='bar'><div style='width:{100 * layer.get('lut', 0) / most:.1f}%'></div>"
        + "</td></tr>"
        for layer in sorted(layers, key=lambda layer: -layer.get("lut", 0))
    )
    return (
        "<section><h2>Resources by layer</h2><div class='scroll'><table><thead><tr><th>layer</th>"
        f"{head}<th></th></tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _steps(record: Mapping[str, Any]) -> str:
    steps = record.get("steps", [])
    if not steps:
        return ""
    rows = "".join(
        f"<tr><td>{escape(step['name'])}</td><td class='text'><code>{escape(step['command'])}"
        f"</code></td><td>{duration(step['seconds'])}</td></tr>"
        for step in steps
    )
    return (
        "<section><h2>The steps</h2><div class='scroll'><table><thead><tr><th>step</th>"
        "<th class='text'>command</th><th>time</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div></section>"
    )


# --- reading


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not valid JSON ({error}); run the demo again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object; run the demo again")
    return content


def _json_lines(path: Path) -> list[dict[str, Any]]:
    records = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise InputError(f"{path}: line {number}: expected one JSON object a line") from error
        if not isinstance(record, dict):
            raise InputError(f"{path}: line {number}: expected one JSON object a line")
        records.append(record)
    return records


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _known(series: Mapping[str, Sequence[float | None]]) -> dict[str, Sequence[float | None]]:
    """The series that have a value at all."""
    return {
        name: values
        for name, values in series.items()
        if any(value is not None for value in values)
    }
