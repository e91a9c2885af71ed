"""What was tried to find a figure of the paper's: another network, size or way of counting."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hw.networks.counts import Count
from hw.networks.space import Edge, Genotype


@dataclass(frozen=True)
class Guess:
    """A count of a row's network that may be the paper's.

    Parameters
    ----------
    what: the difference to the row's own count, in words
    classes: 10, 100 or 1000: the column whose figure is looked for
    network: conventional network or published genotype, "" for the row's
    built_for: number of classes of the network, 0 for `classes`
    channels, cells: C and L, 0 for the row's
    instead: cell (`normal`, `reduce`) to position of an edge to the operation that it gets
    statistics: whether running means and variances count, as in DeepShift's summary
    numbers: how many a weight counts as
    """

    what: str
    classes: int
    network: str = ""
    built_for: int = 0
    channels: int = 0
    cells: int = 0
    instead: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    statistics: bool = False
    numbers: int = 1

    def change(self, genotype: Genotype) -> Genotype:
        """`genotype` with the operations of `instead`."""
        cells: dict[str, tuple[Edge, ...]] = {}
        for cell, operations in self.instead.items():
            edges = genotype.edges(cell == "reduce")
            cells[cell] = tuple(
                (operations.get(position, operation), state)
                for position, (operation, state) in enumerate(edges)
            )
        return replace(genotype, **cells)

    def weights(self, size: Count) -> int:
        """How many weights a network of that size has by this guess."""
        return self.numbers * size.weights + self.statistics * size.statistics


@dataclass(frozen=True)
class Tried:
    """A guess, counted: `weights` beside the paper's millions."""

    guess: Guess
    weights: int
    paper: float

    @property
    def difference(self) -> float:
        """To the paper's figure, as a share of it."""
        return self.weights / 1e6 / self.paper - 1
