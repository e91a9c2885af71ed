"""Terms above a sum's last level in fewer steps than adding them again and again.

A term k levels above the last one counts 2^k times. Partial sums are kept in a plane instead: those
of the highest levels first, then twice that (it is read twice) and the next level's terms, and so
on; what is left is read by the sum itself. A plane saturates at D bits; a rung is used only where
it cannot, or where the sum saturates then in any case, the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hw.ir.graph import Node, Pair
from hw.overlay import isa
from hw.overlay.compiler.builder import Builder
from hw.overlay.compiler.emitter import Group, View
from hw.overlay.compiler.finish import Finish
from hw.overlay.compiler.placement import words
from hw.overlay.compiler.terms import Terms, Wanted
from hw.overlay.isa import Mode

RUNG = 3
"""Words of a rung that are done once, beside those of each pass: BODY, DEST, a wait."""


@dataclass(frozen=True)
class Ladder:
    """Planes for the partial sums of one output channel, read at a tap of the sums' own view.

    Parameters
    ----------
    planes: for terms added and, where negative pixels are read as zero, for terms subtracted
    tap: that reads a plane's own pixel
    """

    planes: tuple[int, ...]
    tap: Pair
    view: View

    def climb(self, builder: Builder, node: Node, wanted: Wanted, ending: Finish) -> Wanted:
        """Emit the rungs that pay; the sum with planes in place of the terms they stand for."""
        terms, shift = wanted.terms, wanted.shift
        above = terms.level > shift
        if not above.any():
            return wanted
        rest = terms[~above]
        classes = (~terms.negative, terms.negative) if self.view.relu else (np.ones_like(above),)
        for plane, chosen in zip(self.planes, classes, strict=True):
            mine = terms[above & chosen]
            if len(mine):
                rest += self._rungs(builder, node, wanted, ending, mine, plane)
        return Wanted(rest, wanted.constant, shift)

    def _rungs(
        self,
        builder: Builder,
        node: Node,
        wanted: Wanted,
        ending: Finish,
        terms: Terms,
        plane: int,
    ) -> Terms:
        """The terms, or those below the lowest rung with the plane that stands for the others."""
        shift, flip = wanted.shift, self.view.relu and bool(terms.negative[0])
        counts = tuple(np.bincount(terms.level - shift).tolist())
        ranges = [self._range(builder, wanted, ending, terms, k, flip) for k in range(len(counts))]
        passes = words(self.view.pitch_out)
        chosen = rungs(counts, tuple(found is not None for found in ranges), 1 + RUNG / passes)
        kept: Terms | None = None
        for k in chosen:
            found = ranges[k]
            assert found is not None
            part = terms[terms.level >= shift + k] if kept is None else kept
            if kept is not None:
                between = (terms.level >= shift + k) & (terms.level < int(kept.level[0]))
                part = terms[between] + kept
            if flip:
                part = part.turned()
            group = Group()
            builder.sum(group, builder.arrange(node, Wanted(part, 0, shift + k, start=shift + k)))
            group.capture(plane, Mode.WIDE)
            builder.emitter.group(group)
            kept = self._plane(builder, plane, shift + k, flip, found)
        if kept is None:
            return terms
        return terms[terms.level < int(kept.level[0])] + kept

    def _range(
        self, builder: Builder, wanted: Wanted, ending: Finish, terms: Terms, k: int, flip: bool
    ) -> Pair | None:
        """Of the plane that keeps the terms k levels above the last one and higher.

        None: it might saturate where the sum does not.
        """
        if k == 0:
            return None
        half = 1 << (builder.hardware.data_bits - 1)
        mine = terms.level >= wanted.shift + k
        part = Wanted(terms[mine], 0, wanted.shift + k).bounds
        low, high = wanted.bounds
        # Of everything else, in units of the last level.
        low, high = low - (part[0] << k), high - (part[1] << k)
        if flip:
            part = -part[1], -part[0]
            low, high = -high, -low
        bottom, top = ending.saturation(builder.hardware.data_bits)
        if flip:
            bottom, top = -top, -bottom
        if part[1] >= half and (half - 1 << k) + low < top:
            return None
        if part[0] < -half and (-half << k) + high > bottom:
            return None
        return max(part[0], -half), min(part[1], half - 1)

    def _plane(self, builder: Builder, plane: int, level: int, flip: bool, bounds: Pair) -> Terms:
        """The plane as a term of a level."""
        slot = plane // words(self.view.pitch_in) - builder.emitter.base_slot
        # A window of slots, if there are several: `Builder.sum` moves it there.
        slot &= (1 << (isa.OPERAND_BITS - 2 * self.view.tap_bits)) - 1
        return Terms.of(
            np.array([level]),
            np.array([flip]),
            np.array([isa.operand(slot, *self.tap, self.view.tap_bits)]),
            np.array([plane]),
            (min(bounds[0], 0), max(bounds[1], 0)),
        )


@lru_cache(4096)
def rungs(counts: Sequence[int], allowed: Sequence[bool], price: float) -> tuple[int, ...]:
    """Where partial sums are kept, in levels above the last one, the highest first.

    Parameters
    ----------
    counts: terms of the last level (ignored) and of each level above it
    allowed: at which levels a partial sum may be kept
    price: of a rung, beside its reads
    """
    top = len(counts)

    def reads(low: int, high: int) -> int:
        """Of the terms from a level up to another one, at the lower one."""
        return sum(counts[level] << (level - low) for level in range(max(low, 1), high))

    best: dict[int, tuple[float, tuple[int, ...]]] = {}
    for k in reversed(range(top)):
        if k and not allowed[k]:
            continue
        extra = price if k else 0
        ways: list[tuple[float, tuple[int, ...]]] = [(reads(k, top) + extra, (k,))]
        for above, (cost, way) in best.items():
            ways.append((cost + reads(k, above) + (1 << above - k) + extra, (*way, k)))
        best[k] = min(ways)
    return best[0][1][:-1]


def ladder_of(builder: Builder, node: Node, view: View, above: int) -> Ladder | None:
    """Of a convolution whose highest term is so far above its last level; None: there is none.

    The view must read a plane of the output as it reads the input: the same pitch, no stride, a tap
    that is the pixel itself.
    """
    if above <= 0 or view.image or view.pitch_in != view.pitch_out or view.stride != (1, 1):
        return None
    tap = tuple(-o // d for o, d in zip(view.offset, view.dilation, strict=True))
    for axis in (0, 1):
        if tap[axis] * view.dilation[axis] != -view.offset[axis] or tap[axis] >> view.tap_bits:
            return None
    count = 2 if view.relu else 1
    if builder.memory.room(view.pitch_out) < count:
        return None
    planes = builder.memory.take(node.name, count, view.pitch_out)
    return Ladder(planes, (tap[0], tap[1]), view)
