"""Code coverage as one self-contained HTML page."""

from collections.abc import Sequence
from html import escape
from importlib import resources

from sim.code_coverage.exclusions import Excluded, reasons
from sim.code_coverage.points import Kind, Point
from sim.code_coverage.summary import Share, Summary

MARKS = (b"<title>ShiftNAS: code coverage",)
"""What a page can be told by."""


def page(rtl: str, total: Summary, modules: Sequence[Summary], excluded: Excluded) -> str:
    """The page as HTML text: figures, a row a module, what was not hit, what need not be."""
    style = resources.files("hw.report").joinpath("style.css").read_text(encoding="utf-8")
    sections = [
        _head(rtl, total, len(modules)),
        _modules([total, *modules]),
        _missing(modules),
        _excluded(excluded),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>ShiftNAS: code coverage of {escape(rtl[:12])}</title><style>{style}</style></head>"
        f"\n<body>{''.join(sections)}</body></html>\n"
    )


def _head(rtl: str, total: Summary, modules: int) -> str:
    boxes = "".join(
        f'<div class="figure"><b>{share.percent:.1f} %</b><span>{what}</span></div>'
        for what, share in (
            ("lines", total.lines),
            ("branches", total.branches),
            ("bits, each way", total.toggles),
        )
    )
    return (
        "<header><h1>Code coverage</h1><p class='lead'>Which lines of the emitted Verilog were "
        "executed, which ways taken at its conditions, which bits have changed from 0 to 1 and "
        f"from 1 to 0: {modules:,} modules of the RTL <code>{escape(rtl[:12])}</code>.</p></header>"
        f'<div class="figures">{boxes}</div>'
    )


def _modules(rows: Sequence[Summary]) -> str:
    body = "".join(
        f"<tr><td><code>{escape(row.name)}</code></td>{_cell(row.lines)}{_cell(row.branches)}"
        f"{_cell(row.toggles)}<td>{row.excluded or ''}</td></tr>"
        for row in rows
    )
    return (
        "<section><h2>By module</h2><div class='scroll'><table><thead><tr><th>module</th>"
        "<th>lines</th><th>branches</th><th>bits</th><th>excluded</th></tr></thead>"
        f"<tbody>{body}</tbody></table></div></section>"
    )


def _cell(share: Share) -> str:
    if not share.of:
        return "<td>—</td>"
    kind = "" if share.hit == share.of else " class='fail'"
    return f"<td{kind}>{share.percent:.1f} % of {share.of:,}</td>"


def _missing(modules: Sequence[Summary]) -> str:
    parts = "".join(
        f"<details><summary><code>{escape(module.name)}</code>: {len(module.missing):,}</summary>"
        f"<table class='pairs'>{''.join(map(_point, module.missing))}</table></details>"
        for module in modules
        if module.missing
    )
    return f"<section><h2>Not hit</h2>{parts or '<p>Nothing.</p>'}</section>"


def _point(point: Point) -> str:
    what = {Kind.LINE: "block", Kind.BRANCH: "way", Kind.TOGGLE: "bit"}[Kind(point.kind)]
    return (
        f"<tr><td>line {point.line}</td><td class='text'>{what} <code>{escape(point.what)}</code>"
        "</td></tr>"
    )


def _excluded(excluded: Excluded) -> str:
    rows = "".join(
        f"<tr><td class='text'>{escape(reason)}</td><td>{count:,}</td></tr>"
        for reason, count in reasons(excluded)
    )
    body = (
        f"<table><thead><tr><th>reason</th><th>points</th></tr></thead><tbody>{rows}</tbody></table>"
        if rows
        else "<p>Nothing.</p>"
    )
    return f"<section><h2>Excluded, and why</h2>{body}</section>"
