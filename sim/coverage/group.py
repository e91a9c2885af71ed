"""Bins of one thing: a layer of a network, or what a testbench of a user's own looks for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hw.errors import CheckFailed, InputError


@dataclass
class Group:
    """How often each bin of one thing was hit, and which bins nothing can hit.

    Parameters
    ----------
    name: of the thing
    hits: bin -> times
    out_of_reach: bin -> why it cannot be hit, of some of the bins
    """

    name: str
    hits: dict[str, int]
    out_of_reach: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, name: str, bins: Iterable[str], out_of_reach: Mapping[str, str] | None = None
    ) -> "Group":
        """Nothing hit yet.

        Raises
        ------
        ValueError: no bin, one that is there twice, one out of reach that is none of them
        """
        names, reasons = list(bins), dict(out_of_reach or {})
        if not names or len(set(names)) < len(names):
            raise ValueError(f"{name}: expected bins, each once; got {', '.join(names) or 'none'}")
        for bin_name in reasons:
            if bin_name not in names:
                raise ValueError(f"{name}: no bin {bin_name!r} that could be out of reach")
        return cls(name, dict.fromkeys(names, 0), reasons)

    def hit(self, bin_name: str, times: int = 1) -> None:
        """Count a bin.

        Raises
        ------
        KeyError: no such bin: a defect of the measuring code; CheckFailed: it cannot be hit, and
        was
        """
        if bin_name not in self.hits:
            raise KeyError(f"{self.name}: no bin {bin_name!r}; it has {', '.join(self.hits)}")
        self.hits[bin_name] += times
        self._check(bin_name)

    def add(self, other: "Group") -> None:
        """Add the hits of another run.

        Raises
        ------
        InputError: its bins are others
        """
        if set(self.hits) != set(other.hits) or self.out_of_reach != other.out_of_reach:
            raise InputError(
                f"coverage: {self.name}: other bins in one file than in another; write them again "
                "with one version of what measures them"
            )
        for bin_name, times in other.hits.items():
            self.hits[bin_name] += times

    def missing(self) -> list[str]:
        """Bins within reach that were never hit."""
        return [name for name, times in self.hits.items() if not times and self._can(name)]

    @property
    def reachable(self) -> int:
        """How many bins can be hit."""
        return len(self.hits) - len(self.out_of_reach)

    @property
    def hit_bins(self) -> int:
        """How many were."""
        return sum(times > 0 for times in self.hits.values())

    def as_dict(self) -> dict[str, Any]:
        return {"hits": self.hits, "out_of_reach": self.out_of_reach}

    @classmethod
    def from_dict(cls, name: str, content: Any) -> "Group":
        """A group of `as_dict`.

        Raises
        ------
        ValueError: it is none; CheckFailed: a bin was hit that cannot be
        """
        if not isinstance(content, Mapping) or set(content) != {"hits", "out_of_reach"}:
            raise ValueError(f"{name}: expected hits and out_of_reach")
        if not is_counts(content["hits"]):
            raise ValueError(f"{name}: hits: expected bins with counts")
        reasons = content["out_of_reach"]
        if not isinstance(reasons, Mapping) or not all(
            isinstance(r, str) for r in reasons.values()
        ):
            raise ValueError(f"{name}: out_of_reach: expected bins with reasons")
        group = cls.of(name, content["hits"], reasons)
        group.hits.update(content["hits"])
        for bin_name in reasons:
            group._check(bin_name)
        return group

    def _can(self, bin_name: str) -> bool:
        return bin_name not in self.out_of_reach

    def _check(self, bin_name: str) -> None:
        """What was said to be impossible must not have happened."""
        if self.hits[bin_name] and not self._can(bin_name):
            raise CheckFailed(
                f"coverage: {self.name}: {bin_name}: was hit, but is said to be out of reach "
                f"({self.out_of_reach[bin_name]}): what says so is wrong"
            )


def is_counts(bins: object) -> bool:
    """Whether something read from a file is bins with counts."""
    return isinstance(bins, Mapping) and all(
        isinstance(times, int) and not isinstance(times, bool) and times >= 0
        for times in bins.values()
    )
