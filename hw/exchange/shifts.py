"""From exact sums to the codes of a format: shifts, floors and saturation of int64.

ONNX's `Div` of integers truncates towards zero and its `BitShift` takes unsigned integers only.
Here a floor is (v − v mod 2^r) / 2^r: `Mod` has the sign of its divisor, so what it leaves is a
multiple of 2^r, and dividing that rounds nothing.
"""

from typing import Any

import numpy as np

from hw.exchange.writer import INT64, TYPES, Scope, Unheld, carrier, require_held
from hw.ir.format import Format

MOST = 62
"""Bits that one floor cuts at the most: 2^62 is the largest power of two of an int64."""


def multiplied(scope: Scope, value: str, left: int, label: str = "shifted") -> str:
    """An int64 shifted to the left; the value itself by 0."""
    if not left:
        return value
    return scope.apply("Mul", [value, scope.constant("factor", 1 << left)], label)


def floored(scope: Scope, value: str, steps: Any, label: str) -> str:
    """Floor of an int64 divided by powers of two, one or an array of them."""
    step = scope.constant("step", steps)
    rest = scope.apply("Mod", [value, step], "rest")
    whole = scope.apply("Sub", [value, rest], "whole")
    return scope.apply("Div", [whole, step], label)


def shifted_right(scope: Scope, value: str, shift: int, low: int, high: int) -> str:
    """Floor of an int64 within [low, high] divided by 2^shift; a negative shift goes left."""
    if shift == 0:
        return value
    if shift < 0:
        require_held("the shift to the left", low << -shift, high << -shift)
        return multiplied(scope, value, -shift)
    # Beyond the value's own bits every shift gives its sign.
    left = min(shift, max((edge if edge >= 0 else ~edge).bit_length() for edge in (low, high)))
    while left > 0:
        value = floored(scope, value, 1 << min(left, MOST), "floor")
        left -= MOST
    return value


def scaled(
    scope: Scope,
    value: str,
    edges: tuple[int, int],
    factors: np.ndarray,
    offsets: np.ndarray,
    shift: int,
) -> str:
    """Floor of (value·factor + offset) / 2^shift, int64.

    Where the sum is wider than 64 bits the value is split below its bit k, and so is the offset:
    with A = high·factor + offset_high and B = low·factor + offset_low the sum is A·2^k + B, and its
    floor that of (A + ⌊B / 2^k⌋) / 2^(shift − k), which holds exactly for k ≤ shift.

    Parameters
    ----------
    edges: bounds of the value
    factors, offsets: arrays of Python integers that can be broadcast over the value

    Raises
    ------
    Unheld: no k makes it narrow enough
    """
    sums = [edge * factors + offsets for edge in edges]
    least, largest = (edge(*(edge(one.ravel()) for one in sums)) for edge in (min, max))
    if _fits(least, largest, *(edge * one for edge in edges for one in factors.ravel())):
        total = value
        if (factors != 1).any():
            total = scope.apply("Mul", [total, scope.constant("scale", factors)], "scaled")
        if offsets.any():
            total = scope.apply("Add", [total, scope.constant("offset", offsets)], "biased")
        return shifted_right(scope, total, shift, least, largest)
    cut = next((k for k in range(1, shift + 1) if _is_narrow(edges, factors, offsets, k)), None)
    if cut is None:
        require_held("the sum before its shift to the right", least, largest)
        raise Unheld("a product before the shift to the right needs more than 64 bits")
    factor, step = scope.constant("scale", factors), scope.constant("cut", 1 << cut)
    below = scope.apply("Mod", [value, step], "below")
    above = scope.apply("Div", [scope.apply("Sub", [value, below], "whole"), step], "above")
    parts = []
    for part, label, offset in (
        (above, f"offset_above{cut}", offsets >> cut),
        (below, "offset_below", offsets & ((1 << cut) - 1)),
    ):
        product = scope.apply("Mul", [part, factor], "scaled")
        parts.append(scope.apply("Add", [product, scope.constant(label, offset)], "biased"))
    carried = floored(scope, parts[1], 1 << cut, "carry")
    total = scope.apply("Add", [parts[0], carried], "sum")
    return shifted_right(scope, total, shift - cut, least >> cut, largest >> cut)


def _fits(*values: int) -> bool:
    return min(values) >= INT64.min and max(values) <= INT64.max


def _is_narrow(edges: tuple[int, int], factors: np.ndarray, offsets: np.ndarray, cut: int) -> bool:
    """Whether everything is held by 64 bits if the value is split below bit `cut`."""
    size, most = max(abs(one) for one in factors.ravel()), 1 << cut
    offset = max(abs(one) for one in offsets.ravel())
    above = (max(abs(edge) for edge in edges) // most + 1) * size + offset // most + 1
    below = (most - 1) * size + most
    return _fits(-above - size - 1, above + size + 1, -below - most, below)


def saturated(scope: Scope, value: str, target: Format) -> str:
    """The node's tensor: an int64 clipped to the codes of its format."""
    low, high = scope.constant("least", target.qmin), scope.constant("largest", target.qmax)
    if carrier(target) == "int64":
        return scope.finish("Clip", [value, low, high])
    clipped = scope.apply("Clip", [value, low, high], "clipped")
    return scope.finish("Cast", [clipped], to=TYPES[carrier(target)])
