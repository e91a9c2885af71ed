"""Hits of many runs: adding up, files, shares."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hw import documents
from hw.errors import InputError
from hw.outputs import write_atomic
from sim.coverage import overlays
from sim.coverage.group import Group, is_counts
from sim.coverage.points import groups

SCHEMA_VERSION = 2

Groups = dict[str, Group]
"""By name."""


@dataclass
class Coverage:
    """How often each bin was hit; a bin that was never hit is there with 0.

    Parameters
    ----------
    hits: group -> bin -> times, of a campaign over many networks; all groups of `points.groups`
    networks: digest of a network -> a group for each of its layers that was simulated
    testbenches: the groups of users' own testbenches
    overlays: the groups of `overlays.declare`, of all overlays; empty where none was simulated
    """

    hits: dict[str, dict[str, int]] = field(
        default_factory=lambda: {group: dict.fromkeys(bins, 0) for group, bins in groups().items()}
    )
    networks: dict[str, Groups] = field(default_factory=dict)
    testbenches: Groups = field(default_factory=dict)
    overlays: Groups = field(default_factory=dict)

    def hit(self, group: str, name: str, times: int = 1) -> None:
        """Count a bin of the campaign's groups.

        Raises
        ------
        KeyError: no such bin: a defect of the measuring code
        """
        self.hits[group][name] += times

    def add(self, other: "Coverage") -> None:
        """Add the hits of another run.

        Raises
        ------
        InputError: bins of one network or testbench differ
        """
        for group, bins in other.hits.items():
            for name, times in bins.items():
                self.hits[group][name] += times
        for digest, layers in other.networks.items():
            _add(self.networks.setdefault(digest, {}), layers.values())
        _add(self.testbenches, other.testbenches.values())
        _add(self.overlays, other.overlays.values())

    def campaign(self) -> "Coverage":
        """Without the groups of single networks."""
        hits = {group: dict(bins) for group, bins in self.hits.items()}
        return Coverage(hits, overlays=self.overlays)

    def groups(self) -> list[Group]:
        """The campaign's groups."""
        return [Group(name, bins) for name, bins in self.hits.items()]


def _add(mine: Groups, others: Iterable[Group]) -> None:
    for group in others:
        mine.setdefault(group.name, Group.of(group.name, group.hits, group.out_of_reach)).add(group)


MARKS = (b'"schema_version": ', b'"hits": ')
"""What a file of `save` can be told by."""


def save(coverage: Coverage, path: Path) -> None:
    """Write the hits as JSON."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "hits": coverage.hits,
        "networks": {digest: _dicts(layers) for digest, layers in coverage.networks.items()},
        "testbenches": _dicts(coverage.testbenches),
        "overlays": _dicts(coverage.overlays),
    }
    write_atomic(path, json.dumps(content, indent=1) + "\n")


def _dicts(groups: Groups) -> dict[str, Any]:
    return {name: group.as_dict() for name, group in groups.items()}


def load(path: Path) -> Coverage:
    """Read a file of `save`.

    Raises
    ------
    InputError: it cannot be read, or is none of ours; bins that are not known any more are refused
    CheckFailed: it has hits of a bin that is out of reach
    """
    again = "write it again: shiftnas cosim NET --coverage FILE"
    content = documents.read_json(path, "coverage file", SCHEMA_VERSION, again)
    hits = content.get("hits")
    if not isinstance(hits, dict) or not all(map(is_counts, hits.values())):
        raise InputError(f"{path}: hits: expected groups of bins with counts; {again}")
    known = groups()
    if set(hits) - set(known):
        raise InputError(f"{path}: hits: of another version of shiftnas; {again}")
    for group, bins in known.items():
        unlike = set(hits.get(group, ())) ^ set(bins)
        if unlike:
            raise InputError(
                f"{path}: hits: {group}: {min(unlike)}: of another version of shiftnas, or of "
                f"other operations; {again}"
            )
    try:
        networks = content.get("networks")
        if not isinstance(networks, Mapping):
            raise ValueError("networks: expected digests with layers")
        return Coverage(
            hits,
            {digest: _groups(layers, "networks") for digest, layers in networks.items()},
            _groups(content.get("testbenches"), "testbenches"),
            _overlays(content.get("overlays", {})),
        )
    except ValueError as error:
        raise InputError(f"{path}: {error}; {again}") from None


def _overlays(content: Any) -> Groups:
    """Those of a file; files that were written before there were any have none."""
    groups = _groups(content, "overlays")
    unlike = overlays.unlike(groups.values()) if groups else None
    if unlike is not None:
        raise ValueError(f"overlays: {unlike}: of another version of shiftnas")
    return groups


def _groups(content: Any, place: str) -> Groups:
    if not isinstance(content, Mapping):
        raise ValueError(f"{place}: expected groups of bins")
    return {name: Group.from_dict(name, group) for name, group in content.items()}


def check(path: Path) -> None:
    """InputError where nothing can be added to a file: ask before long work."""
    if path.exists():
        load(path)


def add(coverage: Coverage, path: Path) -> None:
    """Add a run to a file, which is made if there is none."""
    total = load(path) if path.exists() else Coverage()
    total.add(coverage)
    save(total, path)
