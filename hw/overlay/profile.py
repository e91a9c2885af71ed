"""Where the cycles of a program go: by node of its network, and by what a word does."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hw.overlay import isa
from hw.overlay.cycles import cycles
from hw.overlay.isa import Op
from hw.overlay.program import Program

KINDS = ("weights", "travel", "immediates", "shifts", "captures", "settings", "flow")
"""Reads of a plane; the lanes that what they read travels; constants, and halvings where no weight
halves; pixels from a neighbour; captures; SET, BODY and DEST; FLOW words, mostly NOPs that wait."""

_KIND = {
    Op.IMM: "immediates",
    Op.SHIFT: "shifts",
    Op.CAPTURE: "captures",
    Op.SET: "settings",
    Op.BODY: "settings",
    Op.DEST: "settings",
    Op.FLOW: "flow",
}


@dataclass(frozen=True)
class Row:
    """Cycles that a node takes, of each of KINDS: an image's share of those of a full batch.

    Parameters
    ----------
    name: of the node; "": what belongs to none
    """

    name: str
    section: str
    kinds: dict[str, float]

    @property
    def cycles(self) -> float:
        return sum(self.kinds.values())


def profile(program: Program, ends: Mapping[str, tuple[str, int]]) -> list[Row]:
    """Rows of all nodes in the program's order; together they are the frame's cycles.

    ends: of each node its section and the index of the word behind its last one, in order
    """
    counted = cycles(program)
    taken = {"prefix": counted.prefix.sum(0), "suffix": counted.suffix}
    passes = dict(zip(taken, counted.passes, strict=True))
    passes["prefix"] = passes["prefix"] * program.images
    words = {"prefix": program.prefix, "suffix": program.suffix}
    rows, start = [], dict.fromkeys(taken, 0)
    lengths = [("", (section, len(words[section]))) for section in taken]
    for name, (section, end) in [*ends.items(), *lengths]:
        part = slice(start[section], end)
        found = _kinds(words[section][part], taken[section][part], passes[section][part])
        rows.append(Row(name, section, {k: found[k] / program.images for k in KINDS}))
        start[section] = end
    return rows


def _kinds(words: np.ndarray, taken: np.ndarray, passes: np.ndarray) -> dict[str, int]:
    weight = (words & isa.CONTROL) == 0
    found: dict[str, int] = dict.fromkeys(KINDS, 0)
    found["weights"] = int(passes[weight].sum())
    found["travel"] = int((taken - passes)[weight].sum())
    for op, kind in _KIND.items():
        found[kind] += int(taken[~weight & (words >> 12 & 7 == op)].sum())
    return found
