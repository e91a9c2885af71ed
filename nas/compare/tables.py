"""The table of a comparison: as Markdown, CSV and LaTeX, and its runs one by one as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from nas.compare.figures import ACCURACY, FIGURES, Figure

NONE = "–"
SUMMARY_KEYS = ("n", "mean", "sd", "median", "least", "most")
DIFFERENCE_KEYS = ("mean", "low", "high", "paired")


def markdown(content: Mapping[str, Any]) -> str:
    """The table and what must be said with it."""
    shown = content["shown"]
    lines = [shown["head"], ["---"] * len(shown["head"]), *shown["rows"]]
    # A note a paragraph.
    return "\n\n".join(["\n".join(map(_row, lines)), *shown["notes"]]) + "\n"


def latex(content: Mapping[str, Any]) -> str:
    """The same for a paper; needs the package booktabs."""
    head, rows = content["shown"]["head"], content["shown"]["rows"]
    body = [" & ".join(map(_escaped, cells)) + r" \\" for cells in (head, *rows)]
    columns = "l" * (2 if len(content["domains"]) > 1 else 1)
    columns += "r" * (len(head) - len(columns))
    return "\n".join(
        [
            *(f"% {note}" for note in content["shown"]["notes"]),
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            body[0],
            r"\midrule",
            *body[1:],
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def summary_csv(content: Mapping[str, Any]) -> str:
    """A line an arm, domain and figure; all numbers in full, shares from 0 to 1."""
    head = ["arm", "domain", "figure", *SUMMARY_KEYS]
    head += ["baseline", "difference", "low", "high", "paired", "pairs"]
    rows = []
    for entry in content["table"]:
        for key, of in entry["figures"].items():
            row = [entry["arm"], entry["domain"], key, *(of[name] for name in SUMMARY_KEYS)]
            by = entry["differences"].get(key)
            if by is not None:
                row += [content["baseline"], *(by[name] for name in DIFFERENCE_KEYS)]
                row.append(by["n"][0] if by["paired"] else None)
            rows.append(row + [None] * (len(head) - len(row)))
    return _csv([head, *rows])


def runs_csv(content: Mapping[str, Any]) -> str:
    """A line a training."""
    keys = ["arm", "domain", "seed", *(figure.key for figure in FIGURES), "folder"]
    rows = [[run.get(key) for key in keys] for run in content["runs"]]
    return _csv([keys, *rows])


def notes(content: Mapping[str, Any]) -> list[str]:
    """What the table's figures are, and what they are not; a sentence or two each."""
    level = f"{100 * content['confidence']:.0f} %"
    said = []
    if content["done"] < content["planned"]:
        said.append(f"Unfinished: {content['done']} of {content['planned']} runs are done.")
    said.append("Mean ± sample standard deviation over n seeds; seconds are of the clock.")
    said.append(
        f"Differences to {content['baseline']} with intervals of {level}: of pairs of runs by the "
        "same seed, and of these alone, whatever the means beside them are of; else Welch's. Each "
        "interval stands for itself: of twenty with no difference behind them one leaves zero out. "
        "Of one seed there is none."
    )
    for domain, settings in content["unequal"].items():
        for setting, values in settings.items():
            shown = ", ".join(f"{value} ({arm})" for arm, value in values.items())
            said.append(f"Not trained alike: {setting} of {domain} weights: {shown}.")
    for domain in content["domains"]:
        chosen = [
            f"{entry['arm']}: seed {entry['chosen']['seed']}, "
            f"{100 * entry['chosen']['accuracy']:.2f} %"
            for entry in content["table"]
            if entry["domain"] == domain and "chosen" in entry
        ]
        if chosen:
            said.append(
                f"Chosen by validation images, of {domain} weights, with their test accuracy: "
                f"{'; '.join(chosen)}."
            )
    if content["between_domains"]:
        said += _domains_unlike(content)
    for entry in content["between_domains"]:
        first, second = content["domains"]
        text = difference_text(entry["accuracy"], ACCURACY)
        said.append(
            f"{entry['arm']}: {content['split']} accuracy in {first} minus {second} weights, "
            f"points: {text}."
        )
    return said


def _domains_unlike(content: Mapping[str, Any]) -> list[str]:
    """A note a setting and values in which the trainings of the domains differ."""
    arms: dict[str, list[str]] = {}
    for arm, settings in content["unequal_domains"].items():
        for setting, values in settings.items():
            shown = ", ".join(f"{value} ({domain} weights)" for domain, value in values.items())
            arms.setdefault(f"{setting}: {shown}", []).append(arm)
    return [
        f"Domains not trained alike, so that their difference is of weights and settings: {what}, "
        f"in {', '.join(of)}."
        for what, of in arms.items()
    ]


# --- cells -------------------------------------------------------------------------------


def difference_text(found: Mapping[str, Any], figure: Figure) -> str:
    """`+0.72 [−0.10, 1.54] (3 pairs)`, of Welch's without pairs; no interval where one seed has
    none."""
    text = f"{figure.scale * found['mean']:+{figure.form}}"
    if found["low"] is not None:
        low, high = (f"{figure.scale * found[key]:{figure.form}}" for key in ("low", "high"))
        text += f" [{low}, {high}]"
    if found["paired"]:
        n, _ = found["n"]
        text += f" ({n} pair{'s' * (n > 1)})"
    elif found["low"] is not None:
        text += " (Welch)"
    return text.replace("-", "−")


def cells(content: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Head and lines of the table as it is read."""
    known, split = _known(content), content["split"]
    by_domain = len(content["domains"]) > 1
    head = ["arm", *(["weights are"] if by_domain else []), "n", ACCURACY.titled(split), "median"]
    head.append(f"difference to {content['baseline']}, points")
    head += [figure.titled(split) for figure in known if figure is not ACCURACY]
    rows = []
    for entry in content["table"]:
        accuracy = entry["figures"][ACCURACY.key]
        by = entry["differences"].get(ACCURACY.key)
        row = [entry["arm"], *([entry["domain"]] if by_domain else []), str(accuracy["n"])]
        row += [_mean(accuracy, ACCURACY), f"{ACCURACY.scale * accuracy['median']:{ACCURACY.form}}"]
        row.append(NONE if by is None else difference_text(by, ACCURACY))
        for figure in known:
            if figure is not ACCURACY:
                of = entry["figures"].get(figure.key)
                row.append(NONE if of is None else _mean(of, figure))
        rows.append(row)
    return head, rows


def _known(content: Mapping[str, Any]) -> list[Figure]:
    """Figures that some arm has."""
    entries = content["table"]
    return [f for f in FIGURES if any(f.key in entry["figures"] for entry in entries)]


def _mean(of: Mapping[str, Any], figure: Figure) -> str:
    mean = f"{figure.scale * of['mean']:{figure.form}}"
    return mean if of["sd"] is None else f"{mean} ± {figure.scale * of['sd']:{figure.form}}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


_LATEX = {"±": r"$\pm$", "–": "--", "−": "$-$", "%": r"\%", "_": r"\_"}
"""All that is special in our titles and numbers, and in the names of arms."""


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
