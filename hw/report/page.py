"""The page itself: from what a run left in its folder to one HTML file.

A demo's folder has everything (see `hw.commands.demo`); the folder of a search or of a training has
the curves, the architecture and the cells; that of a comparison its table. What is not there is
left out.
"""

import base64
from collections.abc import Iterable, Mapping
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from hw.outputs import write_atomic
from hw.report import comparison, demo, pictures, tables
from hw.report.folder import Content, Run, read
from hw.report.plotting import Picture, render

MARKS = (b"<title>ShiftNAS: ",)
"""What a page can be told by."""


def write(folder: str | Path, path: str | Path | None = None) -> Path:
    """Write the page of the run in `folder` to `path` (default: report.html in it)."""
    target = Path(path) if path is not None else Path(folder) / "report.html"
    write_atomic(target, page(read(folder)))
    return target


def write_pictures(content: Content, folder: Path) -> list[str]:
    """Every picture as a file of its own, NAME.svg and NAME.png; returns the files' names."""
    names = []
    for picture in pictures.every(content):
        for form in ("svg", "png"):
            names.append(f"{picture.name}.{form}")
            write_atomic(folder / names[-1], render(picture, form))
    return names


def page(content: Content) -> str:
    """The page as HTML text.

    Raises
    ------
    InputError: matplotlib is not installed
    """
    style = resources.files("hw.report").joinpath("style.css").read_text(encoding="utf-8")
    table = content.record.get("table", {})
    sections = [_head(content), demo.figures(table), _seeds(content)]
    for run in content.runs:
        sections.append(_run(run))
        # The cells once: the demo's training has the genotype that its search found.
        genotype = run.genotype
        if genotype is not None and genotype is content.genotype:
            sections.append(
                f"<section><h2>The two cells</h2>{_figures(pictures.cells(genotype))}"
                f"{CELL_NOTE}</section>"
            )
    sections += [_cells_of_seeds(content), _comparison(content)]
    sections += [demo.checks(table), demo.closing_table(table)]
    sections += [demo.layers(content.record), demo.steps(content.record)]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>ShiftNAS: {escape(content.name)}</title><style>{style}</style></head>\n"
        f"<body>{''.join(sections)}</body></html>\n"
    )


CELL_NOTE = (
    "<p class='note'>c[k−2] and c[k−1] are the outputs of the two cells before; a node adds its "
    "two inputs; c[k] concatenates nodes. In the reduction cell the operations on c[k−2] and "
    "c[k−1] have stride 2.</p>"
)


WARMUP_NOTE = (
    "<p class='note'>Shaded: epochs of warm-up, in which only the weights are trained.</p>"
)


def _head(content: Content) -> str:
    table = content.record.get("table", {})
    lead = "From images to a bitstream in one run" if table else "Curves and cells of one run"
    place = table.get("data")
    if content.seeds:
        lead = f"Curves and cells of {len(content.seeds)} seeds"
    if content.comparison is not None:
        lead = f"{len(content.comparison.arms)} ways to a network compared"
        place = content.comparison.content["data"]
    data = "" if place is None else f" on {escape(str(place))}"
    caution = (
        '<p class="note">The search and the training of a demo are small by configuration: they '
        "show the tool at work, not what the search is worth.</p>"
        if table
        else ""
    )
    return (
        f"<header><h1>ShiftNAS: {escape(content.name)}</h1><p class='lead'>{lead}{data}."
        f"{_weights_in_words(content)}</p>{caution}</header>"
    )


def _weights_in_words(content: Content) -> str:
    """That all weights are powers of two, where that is so of every run."""
    runs = [*content.runs, *content.seeds.values()]
    if not all(map(_all_shifted, runs)):
        return ""
    if content.comparison is not None:
        compared = content.comparison.content
        domains = {arm.get("search_domain") for arm in compared["arms"].values()}
        domains.update(compared["domains"])
        if "real" in domains or not all(map(_shifts_ends, content.compared)):
            return ""
    return (
        " Every weight is 0 or ±2<sup>p</sup>, so that a multiplication is a shift and an addition."
    )


def _all_shifted(run: Run) -> bool:
    """INQ's weights are real until the last epoch."""
    incremental = (run.config.get("shift") or {}).get("layer") == "inq"
    unfrozen = incremental and not run.finished
    return run.config.get("domain") != "real" and not unfrozen and _shifts_ends(run.config)


def _shifts_ends(config: Mapping[str, Any]) -> bool:
    """Whether stem and classifier have shift weights too."""
    shift = config.get("shift") or {}
    return bool(shift.get("stem", True) and shift.get("classifier", True))


def _run(run: Run) -> str:
    """One search or training: what was run, its stages, its pictures."""
    architecture = list(pictures.of_architecture(run))
    within = list(pictures.of_inside(run))
    warmup = any(stage.warmup for stage in run.log.stages)
    more = f"<h3>Architecture over the epochs</h3>{_figures(architecture)}" if architecture else ""
    if within:
        more += f"<h3>Inside the network</h3>{_figures(within)}"
    return (
        f"<section><h2>{escape(run.title)}</h2>{tables.header(run)}{tables.stages(run)}"
        f"{_figures(pictures.of_curves(run))}{WARMUP_NOTE if warmup else ''}{more}</section>"
    )


def _seeds(content: Content) -> str:
    if not content.seeds:
        return ""
    first = next(iter(content.seeds.values()))
    return (
        f"<section><h2>{escape(first.title)} with several seeds</h2>"
        f"{tables.header(first, several=True)}{tables.seeds(content.seeds)}"
        f"{_figures(pictures.of_seeds(content))}</section>"
    )


def _comparison(content: Content) -> str:
    found = content.comparison
    if found is None:
        return ""
    return (
        f"<section><h2>Comparison</h2>{comparison.section(found)}"
        f"{_figures(pictures.of_comparison(found))}</section>"
    )


def _cells_of_seeds(content: Content) -> str:
    parts = [
        f"<h3>{escape(name)}</h3>{_figures(pictures.cells(run.genotype, f'{name}-'))}"
        for name, run in content.seeds.items()
        if run.genotype is not None
    ]
    return f"<section><h2>The cells of each seed</h2>{''.join(parts)}</section>" if parts else ""


def _figures(shown: Iterable[Picture]) -> str:
    parts = "".join(_figure(picture) for picture in shown)
    return f"<div class='charts'>{parts}</div>" if parts else ""


def _figure(picture: Picture) -> str:
    """The picture inside the page, as an image: what it defines cannot meet another's names."""
    code = base64.b64encode(render(picture, "svg")).decode()
    note = f"<p class='note'>{escape(picture.text)}</p>" if picture.text else ""
    alt = escape(f"{picture.title}. {picture.text}".strip(), quote=True)
    return (
        f"<figure{' class=wide' if picture.wide else ''}><figcaption>{escape(picture.title)}"
        f'</figcaption><div class="scroll"><img alt="{alt}" '
        f'src="data:image/svg+xml;base64,{code}"></div>{note}</figure>'
    )
