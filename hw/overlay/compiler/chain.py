"""Pixels that travel on from one term of a sum to the next, instead of from the memory each time.

A pixel that a tap reads from some lanes away is, for another tap, that many lanes farther: if both
terms have the same sign, and come one after the other, a SHIFT moves the operand on and adds it. It
must move outwards only: beyond the grid's edge there are zeros, and what has been there is lost.
But from lanes beyond the image, below it or to its right, its pixels come back.
Two terms come one after the other within a level, or as the last and the first one of neighbouring
levels: a SHIFT halves like a weight does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from hw.ir.graph import Pair
from hw.overlay import isa
from hw.overlay.compiler.emitter import View
from hw.overlay.compiler.levels import IMM_HALVE, Sum
from hw.overlay.isa import Direction, Shift

MOST_TERMS = 128
"""Of a sum that is looked at; longer ones read many planes, each a few times."""


Way = tuple[Pair, float]


@lru_cache(64)
def ways_of(view: View) -> "_Ways":
    """Ways between the taps of a view."""
    return _Ways(view)


class _Ways(dict[tuple[Pair, Pair], Way | None]):
    """`steps` from a tap to another one, each worked out once."""

    def __init__(self, view: View):
        self.view = view

    def __missing__(self, taps: tuple[Pair, Pair]) -> Way | None:
        self[taps] = found = steps(self.view, *taps)
        return found


def steps(view: View, first: Pair, second: Pair) -> Way | None:
    """Lanes (down, right) from one tap to another, and the cycles saved a pass; None: no way."""
    lanes, cost, saved = [], 0, 1.0
    for axis in (0, 1):
        word = np.arange(1 << max(view.pitch_out[axis], 0)) * view.stride[axis]
        p = view.pitch_in[axis]
        found = []
        for tap in (first[axis], second[axis]):
            at = word + tap * view.dilation[axis] + view.offset[axis]
            found.append((at & ((1 << p) - 1), at >> p) if p >= 0 else (at * 0, at << -p))
        (word_a, a), (word_b, b) = found
        way = int(b[0] - a[0])
        # What has left the grid is lost: down and to the right there may be lanes without pixels.
        lossless = way > 0 and (a >= -view.spare[axis]).all()
        inwards = not lossless and (a * way < 0).any()
        if inwards or (word_a != word_b).any() or (b - a != way).any():
            return None
        lanes.append(way)
        cost += abs(way)
        saved += float(np.abs(b).mean())
    if cost == 0 or saved <= cost:
        return None
    return (lanes[0], lanes[1]), saved - cost


@dataclass
class _Chains:
    """Links between the terms of a sum, each to at most one before it and one behind it.

    Members
    -------
    level: of each word
    sizes: words of each level
    before, behind: the term linked to, by word
    """

    level: list[int]
    sizes: list[int]
    before: dict[int, int] = field(default_factory=dict)
    behind: dict[int, int] = field(default_factory=dict)

    def path(self, word: int) -> list[int]:
        """The words of the same level that are linked with this one, in order."""
        level = self.level[word]
        while self.before.get(word, -1) >= 0 and self.level[self.before[word]] == level:
            word = self.before[word]
        found = [word]
        while (
            found[-1] in self.behind
            and self.level[self.behind[found[-1]]] == level
            and self.behind[found[-1]] != word
        ):
            found.append(self.behind[found[-1]])
        return found

    def link(self, first: int, second: int) -> None:
        """Link two words, unless that leaves no order."""
        if first in self.behind or second in self.before:
            return
        across = self.level[first] != self.level[second]
        if across and any(
            self.level[a] == self.level[first] != self.level[b] for a, b in self.behind.items()
        ):
            return
        if not across and second in self.path(first):
            return
        self.behind[first], self.before[second] = second, first
        if not all(self._orderly(word) for word in (first, second)):
            del self.behind[first], self.before[second]

    def _orderly(self, word: int) -> bool:
        """A path that comes first in its level, and last, is all of the level."""
        path = self.path(word)
        ends = path[0] in self.before and path[-1] in self.behind
        return not ends or len(path) == self.sizes[self.level[word]]


def chained(found: Sum, view: View) -> Sum:
    """The sum with SHIFTs where they save cycles; `view`: that its words are read in."""
    if any(view.cut) or not view.tap_bits or not 1 < len(found.words) <= MOST_TERMS:
        return found
    weight = (found.words & isa.CONTROL) == 0
    halves = np.where(weight, found.words & isa.HALVE, found.words & IMM_HALVE) != 0
    level = np.cumsum(halves).tolist()
    chains = _Chains(level, np.bincount(level).tolist())
    for _, first, second in sorted(_links(found, view, level, weight), key=lambda link: link[0]):
        chains.link(first, second)
    return _written(found, view, chains, weight) if chains.behind else found


def _links(
    found: Sum, view: View, level: list[int], weight: np.ndarray
) -> Iterator[tuple[float, int, int]]:
    """Possible ones: what they cost (less than nothing), and the two words."""
    words, reads, ways = found.words.tolist(), found.reads.tolist(), ways_of(view)
    groups: dict[tuple[int, int], list[tuple[int, Pair]]] = {}
    for at in np.flatnonzero(weight).tolist():
        same = groups.setdefault((reads[at], words[at] & isa.SIGN), [])
        same.append((at, _tap(found, view, at)))
    for same in groups.values():
        for first, here in same:
            for second, there in same:
                if here != there and level[second] - level[first] in (0, 1):
                    way = ways[here, there]
                    if way is not None:
                        yield -way[1], first, second


def _written(found: Sum, view: View, chains: _Chains, weight: np.ndarray) -> Sum:
    """The words again, in an order in which linked ones are neighbours."""
    words: list[int] = []
    reads: list[int] = []
    for level in range(len(chains.sizes)):
        mine = [at for at, where in enumerate(chains.level) if where == level]
        halve = level > 0
        for at in _order(mine, chains, weight):
            if at in chains.before:
                way = ways_of(view)[_tap(found, view, chains.before[at]), _tap(found, view, at)]
                assert way is not None
                *on, last = _shifts(way[0])
                words += [Shift(direction, add=False).pack() for direction in on]
                words.append(Shift(last, halve=halve).pack())
                reads += [-1] * (len(on) + 1)
            else:
                clear = isa.HALVE if weight[at] else IMM_HALVE
                words.append(int(found.words[at]) & ~clear | clear * halve)
                reads.append(int(found.reads[at]))
            halve = False
    return Sum(np.array(words, np.uint16), np.array(reads, np.int64), found.low, found.high)


def _tap(found: Sum, view: View, at: int) -> Pair:
    """Row and column of the tap that a weight reads."""
    operand = int(found.words[at]) & ((1 << isa.OPERAND_BITS) - 1)
    _, row, column = isa.split(operand, view.tap_bits)
    return row, column


def _order(mine: Sequence[int], chains: _Chains, weight: np.ndarray) -> list[int]:
    """A level's words: the path that goes on from the level below, the others, the path that goes
    on to the level above.
    """
    first: list[int] = []
    middle = [at for at in mine if not weight[at]]
    last: list[int] = []
    seen: set[int] = set(middle)
    for at in mine:
        if at in seen:
            continue
        path = chains.path(at)
        seen.update(path)
        if path[0] in chains.before:
            first = path
        elif path[-1] in chains.behind:
            last = path
        else:
            middle += path
    return [*first, *middle, *last]


def _shifts(way: Pair) -> Iterator[Direction]:
    yield from [Direction.BELOW if way[0] > 0 else Direction.ABOVE] * abs(way[0])
    yield from [Direction.RIGHT if way[1] > 0 else Direction.LEFT] * abs(way[1])
