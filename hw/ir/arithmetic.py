"""Derived integers of every node: exponents, shifts, rounding constants, exact bounds and widths.

Nothing here is stored with a network; all of it follows from formats, weight codes and scales.
Every number is a Python integer, so no bound wraps. The reference chooses its integer type by
these bounds, the hardware its signal widths.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, assert_never

import numpy as np

from hw.ir.format import Format, width_of
from hw.ir.graph import Add, Concat, Conv, FactorizedReduce, Linear, Node
from hw.ir.network import Network
from hw.ir.parameters import LayerParams, Rounding
from hw.ir.weights import decode

KEPT = 1024
"""Layers whose constants are remembered: the planner asks for them again and again."""


@dataclass(frozen=True)
class Accumulation:
    """Accumulator of a weighted node: acc = sum of s·term over the taps, plus the bias in a Linear.

    A tap with weight s·2**p adds s·(q << (p - p0)). Without guard bits p0 is the layer's smallest p
    (0 if all its weights are zero) and no shift is negative; with guard bits p0 is minus their
    number, and a negative shift floors (before the sign is applied).

    Parameters
    ----------
    p0: exponent of the accumulator's last bit relative to the input's last bit
    frac: fractional bits of the accumulator, F_in - p0
    low, high: exact bounds of acc, one pair a channel, over zero (padding) and all inputs the
        format allows
    width: bits of the two's complement type that holds every channel
    """

    p0: int
    frac: int
    low: tuple[int, ...]
    high: tuple[int, ...]
    width: int


@dataclass(frozen=True)
class Requantisation:
    """From accumulator to output code: q = clamp((u + B + rounding) >> shift).

    u is the sum of s·(acc << (e - e_min)) over the terms of the channel's scale.

    Parameters
    ----------
    e_min, e_max: smallest and largest exponent of the layer's scales (0, 0 if all are dead)
    shift: r, to the right; a negative one is a shift to the left by -r
    rounding: constant added before the shift: 2**(r - 1), or 0 if r <= 0 or if the network's
        rounding is to the floor
    low, high: bounds of u + B + rounding over all channels
    width: bits that hold u, u + B and u + B + rounding of every channel
    """

    e_min: int
    e_max: int
    shift: int
    rounding: int
    low: int
    high: int
    width: int


@dataclass(frozen=True)
class Alignment:
    """Sum of aligned inputs in the output's format: q = clamp((S + rounding) >> shift).

    S is the sum of q_i << left[i] over the inputs.

    Parameters
    ----------
    frac: fractional bits of the sum, the largest of the inputs'
    left: shift to the left of each input
    shift: r = frac - F_out, to the right; a negative one is a shift to the left by -r
    rounding: constant added before the shift, as in a requantisation
    low, high: bounds of the sum + rounding
    width: bits that hold the sum with and without the rounding constant
    """

    frac: int
    left: tuple[int, ...]
    shift: int
    rounding: int
    low: int
    high: int
    width: int


class Average(NamedTuple):
    """Mean of n codes of sum S by a constant product.

    q = clamp((S·multiplier + 2**(shift - 1)) >> shift), whatever the network's rounding.
    """

    multiplier: int
    shift: int


def out_format(network: Network, name: str) -> Format:
    """Format of the tensor `name`; that of a Linear is its accumulator's."""
    if isinstance(network.graph[name], Linear):
        acc = accumulation(network, name)
        return Format(signed=True, width=acc.width, frac=acc.frac)
    return network.formats[name]


def in_formats(network: Network, name: str) -> tuple[Format, ...]:
    """Formats of the tensors that node `name` reads, in order."""
    return tuple(out_format(network, source) for source in network.graph[name].inputs)


def operand_range(network: Network, name: str) -> tuple[int, int]:
    """Bounds of the codes that meet the weights of node `name`: its input's, after any ReLU."""
    (source,) = in_formats(network, name)
    low, high = source.qmin, source.qmax
    return (0, max(high, 0)) if has_relu(network.graph[name]) else (low, high)


def has_relu(node: Node) -> bool:
    """True if the node replaces negative inputs by zero."""
    return isinstance(node, Conv | FactorizedReduce) and node.relu_in


def accumulator_exponent(power: np.ndarray, sign: np.ndarray, guard: int | None) -> int:
    """p0 of a layer: the smallest exponent of its non-zero weights, or minus the guard bits."""
    if guard is not None:
        return -guard
    used = power[sign != 0]
    return int(used.min()) if used.size else 0


def term_range(low: int, high: int, shift: int) -> tuple[int, int]:
    """Bounds of (q << shift) for q in [low, high]; a negative shift floors.

    The range of every format, with or without a ReLU, contains the zero of the padding.
    """
    return (low << shift, high << shift) if shift >= 0 else (low >> -shift, high >> -shift)


def bounds(
    codes: np.ndarray, weight_bits: int, p0: int, low: int, high: int
) -> tuple[list[int], list[int]]:
    """Exact bounds of each channel's sum of terms for operands in [low, high].

    `codes` has the output channels first. Channels are summarised by how often each code occurs.
    """
    sign, power = (
        table.tolist() for table in decode(np.arange(1 << weight_bits, dtype=np.uint8), weight_bits)
    )
    terms = [
        term_range(low, high, p - p0) if s else (0, 0) for s, p in zip(sign, power, strict=True)
    ]
    terms = [(-t[1], -t[0]) if s < 0 else t for s, t in zip(sign, terms, strict=True)]
    channels = np.arange(len(codes))[:, None] * len(terms) + codes.reshape(len(codes), -1)
    counts = np.bincount(channels.ravel(), minlength=len(codes) * len(terms))
    counts = counts.reshape(len(codes), len(terms))
    # 63 bits hold most layers' sums; where they might not, the sums are of Python integers.
    largest = max(abs(edge) for term in terms for edge in term) * codes[0].size
    exact = np.array(terms, np.int64 if largest < 1 << 63 else object)
    lows, highs = (counts.astype(exact.dtype) @ exact).T.tolist()
    return lows, highs


def layer_guard(network: Network, name: str) -> int | None:
    """Guard bits of a weighted node; a Linear is always exact."""
    return None if isinstance(network.graph[name], Linear) else network.arithmetic.guard


def accumulation(network: Network, name: str) -> Accumulation:
    """Accumulator of the Conv, FactorizedReduce or Linear `name` (bias included in a Linear)."""
    (source,) = in_formats(network, name)
    return _accumulation(
        network.params[name],
        network.arithmetic.weight_bits,
        source.frac,
        operand_range(network, name),
        layer_guard(network, name),
        isinstance(network.graph[name], Linear),
    )


@lru_cache(KEPT)
def _accumulation(
    params: LayerParams,
    bits: int,
    frac: int,
    operands: tuple[int, int],
    guard: int | None,
    biased: bool,
) -> Accumulation:
    sign, power = decode(params.codes, bits)
    p0 = accumulator_exponent(power, sign, guard)
    low, high = bounds(params.codes, bits, p0, *operands)
    if biased:
        low = [value + b for value, b in zip(low, params.bias, strict=True)]
        high = [value + b for value, b in zip(high, params.bias, strict=True)]
    width = width_of(min(low), max(high))
    return Accumulation(p0=p0, frac=frac - p0, low=tuple(low), high=tuple(high), width=width)


def rounding_constant(shift: int, rounding: Rounding) -> int:
    """What is added before a right shift by `shift`: half of a step, or nothing."""
    match rounding:
        case Rounding.HALF_UP:
            return 1 << (shift - 1) if shift > 0 else 0
        case Rounding.FLOOR:
            return 0
    assert_never(rounding)


def scale_multipliers(sign: np.ndarray, exp: np.ndarray) -> tuple[int, int, tuple[int, ...]]:
    """e_min, e_max of a layer and, for each channel, the integer sum of s·2**(e - e_min).

    `sign` and `exp` have the shape (C, K).
    """
    used = exp[sign != 0]
    e_min, e_max = (int(used.min()), int(used.max())) if used.size else (0, 0)
    scales = []
    for signs, exps in zip(sign.tolist(), exp.tolist(), strict=True):
        scales.append(sum(s << (e - e_min) for s, e in zip(signs, exps, strict=True) if s))
    return e_min, e_max, tuple(scales)


def requantisation(network: Network, name: str, acc: Accumulation | None = None) -> Requantisation:
    """Requantisation of the Conv or FactorizedReduce `name`; `acc`: its accumulation, if known."""
    acc = accumulation(network, name) if acc is None else acc
    frac, mode = network.formats[name].frac, network.arithmetic.rounding
    return _requantisation(network.params[name], acc, frac, mode)


@lru_cache(KEPT)
def _requantisation(
    params: LayerParams, acc: Accumulation, frac: int, mode: Rounding
) -> Requantisation:
    e_min, e_max, scales = scale_multipliers(params.scale_sign, params.scale_exp)
    shift = acc.frac - e_min - frac
    rounding = rounding_constant(shift, mode)
    width, lows, highs = 1, [], []
    for low, high, scale, bias in zip(acc.low, acc.high, scales, params.bias, strict=True):
        u_low, u_high = sorted((low * scale, high * scale))
        v_low, v_high = u_low + bias, u_high + bias
        width = max(width, width_of(u_low, u_high), width_of(v_low, v_high + rounding))
        lows.append(v_low + rounding)
        highs.append(v_high + rounding)
    return Requantisation(
        e_min=e_min,
        e_max=e_max,
        shift=shift,
        rounding=rounding,
        low=min(lows),
        high=max(highs),
        width=width,
    )


def aligned(sources: Sequence[Format], target: Format, rounding: Rounding) -> Alignment:
    """How a sum of tensors of formats `sources` is formed and brought to the format `target`."""
    frac = max(source.frac for source in sources)
    left = tuple(frac - source.frac for source in sources)
    low = sum(source.qmin << shift for source, shift in zip(sources, left, strict=True))
    high = sum(source.qmax << shift for source, shift in zip(sources, left, strict=True))
    shift = frac - target.frac
    constant = rounding_constant(shift, rounding)
    return Alignment(
        frac=frac,
        left=left,
        shift=shift,
        rounding=constant,
        low=low + constant,
        high=high + constant,
        width=width_of(low, high + constant),
    )


def alignment(network: Network, name: str) -> Alignment:
    """How the Add `name` forms its sum."""
    assert isinstance(network.graph[name], Add)
    return aligned(in_formats(network, name), network.formats[name], network.arithmetic.rounding)


def alignments(network: Network, name: str) -> tuple[Alignment, ...]:
    """How the Concat `name` brings each of its inputs to its own format, in input order."""
    assert isinstance(network.graph[name], Concat)
    target, rounding = network.formats[name], network.arithmetic.rounding
    return tuple(aligned((source,), target, rounding) for source in in_formats(network, name))


def average(width: int, n: int) -> Average:
    """Constants of a mean of n `width`-bit codes: t = W + 8 + ceil(log2 n), R = round(2**t / n)."""
    shift = width + 8 + (n - 1).bit_length()
    return Average(multiplier=((2 << shift) + n) // (2 * n), shift=shift)
