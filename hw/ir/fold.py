"""Folding of batch norm into a requantisation: scales of a few powers of two, and biases.

All arithmetic is exact (fractions), so that what a network holds depends on its parameters alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hw.ir.arithmetic import Accumulation
from hw.ir.format import Format

SMALLEST_EFFECT = Fraction(1, 16)
"""A term whose largest effect on the output is smaller, in output steps, is dropped."""

Term = tuple[int, int]
"""Sign and exponent of a signed power of two."""


@dataclass(frozen=True)
class Scales:
    """Scale and bias of each output channel, as a network's `LayerParams` holds them.

    Parameters
    ----------
    sign: int8, shape (C, K)
    exp: int16, shape (C, K)
    bias: one integer a channel
    """

    sign: np.ndarray
    exp: np.ndarray
    bias: tuple[int, ...]


def power_terms(value: float, terms: int) -> tuple[Term, ...]:
    """Greedy sum of at most `terms` signed powers of two that approximates `value`.

    Each term is the power of two nearest to what is left (threshold 1.5·2**e, ties to the smaller).
    Exponents decrease strictly; the subtraction of a nearest power of two is exact in float64.
    """
    if not math.isfinite(value):
        raise ValueError(f"a scale must be finite, not {value}")
    found: list[Term] = []
    while value and len(found) < terms:
        mantissa, exponent = math.frexp(abs(value))
        exponent = exponent if mantissa > 0.75 else exponent - 1
        sign = 1 if value > 0 else -1
        found.append((sign, exponent))
        value -= sign * math.ldexp(1.0, exponent)
    return tuple(found)


def fixed_point(value: Fraction | float, frac: int) -> int:
    """floor(value·2**frac + 1/2)."""
    return math.floor(Fraction(value) * Fraction(2) ** frac + Fraction(1, 2))


def fold(
    factor: Sequence[float] | np.ndarray,
    beta: Sequence[float] | np.ndarray,
    mean: Sequence[float] | np.ndarray,
    *,
    acc: Accumulation,
    out: Format,
    terms: int,
) -> Scales:
    """Requantisation that stands for factor·(x - mean) + beta, x the accumulator.

    Parameters
    ----------
    factor, beta, mean: one value a channel, in real units, not accumulator steps; of a batch norm
        the factor is gamma / sqrt(var + eps)
    acc: of the layer, see `hw.ir.arithmetic.accumulation`
    out: format of the layer's output
    terms: K, the most terms a scale may have

    Raises
    ------
    ValueError: a parameter that is not finite
    """
    channels = len(acc.low)
    kept: list[tuple[Term, ...]] = []
    biases: list[Fraction] = []
    step = Fraction(2) ** (acc.frac - out.frac)
    for c in range(channels):
        largest = max(abs(acc.low[c]), abs(acc.high[c]))
        found = tuple(
            (sign, exp)
            for sign, exp in power_terms(float(factor[c]), terms)
            if largest * Fraction(2) ** exp >= SMALLEST_EFFECT * step
        )
        quantised = sum((sign * Fraction(2) ** exp for sign, exp in found), Fraction(0))
        kept.append(found)
        biases.append(Fraction(float(beta[c])) - Fraction(float(mean[c])) * quantised)
    e_min = min((exp for found in kept for _, exp in found), default=0)
    signs = np.zeros((channels, terms), np.int8)
    exps = np.zeros((channels, terms), np.int16)
    for c, found in enumerate(kept):
        for k, (sign, exp) in enumerate(found):
            signs[c, k], exps[c, k] = sign, exp
    bias = tuple(fixed_point(b, acc.frac - e_min) for b in biases)
    return Scales(sign=signs, exp=exps, bias=bias)


def unit_scales(channels: int, bias: Sequence[float] = (), frac: int = 0) -> Scales:
    """Scale 1: the requantisation of a convolution without batch norm.

    Parameters
    ----------
    bias: real values, one a channel; none: 0
    frac: fractional bits of the accumulator
    """
    return Scales(
        sign=np.ones((channels, 1), np.int8),
        exp=np.zeros((channels, 1), np.int16),
        bias=tuple(fixed_point(b, frac) for b in bias) if len(bias) else (0,) * channels,
    )
