"""Sections that only a demo's page has: figures, conditions, resources, steps."""

from collections.abc import Mapping
from html import escape
from typing import Any

from hw.report.text import FIGURES, duration, grouped


def figures(table: Mapping[str, Any]) -> str:
    """The figures that stand large at the top of the page."""
    known = [figure for figure in FIGURES if figure.headline and table.get(figure.key) is not None]
    boxes = "".join(
        f'<div class="figure"><b>{escape(figure.text(table[figure.key]))}</b>'
        f"<span>{escape(figure.label)}</span></div>"
        for figure in known
    )
    return f'<div class="figures">{boxes}</div>' if boxes else ""


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
        f"<tr><td>{escape(figure.label)}</td><td>{escape(figure.text(table[figure.key]))}</td></tr>"
        for figure in FIGURES
        if table.get(figure.key) is not None and figure.key != "genotype"
    )
    return (
        f"<section><h2>The figures</h2><table class='pairs'>{rows}</table></section>"
        if rows
        else ""
    )


def layers(record: Mapping[str, Any]) -> str:
    """Resources by layer, as synthesis counted them."""
    found = next(
        (
            step["result"]["layers"]
            for step in reversed(record.get("steps", []))
            if isinstance(step["result"].get("layers"), list)
        ),
        [],
    )
    if not found:
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
        "<section><h2>Resources by layer</h2><div class='scroll'><table><thead><tr><th>layer</th>"
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
