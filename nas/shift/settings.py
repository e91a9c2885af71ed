"""How shift weights are made and trained."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

from hw.ir.weights import P_MIN


class Layer(StrEnum):
    """What is trained behind a shift weight."""

    PS = "ps"
    Q = "q"
    INQ = "inq"


class GradRule(StrEnum):
    """Gradient of P in DeepShift-PS: as the paper writes it, or that of 2**P."""

    PAPER = "paper"
    EXACT = "exact"


class Init(StrEnum):
    """How the first weights are drawn."""

    KAIMING = "kaiming"
    UNIFORM = "uniform"


class Domain(StrEnum):
    """Powers of two, or real weights for comparison."""

    SHIFT = "shift"
    REAL = "real"


CHOICES: Mapping[str, Collection[Any]] = {
    "layer": tuple(one.value for one in Layer),
    "weight_bits": tuple(P_MIN),
    "grad_rule": tuple(one.value for one in GradRule),
    "init": tuple(one.value for one in Init),
    "scale_terms": (0, 1, 2, 3, 4),
    "stem": (True, False),
    "classifier": (True, False),
}
"""What the fields of `ShiftSettings` may be, where that is one of a few."""

MAX_SHIFT = -min(P_MIN.values())
"""Largest `max_shift`: no code has a smaller exponent."""


def rises_to_one(values: Sequence[float]) -> bool:
    """Whether the values rise from above 0, and the last is 1."""
    return bool(values) and values[-1] == 1 and all(a < b for a, b in pairwise((0.0, *values)))


@dataclass(frozen=True)
class ShiftSettings:
    """How shift weights are made and trained.

    Parameters
    ----------
    layer: what is trained: "ps" (DeepShift-PS, the paper's), "q" (DeepShift-Q) or "inq"
        (incremental quantisation); see the modules of this package
    weight_bits: 5 (p in [-14, 0]) or 6 (p in [-15, 0])
    max_shift: 0 to 15: p is kept at -max_shift or more, also where the code holds less; fewer make
        narrower adders
    grad_rule: of layer "ps". "paper": dw/dP = w·2**p·ln 2 (eq. 9); "exact": the derivative of
        s·2**P, w·ln 2; dw/dS = 1 in both
    init: "kaiming": a Kaiming-normal draw; "uniform": P ~ U(-10, -1), S ~ U(-1, 1)
    inq_portions: of layer "inq": the share of each tensor that is frozen after each step, rising,
        the last 1
    scale_terms: K: batch norms scale by the nearest sum of at most K signed powers of two, 0 to 4;
        0: by any real number. Networks to be exported with few terms train with them
    stem, classifier: whether these are shifted too; a real-valued layer cannot be exported

    Raises
    ------
    ValueError: naming the field
    """

    layer: str = "ps"
    weight_bits: int = 5
    max_shift: int = 15
    grad_rule: str = "paper"
    init: str = "kaiming"
    inq_portions: tuple[float, ...] = (0.5, 0.75, 0.875, 1.0)
    scale_terms: int = 0
    stem: bool = True
    classifier: bool = True

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if (value := getattr(self, name)) not in allowed:
                raise ValueError(f"{name}: expected one of {tuple(allowed)}, found {value!r}")
        shift, portions = self.max_shift, self.inq_portions
        if not isinstance(shift, int) or not 0 <= shift <= MAX_SHIFT:
            raise ValueError(
                f"max_shift: expected a whole number from 0 to {MAX_SHIFT}, found {shift!r}"
            )
        if not rises_to_one(portions):
            raise ValueError(
                f"inq_portions: expected rising numbers above 0, the last 1, found {portions!r}"
            )

    @property
    def power_min(self) -> int:
        """Smallest exponent p of a weight; the largest is 0."""
        return max(P_MIN[self.weight_bits], -self.max_shift)
