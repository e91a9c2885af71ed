"""A comparison (`shiftnas compare`): its compare.json, and the logs of its trainings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from hw import documents
from hw.errors import InputError
from hw.report import log as logs
from hw.report.log import Log

CONTENT = "compare.json"
SCHEMA_VERSION = 1
AGAIN = "run `shiftnas compare` again with --resume"


@dataclass(frozen=True)
class Comparison:
    """What a comparison has come to.

    Parameters
    ----------
    content: of compare.json, see docs/cli.md
    logs: arm and domain -> logs of the trainings that are done, seed by seed
    """

    content: Mapping[str, Any]
    logs: Mapping[tuple[str, str], Sequence[Log]]

    @property
    def arms(self) -> list[str]:
        """In the order of the table."""
        return list(self.content["arms"])

    @property
    def domains(self) -> list[str]:
        """Of the trainings that are done."""
        return [d for d in self.content["domains"] if any(d == of for _, of in self.logs)]

    def accuracies(self, arm: str, domain: str) -> list[float]:
        """Of the images that networks are judged by, in percent, a training each."""
        return [
            100 * run["accuracy"]
            for run in self.content["runs"]
            if (run["arm"], run["domain"]) == (arm, domain)
        ]

    def differences(self, domain: str) -> dict[str, Mapping[str, Any]]:
        """Arm -> its difference to the baseline in accuracy: mean, low, high as shares."""
        return {
            entry["arm"]: entry["differences"]["accuracy"]
            for entry in self.content["table"]
            if entry["domain"] == domain and "accuracy" in entry["differences"]
        }


def read(folder: Path) -> Comparison | None:
    """The comparison in a folder, None where it is none.

    Raises
    ------
    InputError: a file of it is damaged
    """
    path = folder / CONTENT
    if not path.exists():
        return None
    content = documents.read_json(path, "comparison", SCHEMA_VERSION, AGAIN)
    found: dict[tuple[str, str], list[Log]] = {}
    try:
        for run in content["runs"]:
            log = logs.read(folder / run["folder"] / "log.jsonl")
            found.setdefault((run["arm"], run["domain"]), []).append(log)
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: runs: not as a comparison writes them; {AGAIN}") from error
    return Comparison(content, found)


def section(comparison: Comparison) -> str:
    """The table as it was written, and what must be said with it."""
    shown = comparison.content["shown"]
    head = "".join(f"<th>{escape(cell)}</th>" for cell in shown["head"])
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in shown["rows"]
    )
    notes = "".join(f"<p class='note'>{escape(note)}</p>" for note in shown["notes"])
    return (
        f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"</div>{notes}"
    )
