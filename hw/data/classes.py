"""The classes of a data set: their number, their order, and their names where those are known."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Classes:
    """Compared wherever images meet a network or a run that knows other images.

    Parameters
    ----------
    count: their number
    names: of each, in the order of the labels; () where they are not recorded
    """

    count: int
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.names and len(self.names) != self.count:
            raise ValueError(f"{len(self.names)} names of {self.count} classes")

    @classmethod
    def from_plain(cls, count: int, names: Any) -> "Classes":
        """From what JSON or YAML holds of the names; ValueError where it is something else."""
        if names is None:
            return cls(count)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("class_names: expected a list of names")
        return cls(count, tuple(names))

    def difference(self, expected: "Classes") -> str | None:
        """In words, the first thing in which these are not the classes `expected`.

        By name and order where both have names, else by number.
        """
        counts = None
        if self.count != expected.count:
            counts = f"{self.count} classes, expected {expected.count}"
        if not self.names or not expected.names:
            return counts
        for number in range(max(self.count, expected.count)):
            found, wanted = self._called(number), expected._called(number)
            if found != wanted:
                words = f"class {number} is {found}, expected {wanted}"
                return words if counts is None else f"{counts}; {words}"
        return None

    def _called(self, number: int) -> str:
        return repr(self.names[number]) if number < self.count else "none"
