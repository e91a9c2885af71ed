"""Arrays of exact integers: float64 where all values are below 2**53, int64, or Python integers.

What an array is made of is decided by bounds, never by what NumPy makes of a mixture. A tensor has
the type of its format (`tensor_type`) wherever one operation hands it to the next, and each
operation computes in the one type that its exact bounds allow (`number_type`). `cast` leads from
one to the other. NumPy wraps int64 without a word, makes floats of int64 beside float64, and its
`pad` puts NumPy's own integers, which wrap, among Python's: so arrays are padded, joined and
filled with constants by the functions of this file only.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hw.ir.format import Format, width_of

INT64 = np.iinfo(np.int64)

Integers = np.ndarray[Any, np.dtype[Any]]
"""Array of integers, its type float64, int64 or object."""


def number_type(width: int) -> np.dtype[Any]:
    """Fastest type that computes exactly with two's complement integers of `width` bits."""
    return np.dtype(np.float64 if width <= 53 else np.int64 if width <= 63 else object)


def bits_of(*values: int) -> int:
    """Width of the smallest two's complement type that holds zero and all `values`."""
    return width_of(min(0, *values), max(0, *values))


def tensor_type(target: Format) -> np.dtype[Any]:
    """Type of every tensor of a format, whatever it was computed in."""
    return number_type(target.width)


def cast(values: Integers, dtype: np.dtype[Any]) -> Integers:
    """The same integers in another type that holds them (no copy if it is theirs already)."""
    if values.dtype == dtype:
        return values
    if values.dtype == np.float64:
        values = values.astype(np.int64)
    return values.astype(dtype, copy=False)


def constants(values: Any, dtype: np.dtype[Any]) -> Integers:
    """Array of the Python integers in `values` (one, or nested lists of them)."""
    return np.array(values, dtype)


def pad(
    values: Integers, rows: tuple[int, int], columns: tuple[int, int], fill: int = 0
) -> Integers:
    """NHWC maps with so many rows and columns of `fill` added before and after."""
    if not any((*rows, *columns)):
        return values
    count, height, width, channels = values.shape
    shape = (count, height + sum(rows), width + sum(columns), channels)
    padded = np.full(shape, fill, values.dtype)
    padded[:, rows[0] : rows[0] + height, columns[0] : columns[0] + width] = values
    return padded


def join(parts: Sequence[Integers]) -> Integers:
    """NHWC maps of one type, joined along their channels. TypeError if their types differ."""
    types = {part.dtype for part in parts}
    if len(types) > 1:
        raise TypeError(f"integers of several types are joined: {sorted(map(str, types))}")
    return np.concatenate(parts, axis=3)


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
    """Values clamped to the codes of the format `target`, in the type of its tensors."""
    low, high = target.qmin, target.qmax
    if values.dtype == np.int64:
        low, high = max(low, INT64.min), min(high, INT64.max)
    return cast(np.clip(values, low, high), tensor_type(target))
