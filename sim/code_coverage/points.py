"""What is counted in the Verilog, and how often a model says that it happened.

A model that Verilator built for coverage leaves a file of counts, a line a point:

    C '\\x01t\\x02toggle\\x01page\\x02v_toggle/top\\x01f\\x02top.v\\x01l\\x0212…' 345

Keys and values stand between the bytes 1 and 2; they and the types of points are Verilator's own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hw.errors import CheckFailed
from hw.verilog import statements
from hw.verilog.rtl_folder import VERILOG_SUFFIX

FILE, START = "coverage.dat", "coverage_start.dat"
"""That a model writes into the folder it runs in: in the end, and when signals have the values that
they begin with.
"""

_LINE = re.compile(r"C '(?P<keys>.*)' (?P<count>\d+)")
_CODED = re.compile(r"__0([0-9A-Fa-f]{2})")
"""How Verilator writes a character in a name that would not do in C++, the second of two
underscores among them.
"""


class Kind(StrEnum):
    """What happens at a point."""

    LINE = "line"
    BRANCH = "branch"
    TOGGLE = "toggle"


@dataclass(frozen=True, order=True)
class Point:
    """Something in a module that can happen.

    Parameters
    ----------
    file: of the Verilog; module: it stands in
    line, column: of the statement or the declaration
    kind: a block that is entered, a way that is taken at a condition, a bit that changes
    what: kind of block or way; of a bit its name and direction, `beat[3]:0->1`
    lines: numbers of the lines that are executed then, as `10,12-13`
    """

    file: str
    module: str
    line: int
    column: int
    kind: str
    what: str
    lines: str = ""

    def executed(self) -> list[int]:
        """Numbers of the lines that are executed when this happens."""
        found = []
        for part in filter(None, self.lines.split(",")):
            first, _, last = part.partition("-")
            found += range(int(first), int(last or first) + 1)
        return found

    def __str__(self) -> str:
        return f"{self.module}, line {self.line}: {self.what}"


Counts = dict[Point, int]
"""How often each point happened."""


def read(folder: Path, sources: Mapping[str, str]) -> Counts:
    """The counts of the run in a folder.

    Words of memories are left out: what is written and read there passes through signals. That a
    signal comes to the value it begins with is no change.

    Parameters
    ----------
    sources: file name -> the Verilog that the model was built from

    Raises
    ------
    CheckFailed: the model wrote none, or not in the form known here
    """
    memories = {
        (module.name, word)
        for name, source in sources.items()
        if name.endswith(VERILOG_SUFFIX)
        for module in statements.read(source).values()
        for word in module.words
    }
    counts = _read(folder / FILE, sources, memories)
    for point, count in _read(folder / START, sources, memories).items():
        if point.kind == Kind.TOGGLE:
            counts[point] -= count
    return counts


def _read(path: Path, sources: Mapping[str, str], memories: set[tuple[str, str]]) -> Counts:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CheckFailed(f"{path}: the model wrote no code coverage") from None
    counts: Counts = {}
    for line in text.split("\n")[:-1]:
        if line.startswith("#"):
            continue
        point, count = _point(line)
        if point.file not in sources:
            raise CheckFailed(f"{path}: {point.file}: not a file of the model")
        signal = (point.module, point.what.partition("[")[0].partition(":")[0])
        if point.kind != Kind.TOGGLE or signal not in memories:
            counts[point] = counts.get(point, 0) + count
    if not counts:
        raise CheckFailed(f"{path}: the model counted nothing")
    return counts


def _point(line: str) -> tuple[Point, int]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise CheckFailed(f"code coverage: {line[:60]!r}: not a line that Verilator writes")
    keys = dict(part.split("\x02", 1) for part in match["keys"].split("\x01")[1:])
    try:
        kind = Kind(keys["page"].partition("/")[0].removeprefix("v_"))
        point = Point(
            keys["f"],
            keys["page"].partition("/")[2],
            int(keys["l"]),
            int(keys.get("n", 0)),
            kind,
            _CODED.sub(lambda match: chr(int(match[1], 16)), keys["o"]),
            keys.get("S", ""),
        )
    except (KeyError, ValueError) as error:
        raise CheckFailed(f"code coverage: {line[:60]!r}: {error}") from None
    return point, int(match["count"])
