"""Arrays of exact integers: float64 where all values are below 2**53, int64, or Python integers.

An array may hold its integers in any of the three types. Which one an operation needs follows from
its exact bounds; NumPy's int64 wraps without a word, so nothing is computed in a type that the
bounds exceed.
"""

from typing import Any

import numpy as np

from hw.ir.format import Format, width_of

Integers = np.ndarray[Any, np.dtype[Any]]
"""Array of integers, its type float64, int64 or object."""


def number_type(width: int) -> np.dtype[Any]:
    """Fastest type that computes exactly with two's complement integers of `width` bits."""
    return np.dtype(np.float64 if width <= 53 else np.int64 if width <= 63 else object)


def bits_of(*values: int) -> int:
    """Width of the smallest two's complement type that holds zero and all `values`."""
    return width_of(min(0, *values), max(0, *values))


def cast(values: Integers, dtype: np.dtype[Any]) -> Integers:
    """The same integers in another type (no copy if it is theirs already)."""
    if values.dtype == dtype:
        return values
    if values.dtype == np.float64:
        values = values.astype(np.int64)
    return values.astype(dtype, copy=False)


def codes_of(values: Integers, width: int) -> Integers:
    """The integers as int64, or as Python integers if `width` bits need them."""
    return cast(values, np.dtype(np.int64 if width <= 63 else object))


def shift_right(values: Integers, shift: Any) -> Integers:
    """Floor of values / 2**shift; `shift` is an integer or an array of non-negative ones."""
    if values.dtype == np.float64:
        scaled = values * np.ldexp(1.0, -np.asarray(shift))
        return np.floor(scaled, out=scaled)
    if np.ndim(shift) == 0:
        return values >> shift if shift >= 0 else values << -shift
    return values >> shift


def saturate(values: Integers, target: Format) -> Integers:
    """Values clamped to the codes of the format `target`."""
    return np.clip(values, target.qmin, target.qmax)
