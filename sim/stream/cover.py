"""Situations that a testbench of one's own looks for, counted beside those of this project."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from sim.coverage.group import Group
from sim.coverage.store import Coverage, add


class CoverGroup:
    """Bins of one thing that a testbench looks at: which of them has it seen, and how often?

    Parameters
    ----------
    name: of the group, as `shiftnas coverage` shows it
    bins: what should be seen
    out_of_reach: bin -> why nothing can hit it, of some of the bins: shown, and not asked for

    Raises
    ------
    ValueError: no bins, or one that is there twice
    """

    def __init__(
        self, name: str, bins: Iterable[str], *, out_of_reach: Mapping[str, str] | None = None
    ):
        self._group = Group.of(name, bins, out_of_reach)

    @property
    def name(self) -> str:
        return self._group.name

    @property
    def hits(self) -> dict[str, int]:
        """Bin -> how often it was hit."""
        return dict(self._group.hits)

    def hit(self, name: str, times: int = 1) -> None:
        """Count a bin.

        Raises
        ------
        KeyError: the group has no such bin; CheckFailed: it was said to be out of reach
        """
        self._group.hit(name, times)

    def missing(self) -> list[str]:
        """Bins within reach that were not hit."""
        return self._group.missing()

    def save(self, file: Path) -> None:
        """Add the hits to a coverage file, which is made if there is none, and count from 0 again.

        Raises
        ------
        InputError: the file cannot be read, or has a group of that name with other bins
        """
        add(Coverage(testbenches={self.name: self._group}), file)
        self._group = Group.of(self.name, self._group.hits, self._group.out_of_reach)
