"""Sections that only a demo's page has: figures, conditions, resources, steps."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from hw.report.text import DESIGN_FIGURES, FIGURES, Figure, duration, grouped


def figures(table: Mapping[str, Any]) -> str:
    """The figures that stand large at the top of the page: the network's, and each design's."""
    boxes = _boxes(FIGURES, table)
    for design in table.get("designs", []):
        boxes += _boxes(DESIGN_FIGURES, design, f"{design['style']}: ")
    return f'<div class="figures">{boxes}</div>' if boxes else ""


def _boxes(known: Sequence[Figure], found: Mapping[str, Any], prefix: str = "") -> str:
    return "".join(
        f'<div class="figure"><b>{escape(figure.of(found))}</b>'
        f"<span>{escape(prefix + figure.label)}</span></div>"
        for figure in known
        if figure.headline and figure.of(found)
    )


def checks(table: Mapping[str, Any]) -> str:
    """What had to hold at the end, and whether it did."""
    found = table.get("checks", [])
    if not found:
        return ""
    rows = "".join(
        f"<tr><td class='text'>{escape(check['what'])}</td><td>{escape(check['measured'])}</td>"
        f"<td class='{'pass' if check['passed'] else 'fail'}'>"
        f"{'holds' if check['passed'] else 'MISSED'}</td></tr>"
        for check in found
    )
    return (
        "<section><h2>What had to hold</h2><table><thead><tr><th>condition</th><th>measured</th>"
        f"<th></th></tr></thead><tbody>{rows}</tbody></table></section>"
    )


def closing_table(table: Mapping[str, Any]) -> str:
    """Every figure of the closing table."""
    # The genotype is drawn above.
    rows = "".join(
        f"<tr><td>{escape(figure.label)}</td><td>{escape(figure.of(table))}</td></tr>"
        for figure in FIGURES
        if figure.of(table) and figure.key != "genotype"
    )
    if not rows:
        return ""
    return (
        f"<section><h2>The figures</h2><table class='pairs'>{rows}</table>"
        f"{_designs(table.get('designs', []))}</section>"
    )


def _designs(found: Sequence[Mapping[str, Any]]) -> str:
    """The network in each style of hardware, side by side."""
    if not found:
        return ""
    head = "".join(f"<th>{escape(design['style'])}</th>" for design in found)
    rows = "".join(
        f"<tr><td class='text'>{escape(figure.label)}</td>"
        + "".join(f"<td>{escape(figure.of(design))}</td>" for design in found)
        + "</tr>"
        for figure in DESIGN_FIGURES
        if any(figure.of(design) for design in found)
    )
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>"


def layers(record: Mapping[str, Any]) -> str:
    """What synthesis counted by layer, or by part of an overlay, for each bitstream."""
    return "".join(
        _layers(step["name"], step["result"]["layers"])
        for step in record.get("steps", [])
        if isinstance(step["result"].get("layers"), list)
    )


def _layers(step: str, found: Sequence[Mapping[str, Any]]) -> str:
    columns = [
        (key, title)
        for key, title in (
            ("lut", "LUT"),
            ("ff", "FF"),
            ("carry", "carry"),
            ("ram_bits", "RAM bits"),
            ("dsp", "DSP"),
        )
        if any(key in layer for layer in found)
    ]
    most = max(layer.get("lut", 0) for layer in found) or 1
    head = "".join(f"<th>{title}</th>" for _, title in columns)
    rows = "".join(
        f"<tr><td><code>{escape(layer['name'])}</code></td>"
        + "".join(f"<td>{grouped(layer.get(key, 0))}</td>" for key, _ in columns)
        + f"<td class='bar'><div style='width:{100 * layer.get('lut', 0) / most:.1f}%'></div>"
        + "</td></tr>"
        for layer in sorted(found, key=lambda layer: -layer.get("lut", 0))
    )
    return (
        f"<section><h2>Resources: {escape(step)}</h2><div class='scroll'><table><thead><tr>"
        "<th>part</th>"
        f"{head}<th></th></tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def steps(record: Mapping[str, Any]) -> str:
    """The commands of the demo, in order."""
    done = record.get("steps", [])
    if not done:
        return ""
    rows = "".join(
        f"<tr><td>{escape(step['name'])}</td><td class='text'><code>{escape(step['command'])}"
        f"</code></td><td>{duration(step['seconds'])}</td></tr>"
        for step in done
    )
    return (
        "<section><h2>The steps</h2><div class='scroll'><table><thead><tr><th>step</th>"
        "<th class='text'>command</th><th>time</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div></section>"
    )
