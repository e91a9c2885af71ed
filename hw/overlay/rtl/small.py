"""Sums and comparisons of few bits, in look-up tables: the ends of carry chains take sites, too."""

from amaranth import *


def exceeds(value: Value, constant: int) -> Value:
    """Whether an unsigned number is greater than a constant."""
    found = Const(0)
    for bit in range(len(value)):
        found = value[bit] & found if constant >> bit & 1 else value[bit] | found
    return found if constant >> len(value) == 0 else Const(0)


def incremented(value: Value) -> Value:
    """The number after an unsigned one, modulo 2^bits."""
    return Cat(value[bit] ^ value[:bit].all() for bit in range(len(value)))


def less(left: Value, right: Value) -> Value:
    """Whether an unsigned number is less than another one of as many bits."""
    found = Const(0)
    for a, b in zip(left, right, strict=True):
        found = (~a & b) | (~(a ^ b) & found)
    return found
