"""What the values of a quantised graph are, as far as they are known."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from hw.ir.clip import Clip
from hw.ir.format import Format
from hw.ir.graph import AvgPool, GlobalPool, Node


class Refused(Exception):
    """An operator that no node of a network is: why, and what to do."""


@dataclass(frozen=True)
class Tensor:
    """The tensor of a node: codes q, or in the real numbers q·2^−frac·2^shift.

    Parameters
    ----------
    node: that gives it
    target: its format
    shift: 0 but for images, whose format here is u8.8 whatever scale the file gives them
    relu: max(q, 0) is meant
    """

    node: Node
    target: Format
    shift: int = 0
    relu: bool = False


@dataclass(frozen=True)
class Pending:
    """The real numbers that a node computes before they are brought to a format.

    Parameters
    ----------
    node: without its clip
    weights, bias: real numbers, of nodes that have them
    keeps: the format that the node keeps, if it does
    """

    node: Node
    weights: np.ndarray | None = None
    bias: np.ndarray | None = None
    keeps: Format | None = None
    clip: Clip | None = None

    @property
    def rounds(self) -> bool:
        """Whether a node that keeps its format gives numbers between its codes."""
        return isinstance(self.node, AvgPool | GlobalPool)

    def clipped(self, clip: Clip) -> "Pending":
        if self.clip is not None and self.clip is not clip:
            raise Refused(f"{clip} behind {self.clip}; one activation function a layer")
        return replace(self, clip=clip)


@dataclass(frozen=True)
class Image:
    """What the graph reads, before it is quantised."""

    name: str
    shape: tuple[int, int, int]


Value = Tensor | Pending | Image | np.ndarray
"""An array holds constants: exact real numbers (float64), or codes that are not dequantised yet."""


def exponent(scale: Any, what: str) -> np.ndarray:
    """e of scales 2^e. Refused where one is no power of two."""
    values = np.asarray(scale, np.float64)
    mantissa, found = np.frexp(values)
    if (mantissa != 0.5).any():
        wrong = values.ravel()[(mantissa != 0.5).ravel()][0]
        raise Refused(f"{what} {wrong:g} is no power of two; quantise with scales that are")
    return found.astype(np.int64) - 1


def quantised_format(kind: np.dtype[Any], scale: Any, zero: Any, what: str) -> Format:
    """Format of integers of a type with one scale and a zero point, which is 0."""
    if kind.kind not in "iu" or kind.itemsize > 2:
        raise Refused(f"{what} of type {kind}; expected 8 or 16 bits")
    if np.asarray(zero).any():
        raise Refused(f"{what} with a zero point; quantise symmetrically, or without a sign")
    if np.size(scale) != 1:
        raise Refused(f"{what} with a scale for each channel; give the whole tensor one")
    frac = -int(exponent(np.ravel(scale)[0], f"the scale of {what}"))
    return Format(kind.kind == "i", 8 * kind.itemsize, frac)


def clip_of(low: float, high: float) -> Clip:
    """The activation function that cuts off what is below and above."""
    for clip in Clip:
        if low == 0 and high == (float("inf") if clip.upper is None else clip.upper):
            return clip
    raise Refused(f"a clip to {low:g} and {high:g}; known are {', '.join(Clip)}")


def as_integer(value: float, frac: int) -> int | None:
    """value·2^frac, if that is an integer."""
    exact = Fraction(value) * Fraction(2) ** frac
    return exact.numerator if exact.denominator == 1 else None
