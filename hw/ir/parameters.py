"""What a network holds beside its graph and formats: settings of all layers, integers of each."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class Rounding(StrEnum):
    """How a right shift rounds."""

    HALF_UP = "half_up"
    FLOOR = "floor"


@dataclass(frozen=True)
class Arithmetic:
    """Settings shared by all layers of a network.

    Parameters
    ----------
    weight_bits: 5 (p in [-14, 0]) or 6 (p in [-15, 0])
    guard: None for exact products, else the guard bits kept below the input's last one
    rounding: of every requantisation, addition and concatenation
    scale_terms: K, the most powers of two a requantisation scale is the sum of, 1 to 4
    """

    weight_bits: int = 5
    guard: int | None = None
    rounding: Rounding = Rounding.HALF_UP
    scale_terms: int = 3


@dataclass(frozen=True, eq=False)
class LayerParams:
    """Integer parameters of one weighted node; two are equal if they are the same object.

    `codes` are the weights (uint8, the node's weight shape): sign bit above the magnitude m; m = 0
    is zero, else p = 1 - m. The scale of output channel c is the sum of sign·2**exp over the K
    terms `scale_sign[c]`, `scale_exp[c]` (int8 and int16, shape (C, K); unused terms have sign 0,
    exp 0, and come last). `bias` holds one Python integer a channel: B of the requantisation, or
    the classifier's bias at the accumulator's format. A Linear has K = 0.
    """

    codes: np.ndarray
    scale_sign: np.ndarray
    scale_exp: np.ndarray
    bias: tuple[int, ...]
