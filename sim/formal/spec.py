"""The arithmetic of docs/numerics.md as Amaranth values, for the proofs: nothing here is shared
with the design.

Amaranth's values are exact: a sum, a product and a shift are as wide as they must be.
"""

from collections.abc import Sequence
from typing import NamedTuple, assert_never

from amaranth.hdl import Const, Mux, Value, ValueLike

from hw.ir.format import Format
from hw.ir.parameters import Rounding


class Term(NamedTuple):
    """sign·2**exponent: a weight, or a part of a scale."""

    sign: int
    exponent: int


def scaled(value: Value, term: Term) -> Value:
    """sign·floor(value·2**exponent)."""
    sign, exponent = term
    size = value << exponent if exponent >= 0 else value >> -exponent
    return size if sign > 0 else -size


def total(values: Sequence[Value]) -> Value:
    """The sum of the values."""
    result: Value = Const(0)
    for value in values:
        result = result + value
    return result


def clamp(value: Value, fmt: Format) -> Value:
    """The nearest code of the format."""
    return Mux(value < fmt.qmin, fmt.qmin, Mux(value > fmt.qmax, fmt.qmax, value))


def half_step(shift: int, rounding: Rounding) -> int:
    """2**(shift - 1) where a shift to the right is rounded half up, else 0."""
    match rounding:
        case Rounding.HALF_UP:
            return 1 << shift - 1 if shift > 0 else 0
        case Rounding.FLOOR:
            return 0
    assert_never(rounding)


def requantised(
    value: Value, shift: int, fmt: Format, rounding: Rounding = Rounding.HALF_UP
) -> Value:
    """clamp((value + 2**(shift - 1)) >> shift): the half only where `shift` > 0 and it is asked."""
    half = half_step(shift, rounding)
    return clamp((value + half) >> shift if shift > 0 else value << -shift, fmt)


def mean_of(value: Value, n: int, fmt: Format) -> Value:
    """The mean of n codes whose sum is `value`: clamp((value·R + 2**(t - 1)) >> t), with
    R = round(2**t / n) and t = W + 8 + ceil(log2 n)."""
    t = fmt.width + 8 + next(e for e in range(64) if 1 << e >= n)
    return requantised(value * (((1 << t + 1) // n + 1) // 2), t, fmt)


def same(a: ValueLike, b: ValueLike, width: int) -> Value:
    """The two integers are congruent modulo 2**width."""
    return (Value.cast(a) - Value.cast(b))[:width] == 0
