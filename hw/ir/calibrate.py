"""Choice of a tensor's fractional bits from values it takes."""

import math

import numpy as np

from hw.ir.format import Format


def quantise(values: np.ndarray, target: Format) -> np.ndarray:
    """Codes (as float64) nearest to `values`: floor(x·2**F + 1/2), saturated."""
    codes = np.floor(np.asarray(values, np.float64) * 2.0**target.frac + 0.5)
    return np.clip(codes, target.qmin, target.qmax, out=codes)


def squared_error(values: np.ndarray, target: Format) -> float:
    """Sum of the squared errors that quantising `values` makes."""
    return float(np.square(quantise(values, target) * 2.0**-target.frac - values).sum())


def saturation_error(values: np.ndarray, target: Format) -> float:
    """Sum of the squared distances of `values` from the range of the format."""
    low, high = target.qmin * 2.0**-target.frac, target.qmax * 2.0**-target.frac
    below, above = values[values < low], values[values > high]
    return float(np.square(below - low).sum() + np.square(above - high).sum())


def choose_frac(values: np.ndarray, width: int, signed: bool) -> int:
    """Fractional bits F of the format that quantises `values` with the least squared error.

    Ties go to the larger F; where all values are zero, to F = width. The search begins one step
    coarser than the finest format that saturates nothing (coarser ones only round more) and ends
    when saturation alone, which grows with F, costs more than the best format found.

    Raises ValueError if a value is not finite or there are none.
    """
    values = np.asarray(values, np.float64).ravel()
    if not values.size or not np.isfinite(values).all():
        raise ValueError("a format is chosen from one or more finite values")
    largest = float(np.abs(values).max())
    if largest == 0.0:
        return width
    frac = best_frac = (width - 1 if signed else width) - math.frexp(largest)[1] - 1
    best = math.inf
    while saturation_error(values, Format(signed, width, frac)) <= best:
        error = squared_error(values, Format(signed, width, frac))
        if error <= best:
            best, best_frac = error, frac
        frac += 1
    return best_frac
