"""How shift weights are made and trained."""

from dataclasses import dataclass
from enum import StrEnum

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


@dataclass(frozen=True)
class ShiftSettings:
    """How shift weights are made and trained.

    Parameters
    ----------
    layer: what is trained: "ps" (DeepShift-PS, the paper's), "q" (DeepShift-Q) or "inq"
        (incremental quantisation); see the modules of this package
    weight_bits: 5 (p in [-14, 0]) or 6 (p in [-15, 0])
    max_shift: p is kept at -max_shift or more, also where the code holds less; fewer make narrower
        adders
    grad_rule: of layer "ps". "paper": dw/dP = w·2**p·ln 2 (eq. 9); "exact": the derivative of
        s·2**P, w·ln 2; dw/dS = 1 in both
    init: "kaiming": a Kaiming-normal draw; "uniform": P ~ U(-10, -1), S ~ U(-1, 1)
    inq_portions: of layer "inq": the share of each tensor that is frozen after each step, rising,
        the last 1
    scale_terms: K: batch norms scale by the nearest sum of at most K signed powers of two, 0 to 4;
        0: by any real number. Networks to be exported with few terms train with them
    stem, classifier: whether these are shifted too; a real-valued layer cannot be exported
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

    @property
    def power_min(self) -> int:
        """Smallest exponent p of a weight; the largest is 0."""
        return max(P_MIN[self.weight_bits], -self.max_shift)
