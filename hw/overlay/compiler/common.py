"""Sums of two input channels that several output channels of a pointwise convolution add.

Where x_i ± x_j, both of one level, is part of many channels' sums, it is captured once in a plane
of its own: three words of a pass, and each channel that reads it saves a word for each digit of its
scale. The pairs that save most come first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hw.ir.graph import Pair
from hw.overlay.compiler.builder import Builder
from hw.overlay.compiler.emitter import Group, View
from hw.overlay.compiler.ranges import Range
from hw.overlay.isa import Mode

PRICE = 3
"""Words of a pair: two that read, a capture."""


@dataclass(frozen=True)
class Common:
    """x_first ± x_second.

    Parameters
    ----------
    negative: whether it is the difference
    rows: of the signs that were searched, where it stands for both
    signs: that it has there
    """

    first: int
    second: int
    negative: bool
    rows: np.ndarray
    signs: np.ndarray

    def bounds(self, met: Range) -> Pair:
        """Least and largest value, of channels with these bounds."""
        low, high = met.low[self.second], met.high[self.second]
        if self.negative:
            low, high = -high, -low
        return int(met.low[self.first] + low), int(met.high[self.first] + high)


def pairs(
    sign: np.ndarray, digits: np.ndarray, plus: np.ndarray, minus: np.ndarray, most: int
) -> Iterator[Common]:
    """Pairs that save words, the one that saves most first; `sign` loses what they stand for.

    Parameters
    ----------
    sign: 1, 0 or −1 for each row (an output channel and a level) and input channel
    digits: words that a row saves for a pair
    plus, minus: whether the sum, and the difference, of two input channels fits a plane
    """
    # Products of real numbers are much faster; all of these are exact.
    real = sign.astype(np.float32)
    weighted = digits.astype(np.float32)[:, None] * real
    both, equal = np.abs(real).T @ np.abs(weighted), real.T @ weighted
    saved = np.stack([np.where(plus, both + equal, 0), np.where(minus, both - equal, 0)]) / 2
    for channel in range(sign.shape[1]):
        saved[:, channel, channel] = 0
    # Bounds of each row, looked at again when it is a row's turn.
    bound = saved.max(2)
    while most:
        kind, first = divmod(int(bound.argmax()), sign.shape[1])
        second = int(saved[kind, first].argmax())
        now = saved[kind, first, second]
        if now < bound[kind, first]:
            bound[kind, first] = now
            continue
        if now <= PRICE:
            return
        most -= 1
        product = sign[:, first] * sign[:, second]
        rows = np.flatnonzero(product == (-1 if kind else 1))
        yield Common(first, second, bool(kind), rows, sign[rows, first])
        for channel in (first, second):
            part = sign[rows] * sign[rows, channel][:, None]
            for n, lost in enumerate((part > 0, part < 0)):
                saved[n, channel] -= (digits[rows, None] * lost).sum(0)
                saved[n, :, channel] = saved[n, channel]
                saved[n, channel, channel] = 0
            sign[rows, channel] = 0


def fitting(met: Range, bits: int, *, differences: bool) -> tuple[np.ndarray, np.ndarray]:
    """Which sums, and which differences, of two channels no pixel of `bits` bits saturates."""
    half, (low, high) = 1 << (bits - 1), (met.low[:, None], met.high[:, None])
    plus = (low + low.T >= -half) & (high + high.T < half)
    minus = (low - high.T >= -half) & (high - low.T < half)
    return plus, minus & differences


def captured(
    builder: Builder, view: View, sources: Sequence[int], found: Sequence[Common], name: str
) -> tuple[int, ...]:
    """Planes with these sums of the sources, for node `name`; none if no window reaches them all.

    The emitter is left as the view says, aimed at the sources and these planes.
    """
    planes = builder.memory.take(name, len(found), view.pitch_in)
    builder.emitter.configure(view)
    builder.aim([*sources, *planes])
    if not builder.aimed:
        builder.memory.drop(planes)
        return ()
    for pair, plane in zip(found, planes, strict=True):
        group = Group()
        builder.read(group, sources[pair.first])
        builder.read(group, sources[pair.second], negative=pair.negative)
        group.capture(plane, Mode.WIDE)
        builder.emitter.group(group)
    return planes
