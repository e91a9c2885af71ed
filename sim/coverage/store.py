"""Hits by group and bin: adding up, files, shares."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hw import documents
from hw.errors import InputError
from hw.outputs import write_atomic
from sim.coverage.points import GROUPS

SCHEMA_VERSION = 1


@dataclass
class Coverage:
    """How often each bin was hit; a bin that was never hit is there with 0.

    Parameters
    ----------
    hits: group -> bin -> times; the groups of `points.GROUPS` are always complete, groups of one
    network's own ("joins of <digest>") come on top
    """

    hits: dict[str, dict[str, int]] = field(
        default_factory=lambda: {group: dict.fromkeys(bins, 0) for group, bins in GROUPS.items()}
    )

    def hit(self, group: str, name: str, times: int = 1) -> None:
        """Count a bin of the known groups.

        Raises
        ------
        KeyError: no such bin: a defect of the measuring code
        """
        self.hits[group][name] += times

    def declare(self, group: str, bins: Iterable[str]) -> None:
        """A group of one network's own."""
        self.hits[group] = dict.fromkeys(bins, 0)

    def add(self, other: "Coverage") -> None:
        """Add the hits of another run."""
        for group, bins in other.hits.items():
            mine = self.hits.setdefault(group, {})
            for name, times in bins.items():
                mine[name] = mine.get(name, 0) + times

    def known(self) -> "Coverage":
        """Without the groups of single networks."""
        return Coverage({group: dict(self.hits[group]) for group in GROUPS})

    def missing(self) -> list[tuple[str, str]]:
        """(group, bin) of every bin without a hit."""
        return [
            (group, name)
            for group, bins in self.hits.items()
            for name, times in bins.items()
            if not times
        ]

    @property
    def bins(self) -> int:
        return sum(len(bins) for bins in self.hits.values())

    @property
    def share(self) -> float:
        """Bins hit, of all bins, in per cent."""
        return 100 * (1 - len(self.missing()) / self.bins)

    def shares(self) -> dict[str, tuple[int, int]]:
        """For each group, how many bins were hit and how many there are."""
        return {
            group: (sum(times > 0 for times in bins.values()), len(bins))
            for group, bins in self.hits.items()
        }


MARKS = (b'"schema_version": ', b'"hits": ')
"""What a file of `save` can be told by."""


def save(coverage: Coverage, path: Path) -> None:
    """Write the hits as JSON."""
    content = {"schema_version": SCHEMA_VERSION, "hits": coverage.hits}
    write_atomic(path, json.dumps(content, indent=1) + "\n")


def load(path: Path) -> Coverage:
    """Read a file of `save`.

    Raises
    ------
    InputError: it cannot be read, or is none of ours; bins that are not known any more are refused
    """
    again = "write it again: shiftnas cosim NET --coverage FILE"
    try:
        content = documents.load_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such coverage file; {again}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}; {again}") from None
    if not isinstance(content, dict) or content.get("schema_version") != SCHEMA_VERSION:
        raise InputError(f"{path}: schema_version: expected {SCHEMA_VERSION}; {again}")
    hits = content.get("hits")
    if not isinstance(hits, dict) or not all(map(_is_group, hits.values())):
        raise InputError(f"{path}: hits: expected groups of bins with counts; {again}")
    for group, bins in GROUPS.items():
        if set(hits.get(group, ())) != set(bins):
            raise InputError(f"{path}: hits: {group}: of another version of shiftnas; {again}")
    return Coverage(hits)


def check(path: Path) -> None:
    """InputError where nothing can be added to a file: ask before long work."""
    if path.exists():
        load(path)


def add(coverage: Coverage, path: Path) -> None:
    """Add a run to a file, which is made if there is none."""
    total = load(path) if path.exists() else Coverage()
    total.add(coverage)
    save(total, path)


def _is_group(bins: object) -> bool:
    return isinstance(bins, Mapping) and all(
        isinstance(times, int) and not isinstance(times, bool) and times >= 0
        for times in bins.values()
    )
