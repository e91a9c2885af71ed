"""Code coverage as lcov reads it: a tracefile (.info)."""

from collections import defaultdict

from sim.code_coverage.exclusions import Excluded
from sim.code_coverage.points import Counts, Kind, Point
from sim.code_coverage.summary import executed

WAYS, BITS = 0, 1
"""Blocks of branches on a line: ways taken at a condition; changes of a bit declared there."""


def info(counts: Counts, excluded: Excluded) -> str:
    """The text of a tracefile; what is excluded is not in it.

    lcov knows lines and branches. A line with statements has the count of the one that was executed
    most; the changes of bits are branches of the line that declares them, which counts as executed
    as often as the busiest of them.
    """
    lines = executed(counts, excluded)
    branches: dict[tuple[str, int, int], list[int]] = defaultdict(list)
    for point in sorted(counts, key=_place):
        if point.kind == Kind.LINE or point in excluded:
            continue
        bits = point.kind == Kind.TOGGLE
        branches[point.file, point.line, BITS if bits else WAYS].append(counts[point])
        place = (point.file, point.line)
        lines[place] = max(lines.get(place, 0), counts[point])
    return "".join(_record(file, lines, branches) for file in sorted({file for file, _ in lines}))


def _place(point: Point) -> tuple[str, int, int, str]:
    return point.file, point.line, point.column, point.what


def _record(
    file: str, lines: dict[tuple[str, int], int], branches: dict[tuple[str, int, int], list[int]]
) -> str:
    """One file's."""
    here = {line: count for (name, line), count in sorted(lines.items()) if name == file}
    ways = {key[1:]: taken for key, taken in sorted(branches.items()) if key[0] == file}
    taken = [count for counts in ways.values() for count in counts]
    text = [f"TN:shiftnas\nSF:{file}"]
    text += [
        f"BRDA:{line},{block},{number},{count}"
        for (line, block), counts in ways.items()
        for number, count in enumerate(counts)
    ]
    text += [f"BRF:{len(taken)}", f"BRH:{sum(count > 0 for count in taken)}"]
    text += [f"DA:{line},{count}" for line, count in here.items()]
    text += [f"LF:{len(here)}", f"LH:{sum(count > 0 for count in here.values())}"]
    return "\n".join([*text, "end_of_record\n"])
