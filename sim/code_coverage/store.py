"""Code coverage of many runs of one RTL: adding up, files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hw import cache, documents
from hw.errors import InputError
from hw.outputs import write_atomic
from sim.code_coverage.points import Counts, Kind, Point

SCHEMA_VERSION = 1


def digest_of(files: Mapping[str, str]) -> str:
    """Digest of the RTL: name -> text of each of its files."""
    return cache.digest_of(*(text for item in sorted(files.items()) for text in item))


@dataclass
class CodeCoverage:
    """How often each point of an RTL happened.

    Parameters
    ----------
    rtl: `digest_of` its files
    counts: of its points
    """

    rtl: str
    counts: Counts = field(default_factory=dict)

    def add(self, other: "CodeCoverage") -> None:
        """Add another run, of the same modules or of others.

        Raises
        ------
        InputError: it was of other RTL, or of other points in a module
        """
        if other.rtl != self.rtl:
            raise InputError(
                f"code coverage: of the RTL {self.rtl[:12]} and of {other.rtl[:12]}; runs of one "
                "RTL add up, keep a file for each"
            )
        mine, theirs = _by_module(self.counts), _by_module(other.counts)
        for module in mine.keys() & theirs.keys():
            if mine[module] != theirs[module]:
                raise InputError(
                    f"code coverage: {module}: other points in one run than in another; write both "
                    "with one version of Verilator"
                )
        for point, count in other.counts.items():
            self.counts[point] = self.counts.get(point, 0) + count


def _by_module(counts: Counts) -> dict[str, set[Point]]:
    found: dict[str, set[Point]] = {}
    for point in counts:
        found.setdefault(point.module, set()).add(point)
    return found


MARKS = (b'"schema_version": ', b'"rtl": ', b'"points": ')
"""What a file of `save` can be told by."""


def save(coverage: CodeCoverage, path: Path) -> None:
    """Write the counts as JSON, a point a line."""
    points = ",\n".join(
        json.dumps([p.file, p.module, p.line, p.column, str(p.kind), p.what, p.lines, count])
        for p, count in sorted(coverage.counts.items())
    )
    head = f'{{"schema_version": {SCHEMA_VERSION}, "rtl": {json.dumps(coverage.rtl)}, '
    write_atomic(path, f'{head}"points": [\n{points}\n]}}\n')


def load(path: Path) -> CodeCoverage:
    """Read a file of `save`.

    Raises
    ------
    InputError: it cannot be read, or is none of ours
    """
    again = "write it again: shiftnas cosim NET --code-coverage FILE"
    content = documents.read_json(path, "code coverage file", SCHEMA_VERSION, again)
    rtl, points = content.get("rtl"), content.get("points")
    if not isinstance(rtl, str) or not isinstance(points, list):
        raise InputError(f"{path}: expected rtl and points; {again}")
    counts = dict(filter(None, map(_point, points)))
    if len(counts) != len(points) or not counts:
        raise InputError(f"{path}: points: expected points with counts, each once; {again}")
    return CodeCoverage(rtl, counts)


def _point(entry: Any) -> tuple[Point, int] | None:
    types = (str, str, int, int, str, str, str, int)
    if not isinstance(entry, list) or tuple(map(type, entry)) != types:
        return None
    *place, count = entry
    point = Point(*place)
    return (point, count) if count >= 0 and point.kind in tuple(Kind) else None


def check(path: Path) -> None:
    """InputError where nothing can be added to a file: ask before long work."""
    if path.exists():
        load(path)


def add(coverage: CodeCoverage, path: Path) -> None:
    """Add a run to a file, which is made if there is none."""
    total = coverage
    if path.exists():
        total = load(path)
        total.add(coverage)
    save(total, path)
