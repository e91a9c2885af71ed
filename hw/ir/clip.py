"""What a tensor is clipped to as it is rounded: ReLU and ReLU6 as the range of a format.

A requantisation saturates at its format's smallest and largest code. One that begins at zero, and
perhaps ends below what the width allows, is an activation function for nothing.
"""

from enum import StrEnum
from typing import assert_never

import numpy as np

from hw.ir.format import Format


class Clip(StrEnum):
    """An activation function behind a node: values below zero, or above six too, are cut off."""

    RELU = "relu"
    RELU6 = "relu6"

    @property
    def upper(self) -> int | None:
        """The largest value; None: any."""
        match self:
            case Clip.RELU:
                return None
            case Clip.RELU6:
                return 6
        assert_never(self)


def clipped(values: np.ndarray, clip: Clip | None) -> np.ndarray:
    """Real values as the activation function leaves them."""
    return values if clip is None else np.clip(values, 0, clip.upper)


def clipped_format(clip: Clip | None, width: int, frac: int) -> Format:
    """Format of `width` bits, `frac` of them fractional, of a tensor that is clipped.

    Signed where nothing is; else unsigned, and up to the code nearest to the largest value (half
    up) where that is below the largest of the width.
    """
    if clip is None:
        return Format(True, width, frac)
    unsigned = Format(False, width, frac)
    if clip.upper is None:
        return unsigned
    largest = clip.upper << frac if frac >= 0 else (clip.upper + (1 << (-frac - 1))) >> -frac
    return Format(False, width, frac, largest) if largest < unsigned.qmax else unsigned
