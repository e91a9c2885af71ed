"""Sums of products by `ConvInteger` and `MatMulInteger`, which multiply bytes by bytes.

A weight is a power of two out of fifteen or more, an int8 holds seven of them (1 to 64): the
weights are split into bands of seven, each an operator of its own, whose sums are shifted and
added. That no weight is −128 has another reason too: a runtime may add two products of a uint8 and
an int8 in 16 bits with saturation (x86's VPMADDUBSW), and 2·255·64 is within them.

An operand wider than a byte is split into bytes, the highest of them signed if the operand is.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from hw.exchange.shifts import floored, multiplied
from hw.exchange.writer import Scope, require_held

OCTAVES = 7
"""Powers of two in a band."""

Multiply = Callable[[str, str], str]
"""From names of an operand of bytes and of weights to that of their sums of products (int32)."""


class Operand(NamedTuple):
    """What meets the weights.

    Parameters
    ----------
    name: of the value
    kind: its type: int8, uint8 or int64
    low, high: bounds of its codes
    """

    name: str
    kind: str
    low: int
    high: int


def bands(weights: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Pairs (left shift, int8 weights of 0 and ±1 to ±64) that add up to `weights`, each 0 or ±2^k.

    Bands without a weight are left out, but for the first if there is no weight at all.
    """
    octave = np.log2(np.maximum(np.abs(weights), 1)).astype(np.int64)
    used = np.unique(octave[weights != 0] // OCTAVES).tolist() or [0]
    for band in used:
        inside = (octave // OCTAVES == band) & (weights != 0)
        yield OCTAVES * band, (np.where(inside, weights, 0) >> OCTAVES * band).astype(np.int8)


def products(
    scope: Scope,
    operand: Operand,
    pairs: Sequence[tuple[int, np.ndarray]],
    multiply: Multiply,
    arrange: Callable[[np.ndarray], np.ndarray] = lambda weights: weights,
) -> str:
    """Sum of weights times the operand, int64.

    Parameters
    ----------
    pairs: (right shift of the operand, integer weights 0 or ±2^k, output channels first)
    arrange: the weights as the operator takes them
    """
    parts: list[tuple[str, int]] = []
    most = 0
    used = [pair for pair in pairs if pair[1].any()] or list(pairs[:1])
    for floor, weights in used:
        pieces = list(_pieces(scope, operand, floor))
        for left, small in bands(weights):
            label = f"weights_floor{floor}" if floor else f"weights_left{left}"
            constant = scope.constant(label, arrange(small), np.int8)
            taps = int(np.abs(small.astype(np.int64)).reshape(len(small), -1).sum(axis=1).max())
            for name, up, largest in pieces:
                require_held("a sum of products", taps * largest, bits=32)
                most += taps * largest << (left + up)
                parts.append((multiply(name, constant), left + up))
    require_held("the accumulator", most)
    total = ""
    for name, left in parts:
        part = multiplied(scope, scope.cast(name, "int64", "part"), left)
        total = scope.apply("Add", [total, part], "sum") if total else part
    return total


def _pieces(scope: Scope, operand: Operand, floor: int) -> Iterator[tuple[str, int, int]]:
    """The bytes of an operand floored by so many bits: name, left shift, largest absolute value."""
    name, kind, low, high = operand
    if kind != "int64":
        if not floor:
            yield name, 0, max(high, -low)
            return
        name = scope.cast(name, "int64", "wide")
    if floor:
        name, low, high = floored(scope, name, 1 << floor, "cut"), low >> floor, high >> floor
    up = 0
    while not _is_byte(low, high):
        step = scope.constant("step", 256)
        byte = scope.apply("Mod", [name, step], "byte")
        yield scope.cast(byte, "uint8", "piece"), up, 255
        whole = scope.apply("Sub", [name, byte], "whole")
        name, up = scope.apply("Div", [whole, step], "above"), up + 8
        low, high = low >> 8, high >> 8
    yield scope.cast(name, "int8" if low < 0 else "uint8", "piece"), up, max(high, -low)


def _is_byte(low: int, high: int) -> bool:
    return (-128 <= low and high <= 127) or (low >= 0 and high <= 255)
