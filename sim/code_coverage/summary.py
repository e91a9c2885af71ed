"""What was hit of what should be: by kind of point, by module."""

from collections.abc import Iterable
from dataclasses import dataclass

from sim.code_coverage.exclusions import Excluded
from sim.code_coverage.points import Counts, Kind, Point


@dataclass(frozen=True)
class Share:
    """How many were hit, and of how many."""

    hit: int
    of: int

    @property
    def percent(self) -> float:
        return 100 * self.hit / self.of if self.of else 100.0


@dataclass(frozen=True)
class Summary:
    """Code coverage of a module, or of all.

    Parameters
    ----------
    name: of the module
    lines: that were executed, of those with a statement that is
    branches, toggles: points that were hit
    excluded: points that need not be
    missing: points that were not hit, and should be
    """

    name: str
    lines: Share
    branches: Share
    toggles: Share
    excluded: int
    missing: tuple[Point, ...]

    @property
    def full(self) -> bool:
        return not self.missing


def executed(counts: Counts, excluded: Excluded) -> dict[tuple[str, int], int]:
    """(file, line) -> how often it was executed, at most, of each line with a block or a way."""
    found: dict[tuple[str, int], int] = {}
    for point, count in counts.items():
        if point.kind != Kind.TOGGLE and point not in excluded:
            for line in point.executed():
                place = (point.file, line)
                found[place] = max(found.get(place, 0), count)
    return found


def summary(name: str, counts: Counts, excluded: Excluded) -> Summary:
    """Of all points given."""
    lines = executed(counts, excluded).values()
    return Summary(
        name,
        _share(lines),
        _share(_kept(counts, excluded, Kind.BRANCH)),
        _share(_kept(counts, excluded, Kind.TOGGLE)),
        sum(point in excluded for point in counts),
        tuple(sorted(p for p, count in counts.items() if not count and p not in excluded)),
    )


def by_module(counts: Counts, excluded: Excluded) -> list[Summary]:
    """Of each module, in the order of the files."""
    modules: dict[str, Counts] = {}
    for point in sorted(counts, key=lambda p: (p.file, p.line)):
        modules.setdefault(point.module, {})[point] = counts[point]
    return [summary(name, inside, excluded) for name, inside in modules.items()]


def _kept(counts: Counts, excluded: Excluded, kind: Kind) -> list[int]:
    return [c for point, c in counts.items() if point.kind == kind and point not in excluded]


def _share(counts: Iterable[int]) -> Share:
    numbers = list(counts)
    return Share(sum(count > 0 for count in numbers), len(numbers))
