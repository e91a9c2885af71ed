"""What the numbers before a layer's clamp can be, whatever codes of their formats its inputs carry.

The terms of a sum are steps of powers of two, taken as often as the inputs say. So the values that
it can have are known exactly, gaps and all. Taps that lie in the padding, and inputs that depend on
one another, only take some away: what is out of reach here is out of reach in the hardware, at
every level of a co-simulation.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hw.ir.arithmetic import (
    Alignment,
    Requantisation,
    accumulation,
    alignment,
    alignments,
    in_formats,
    operand_range,
    requantisation,
    rounding_constant,
    scale_multipliers,
    term_range,
)
from hw.ir.graph import Add, Concat, Conv, FactorizedReduce, Node
from hw.ir.network import Network
from hw.ir.weights import decode

Interval = tuple[int, int]
"""First and last integer, both included."""


@dataclass(frozen=True)
class Values:
    """The values offset + multiplier · Σ 2**k · y_k, y_k any integer of its interval.

    Parameters
    ----------
    steps: k -> interval of y_k
    multiplier, offset: of the sum
    """

    steps: Mapping[int, Interval]
    multiplier: int = 1
    offset: int = 0

    @property
    def ends(self) -> Interval:
        """The smallest and the largest value."""
        low = self.multiplier * sum(low << k for k, (low, _) in self.steps.items())
        high = self.multiplier * sum(high << k for k, (_, high) in self.steps.items())
        return min(low, high) + self.offset, max(low, high) + self.offset

    def meets(self, low: int, high: int) -> bool:
        """Whether there is a value from `low` to `high`."""
        low, high = low - self.offset, high - self.offset
        if self.multiplier == 0:
            return low <= 0 <= high
        if self.multiplier < 0:
            low, high = -high, -low
        size = abs(self.multiplier)
        return _meets(self.steps, -(-low // size), high // size)

    def leaves(self, first: int, last: int, modulus: int) -> bool:
        """Whether values may leave a remainder from `first` to `last` when divided by a power of
        two. One remainder is looked for among the values; of several it is only known that all
        distances between values are multiples of the smallest step.
        """
        if first == last:
            return self._leaves(first, modulus)
        smallest = min((k for k, (low, high) in self.steps.items() if low < high), default=None)
        start = self.ends[0] % modulus
        if smallest is None or self.multiplier == 0:
            return first <= start <= last
        step = self.multiplier << smallest
        step = min(modulus, step & -step)
        return first + (start - first) % step <= last

    def _leaves(self, rest: int, modulus: int) -> bool:
        """Whether some value leaves the remainder `rest`."""
        wanted = (rest - self.offset) % modulus
        unit = min(modulus, self.multiplier & -self.multiplier or modulus)
        if wanted % unit or unit == modulus:
            return wanted == 0
        # The sum is a number that follows, and any multiple of what is left of the modulus.
        modulus //= unit
        wanted = wanted // unit * pow(self.multiplier // unit, -1, modulus) % modulus
        bits = modulus.bit_length() - 1
        low, high = self.steps.get(bits, (0, 0))
        room = 1 + (sum(max(abs(a), abs(b)) << k for k, (a, b) in self.steps.items()) >> bits)
        free = {bits: (low - room, high + room)}
        return _meets({**self.steps, **free}, wanted, wanted)


def _meets(steps: Mapping[int, Interval], low: int, high: int) -> bool:
    """Whether Σ 2**k · y_k has a value from `low` to `high`.

    What the smallest step leaves to the others has to be a multiple of the next one. As no interval
    has gaps, it may be any multiple in an interval again.
    """
    unit = 0
    for k in sorted(steps):
        low, high = -(-low >> (k - unit)), high >> (k - unit)
        if low > high:
            return False
        least, most = steps[k]
        low, high, unit = low - most, high - least, k
    return low <= 0 <= high


@dataclass(frozen=True)
class Rounding:
    """How values become codes: clamp((value + constant) >> shift).

    Parameters
    ----------
    shift, constant: of that sum
    width: bits of the two's complement type that holds every value, with the constant or without
    """

    shift: int
    constant: int
    width: int


def rounding(network: Network, node: Node) -> Rounding:
    """Of a Conv, FactorizedReduce, Add or Concat.

    A value's last bit is the finest of those of the sums (a Concat has one for each input), or the
    output's where that is finer.
    """
    sums = _sums(network, node)
    shift = max(0, *(how.shift for how in sums))
    return Rounding(
        shift,
        rounding_constant(shift, network.arithmetic.rounding),
        max(how.width + shift - how.shift for how in sums),
    )


def values(network: Network, node: Node) -> Iterator[Values]:
    """The values before rounding of each channel, or of each input of a Concat."""
    shift = rounding(network, node).shift
    if isinstance(node, Conv | FactorizedReduce):
        yield from _of_channels(network, node, shift)
        return
    formats = in_formats(network, node.name)
    for position, how in enumerate(_alignments(network, node)):
        sources = formats if isinstance(node, Add) else formats[position : position + 1]
        steps: dict[int, Interval] = {}
        for source, left in zip(sources, how.left, strict=True):
            _take(steps, left + shift - how.shift, source.qmin, source.qmax)
        yield Values(steps)


def _alignments(network: Network, node: Node) -> tuple[Alignment, ...]:
    """Of an Add's sum, or of each input of a Concat."""
    return (
        alignments(network, node.name)
        if isinstance(node, Concat)
        else (alignment(network, node.name),)
    )


def _sums(network: Network, node: Node) -> Sequence[Requantisation | Alignment]:
    """What is rounded to codes."""
    if isinstance(node, Conv | FactorizedReduce):
        return (requantisation(network, node.name),)
    return _alignments(network, node)


def _of_channels(network: Network, node: Node, shift: int) -> Iterator[Values]:
    params, bits = network.params[node.name], network.arithmetic.weight_bits
    acc, how = accumulation(network, node.name), requantisation(network, node.name)
    low, high = operand_range(network, node.name)
    _, _, scales = scale_multipliers(params.scale_sign, params.scale_exp)
    finer = shift - how.shift
    for codes, scale, bias in zip(params.codes, scales, params.bias, strict=True):
        kinds, counts = np.unique(codes, return_counts=True)
        signs, powers = (part.tolist() for part in decode(kinds, bits))
        steps: dict[int, Interval] = {}
        for sign, power, times in zip(signs, powers, counts.tolist(), strict=True):
            if sign:
                # Below the accumulator's last bit a term is cut off before it is added.
                step = power - acc.p0
                least, most = term_range(low, high, min(step, 0))
                ends = sorted((sign * times * least, sign * times * most))
                _take(steps, max(step, 0), *ends)
        yield Values(steps, scale << finer, bias << finer)


def _take(steps: dict[int, Interval], step: int, low: int, high: int) -> None:
    """Add terms of 2**step times `low` to `high`."""
    before = steps.get(step, (0, 0))
    steps[step] = (before[0] + low, before[1] + high)
