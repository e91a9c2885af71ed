"""The weight code: 0 or ±2**p in five or six bits (paper eq. 1, 2)."""

from functools import lru_cache

import numpy as np

P_MIN = {5: -14, 6: -15}
"""Smallest exponent p for each code width; the largest is 0."""


def encode(sign: np.ndarray, power: np.ndarray, bits: int) -> np.ndarray:
    """Codes (uint8) of sign·2**power.

    sign in {-1, 0, 1}; power in [P_MIN[bits], 0], ignored where the sign is 0, else ValueError.
    """
    sign, power = np.asarray(sign, np.int64), np.asarray(power, np.int64)
    used = power[sign != 0]
    if used.size and (used.min() < P_MIN[bits] or used.max() > 0):
        raise ValueError(
            f"weight exponents span [{used.min()}, {used.max()}], "
            f"a {bits}-bit code holds [{P_MIN[bits]}, 0]"
        )
    magnitude = np.where(sign == 0, 0, 1 - power)
    return (magnitude + ((sign < 0).astype(np.int64) << (bits - 1))).astype(np.uint8)


def decode(codes: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Sign (int8, in {-1, 0, 1}) and power (int8, 0 where the weight is zero) of each code."""
    signs, powers = _tables(bits)
    return signs[codes], powers[codes]


def are_codes(codes: np.ndarray, bits: int) -> bool:
    """Whether all are weight codes: zero without a sign, no power below P_MIN, no bit too many."""
    magnitude = codes & ((1 << (bits - 1)) - 1)
    lone_sign = (magnitude == 0) & (codes != 0)
    too_small = magnitude > 1 - P_MIN[bits]
    return not (lone_sign | too_small | (codes >= 1 << bits)).any()


def integer_weights(
    sign: np.ndarray, power: np.ndarray, p0: int, guard: int | None
) -> list[tuple[int, np.ndarray]]:
    """Pairs (right shift of the input, int64 weights) whose products add up to the accumulator.

    Weights that need no floor share the shift 0; each smaller power of two has a pair of its own,
    of weights 0 and ±1. `p0` is the accumulator's exponent (`hw.ir.arithmetic.Accumulation`).
    """
    shift = np.where(sign == 0, 0, power.astype(np.int64) - p0)
    exact = sign * (np.int64(1) << np.maximum(shift, 0)) * (shift >= 0)
    pairs = [(0, exact)]
    if guard is not None:
        for floored in np.unique(shift[shift < 0]).tolist():
            pairs.append((-floored, sign.astype(np.int64) * (shift == floored)))
    return pairs


@lru_cache
def _tables(bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Sign and power of every code of eight bits, of which `bits` count."""
    codes = np.arange(256, dtype=np.uint8)
    magnitude = codes & ((1 << (bits - 1)) - 1)
    negative = (codes >> (bits - 1)) & 1
    sign = np.where(magnitude == 0, 0, np.where(negative == 1, -1, 1)).astype(np.int8)
    power = np.where(magnitude == 0, 0, 1 - magnitude.astype(np.int16)).astype(np.int8)
    return sign, power
