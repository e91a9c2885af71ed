"""What stands behind a processing element: a serial requantiser, a rounding shift, or the addition
of the classifier's bias."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from hw.dataflow.design.scales import Rows, average_scales, average_width, digit_count, high_parts
from hw.dataflow.plan import Place
from hw.ir.format import Format, width_of


class Room(NamedTuple):
    """What the memories of a loadable requantiser hold.

    Parameters
    ----------
    digits: the most of a multiplier
    bias_bits: of a constant's high part
    """

    digits: int
    bias_bits: int


@dataclass(frozen=True)
class RequantiseDesign:
    """q = clamp((acc·multiplier + constant) >> shift), digit by digit.

    Parameters
    ----------
    scales: one row of `pe` scales for each group of output channels, in stream order; or one row
        for each value that the data choose
    acc_width: of an accumulator; width: of v
    shift: right shift, negative to the left
    fmt: output format
    by_row: true if the data choose the row, else rows follow each other
    place: where the digits lie: BLOCK or LOGIC, BLOCK or LUTRAM if they are loadable
    room: for scales loaded at run time, not by row; None: they are fixed
    """

    scales: Rows
    acc_width: int
    width: int
    shift: int
    fmt: Format
    by_row: bool = False
    place: Place = Place.LOGIC
    room: Room | None = None

    @property
    def pe(self) -> int:
        """Accumulators a group."""
        return len(self.scales[0])

    @cached_property
    def digits(self) -> int:
        """Of the longest multiplier."""
        return digit_count(self.scales)

    @cached_property
    def bias_bits(self) -> int:
        """Of a constant's high part."""
        if self.room is not None:
            return self.room.bias_bits
        extremes = [value for row in high_parts(self.scales, self.digits) for value in row]
        return width_of(min(extremes), max(extremes))


@dataclass(frozen=True)
class RoundDesign:
    """q = clamp((acc + constant) >> shift): scale 1, no batch norm.

    Parameters
    ----------
    acc_width: of an accumulator; constant: of rounding; shift: to the right; fmt: output format
    pe: accumulators a group
    """

    acc_width: int
    constant: int
    shift: int
    fmt: Format
    pe: int = 1


@dataclass(frozen=True)
class AddBiasDesign:
    """logit = acc + bias of its class, not requantised.

    Parameters
    ----------
    biases: one a class
    acc_width: of an accumulator; fmt: of a logit
    pe: accumulators a group
    bias_bits: of biases loaded at run time; 0: they are fixed
    """

    biases: tuple[int, ...]
    acc_width: int
    fmt: Format
    pe: int = 1
    bias_bits: int = 0


End = RequantiseDesign | RoundDesign | AddBiasDesign


def mean_design(fmt: Format, counts: tuple[int, ...], acc_width: int) -> RequantiseDesign:
    """Divides a sum of `counts[row]` codes by that number, as numerics says: a constant product
    and a shift."""
    scales, shift = average_scales(fmt.width, counts)
    most = max(counts)
    width = average_width(scales, fmt.qmin * most, fmt.qmax * most)
    return RequantiseDesign(scales, acc_width, width, shift, fmt, by_row=len(counts) > 1)
