"""Points that need not be hit, each with a reason: a file of a user's own.

    - module: shiftnas_top.cell0.*
      toggle: add2[4]
      reason: the counter before it ends at 9

`module` and what is excluded there are patterns in which `*` stands for anything. `toggle` names
bits, `beat[3]` or `beat[3]:0->1`; `line` lines, 12 or 12-20, with the branches on them.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hw import documents
from hw.errors import InputError
from sim.code_coverage.points import Counts, Kind, Point

Excluded = dict[Point, str]
"""Point -> why it need not be hit."""


@dataclass(frozen=True)
class Exclusion:
    """One entry of a file.

    Parameters
    ----------
    module: pattern of modules' names
    toggle: pattern of bits, or ""; lines: numbers of lines
    reason: why what it names cannot or need not be hit
    """

    module: str
    toggle: str
    lines: range
    reason: str

    def names(self, point: Point) -> bool:
        """Whether a point is meant."""
        if not _matches(self.module, point.module):
            return False
        if point.kind == Kind.TOGGLE:
            bit = point.what.rpartition(":")[0]
            return _matches(self.toggle, point.what) or _matches(self.toggle, bit)
        return point.line in self.lines


def load(path: Path) -> list[Exclusion]:
    """Read a file of exclusions.

    Raises
    ------
    InputError: it is none
    """
    try:
        content = documents.load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: {documents.reason(error)}") from None
    if not isinstance(content, list) or not content:
        raise InputError(f"{path}: expected a list of exclusions, each with module and reason")
    return [_exclusion(f"{path}: entry {number}", e) for number, e in enumerate(content, start=1)]


def _exclusion(place: str, entry: Any) -> Exclusion:
    if not isinstance(entry, dict) or not {"module", "reason"} <= set(entry):
        raise InputError(f"{place}: expected module, toggle or line, and reason")
    kinds = set(entry) - {"module", "reason"}
    if kinds not in ({"toggle"}, {"line"}):
        raise InputError(f"{place}: expected toggle or line, one of the two, beside module, reason")
    for key in ("module", "reason", *(kinds & {"toggle"})):
        if not isinstance(entry[key], str) or not entry[key].strip():
            raise InputError(f"{place}: {key}: expected text")
    lines = range(0)
    if "line" in entry:
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", str(entry["line"]))
        if match is None:
            raise InputError(f"{place}: line: {entry['line']!r}; expected a number, or 12-20")
        lines = range(int(match[1]), int(match[2] or match[1]) + 1)
    return Exclusion(entry["module"], entry.get("toggle", ""), lines, entry["reason"].strip())


def excluded(
    exclusions: Iterable[Exclusion], counts: Counts, known: Collection[Point] = ()
) -> Excluded:
    """The points that were not hit and need not be, without those that are known already.

    Raises
    ------
    InputError: an exclusion names no such point: it is wrong, or was overtaken by a run
    """
    open_points = [point for point, count in counts.items() if not count and point not in known]
    found: Excluded = {}
    for exclusion in exclusions:
        named = [point for point in open_points if exclusion.names(point)]
        if not named:
            what = (
                exclusion.toggle or f"lines {exclusion.lines.start} to {exclusion.lines.stop - 1}"
            )
            raise InputError(
                f"exclusions: {exclusion.module}, {what}: names no point that is missing; "
                "remove the entry"
            )
        found |= dict.fromkeys(named, exclusion.reason)
    return found


def reasons(found: Excluded) -> Iterator[tuple[str, int]]:
    """Each reason, and for how many points it stands."""
    for reason in dict.fromkeys(found.values()):
        yield reason, sum(one == reason for one in found.values())


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None
