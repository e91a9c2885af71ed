"""Real weights and biases as those of a layer of shifts: the same numbers, or a refusal."""

from dataclasses import replace

import numpy as np

from hw.exchange.quantised.values import Refused, as_integer, exponent
from hw.ir.format import Format, width_of
from hw.ir.graph import Conv
from hw.ir.parameters import LayerParams
from hw.ir.weights import P_MIN, encode

MOST_FINE = 64
"""Bits that a bias may be finer than the accumulator, at most."""


def _powers(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sign and exponent of real weights, each 0 or ±2^e."""
    sign = np.sign(weights).astype(np.int64)
    return sign, np.where(
        sign == 0, 0, exponent(np.where(sign == 0, 1, np.abs(weights)), "the weight")
    )


def needed_bits(weights: np.ndarray) -> int:
    """The code width, 5 or 6, that the exponents of each output channel take."""
    sign, power = _powers(weights)
    span = 0
    for s, p in zip(sign.reshape(len(sign), -1), power.reshape(len(sign), -1), strict=True):
        if s.any():
            span = max(span, int(np.ptp(p[s != 0])))
    for bits, least in P_MIN.items():
        if span <= -least:
            return bits
    raise Refused(f"the weights of a channel lie {span} powers of two apart; 15 are the most")


def linear(weights: np.ndarray, bias: np.ndarray, frac: int, bits: int) -> LayerParams | None:
    """Parameters of a classifier that reads `frac` fractional bits.

    None where nothing but a scale makes its weights or biases those of shifts: it has none.
    """
    sign, power = _powers(weights)
    used = power[sign != 0]
    if used.size and not P_MIN[bits] <= used.min() <= used.max() <= 0:
        return None
    finest = frac - (int(used.min()) if used.size else 0)
    values = [as_integer(value, finest) for value in bias.tolist()]
    if None in values:
        return None
    none = np.zeros((len(bias), 0))
    return LayerParams(
        encode(sign, power, bits),
        none.astype(np.int8),
        none.astype(np.int16),
        tuple(value for value in values if value is not None),
    )


def exact_format(weights: np.ndarray, bias: np.ndarray, source: Format) -> Format:
    """The format that holds every sum of weights times codes of `source`, and a bias, exactly."""
    frac = source.frac + MOST_FINE
    factors = np.array([as_integer(one, MOST_FINE) for one in weights.ravel().tolist()], object)
    factors = factors.reshape(len(weights), -1)
    biases = [as_integer(one, frac) for one in bias.tolist()]
    if None in factors or None in biases:
        raise Refused(f"numbers of more than {MOST_FINE} fractional bits")
    last = [one for one in (*factors.ravel(), *biases) if one]
    # As many bits less as all of them end in zeros.
    spare = min(((one & -one).bit_length() - 1 for one in last), default=0)
    low, high = np.minimum(factors, 0), np.maximum(factors, 0)
    least = low.sum(axis=1) * source.qmax + high.sum(axis=1) * source.qmin
    most = high.sum(axis=1) * source.qmax + low.sum(axis=1) * source.qmin
    edges = [
        edge + b >> spare for sums in (least, most) for edge, b in zip(sums, biases, strict=True)
    ]
    width = max(2, width_of(min(0, *edges), max(0, *edges)))
    if width > 32:
        raise Refused(f"logits of {width} bits; 32 are the most where they are scaled")
    return Format(True, width, frac - spare)


def convolution(
    node: Conv, weights: np.ndarray, bias: np.ndarray, frac: int, bits: int
) -> tuple[Conv, LayerParams]:
    """Node and parameters of a convolution that reads a tensor of `frac` fractional bits.

    Weights up to 1 and biases that its accumulators hold make one with a bias. Else each channel
    is scaled by its largest weight; and where a bias is d bits finer than the sums, the scale 2^t
    of one channel is written 2^t − 2^(t−d) + 2^(t−d), which is what makes them finer.
    """
    sign, power = _powers(weights)
    used = power[sign != 0]
    lowest, highest = (int(used.min()), int(used.max())) if used.size else (0, 0)
    if highest <= 0 and lowest >= P_MIN[bits]:
        values = [as_integer(value, frac - lowest) for value in bias.tolist()]
        if None not in values:
            biases = tuple(value for value in values if value is not None)
            node = replace(node, batch_norm=False, bias=any(biases))
            one = np.ones((len(bias), 1))
            codes = encode(sign, power, bits)
            return node, LayerParams(codes, one.astype(np.int8), 0 * one.astype(np.int16), biases)
    axes = tuple(range(1, power.ndim))
    tops = np.where(sign == 0, -(1 << 20), power).max(axis=axes)
    tops = np.where((sign == 0).all(axis=axes), highest, tops)
    power = np.where(sign == 0, 0, power - tops.reshape(-1, *(1 for _ in axes)))
    held = frac - int(power.min()) - int(tops.min())
    finer = next(
        (d for d in range(MOST_FINE) if all(_held(value, held + d) for value in bias.tolist())),
        None,
    )
    if finer is None:
        raise Refused(f"a bias is more than {MOST_FINE} bits finer than its sums of products")
    scale_sign = np.zeros((len(bias), 3 if finer else 1), np.int8)
    scale_exp = np.zeros_like(scale_sign, np.int16)
    scale_sign[:, 0], scale_exp[:, 0] = 1, tops
    if finer:
        # Of the channel with the smallest scale, the layer's finest.
        at = int(tops.argmin())
        scale_sign[at], scale_exp[at, 1:] = (1, -1, 1), tops[at] - finer
    values = [as_integer(value, held + finer) for value in bias.tolist()]
    params = LayerParams(
        encode(sign, power, bits),
        scale_sign,
        scale_exp,
        tuple(value for value in values if value is not None),
    )
    return replace(node, batch_norm=True, bias=False), params


def _held(value: float, frac: int) -> bool:
    return as_integer(value, frac) is not None
