"""A layer's program: which taps make an output channel, and what the element does with each.

Programs are columns of arrays, so that the planner can make those of many variants of large layers;
RTL, timing and cost all read the same one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from amaranth import Const, unsigned
from amaranth.lib import data

from hw.dataflow.design.geometry import Geometry
from hw.ir.graph import Conv, FactorizedReduce, Weighted
from hw.ir.network import Network
from hw.ir.weights import decode

TAP = np.int32
"""Of the columns of a program: a planner holds several of each layer, a tap of each weight."""


class Weights(NamedTuple):
    """The non-zero weights sign·2**power of a layer, in storage order; a column each.

    Parameters
    ----------
    output: output channel
    ky, kx, channel: tap and input channel
    sign, power: of the weight
    outputs: how many output channels there are, without weights or with
    """

    output: np.ndarray
    ky: np.ndarray
    kx: np.ndarray
    channel: np.ndarray
    sign: np.ndarray
    power: np.ndarray
    outputs: int

    @classmethod
    def of(cls, network: Network, node: Weighted) -> "Weights":
        """Those of a node, in the order output channel, input channel, row, column."""
        sign, power = decode(network.params[node.name].codes, network.arithmetic.weight_bits)
        if sign.ndim == 2:
            sign, power = sign[:, :, None, None], power[:, :, None, None]
        outputs, depth = sign.shape[:2]
        used = sign.nonzero()
        output, channel, ky, kx = used
        if isinstance(node, Conv):
            channel = channel + output // (outputs // node.groups) * depth
        elif isinstance(node, FactorizedReduce):
            ky = kx = (output >= outputs // 2).astype(np.int64)
        return cls(
            output, ky, kx, channel, sign[used].astype(int), power[used].astype(int), outputs
        )


class Tap(NamedTuple):
    """One step of a program: read tap (ky, kx, channel) and do `operation` (element-specific bits)
    with it.

    `last` closes a group: the element hands its result on.
    """

    ky: int
    kx: int
    channel: int
    operation: int
    last: bool


@dataclass(frozen=True, eq=False)
class Program:
    """The taps of one output pixel, in order; a column each.

    Parameters
    ----------
    ky, kx, channel, last: as in a `Tap`; shape (taps,)
    lanes: what each of the element's lanes does; shape (taps, lanes)
    lane_bits: bits of that, lane 0 lowest in a tap's operation
    """

    ky: np.ndarray
    kx: np.ndarray
    channel: np.ndarray
    last: np.ndarray
    lanes: np.ndarray
    lane_bits: int

    def __len__(self) -> int:
        return len(self.last)

    def __iter__(self) -> Iterator[Tap]:
        columns = (self.ky, self.kx, self.channel, self.operations, self.last)
        return map(Tap, *(column.tolist() for column in columns))

    @property
    def operation_bits(self) -> int:
        """Width of a tap's operation."""
        return self.lanes.shape[1] * self.lane_bits

    @cached_property
    def groups(self) -> np.ndarray:
        """Taps of each group; shape (groups,)."""
        return np.diff(np.flatnonzero(self.last), prepend=-1)

    @cached_property
    def operations(self) -> np.ndarray:
        """Operation of each tap, Python integers."""
        packed = np.zeros(len(self), object)
        for lane in reversed(range(self.lanes.shape[1])):
            packed = (packed << self.lane_bits) | self.lanes[:, lane].astype(object)
        return packed


# --- the elements' programs


@dataclass(frozen=True)
class BarrelCode:
    """How a barrel's operation is encoded: a field for each lane.

    Parameters
    ----------
    shifts: smallest and largest exponent p - p0 of the layer; negative ones floor (guard bits)
    pe: lanes
    sparse: whether some tap has a lane without a weight
    """

    shifts: tuple[int, int]
    pe: int
    sparse: bool

    @property
    def lane(self) -> data.StructLayout:
        amount = unsigned((self.shifts[1] - self.shifts[0]).bit_length())
        return data.StructLayout(
            {"amount": amount, "negative": 1, "used": unsigned(int(self.sparse))}
        )

    def bits(self, sign, shift):
        """The field of a weight sign·2**shift; integers or arrays of them.

        Left shifts count from the smallest; where some floor, right shifts count down from the
        largest.
        """
        fields, (low, high) = self.lane, self.shifts
        amount = shift - low if low >= 0 else high - shift
        negative = (sign < 0) << fields["negative"].offset
        return amount | negative | int(self.sparse) << fields["used"].offset


def barrel_program(
    weights: Weights, pe: int, p0: int, code: BarrelCode | None = None
) -> tuple[BarrelCode, Program]:
    """Taps of all groups of `pe` channels, and their code, by default the narrowest.

    A step for each place where some lane has a weight, in the order row, column, channel; a group
    without any keeps one that adds nothing.
    """
    group, lane = np.divmod(weights.output, pe)
    columns, depth = (int(one.max(initial=0)) + 1 for one in (weights.kx, weights.channel))
    places = (int(weights.ky.max(initial=0)) + 1) * columns * depth
    place = (weights.ky * columns + weights.kx) * depth + weights.channel
    empty = np.setdiff1d(np.arange(weights.outputs // pe), group)
    key = np.concatenate([group * places + place, empty * places])
    steps, step = np.unique(key, return_inverse=True)
    if code is None:
        shifts = weights.power - p0
        ends = (int(shifts.min()), int(shifts.max())) if len(shifts) else (0, 0)
        code = BarrelCode(ends, pe, sparse=len(steps) * pe != len(weights.output))
    lanes = np.zeros((len(steps), pe), np.int16)
    lanes[step[: len(place)], lane] = code.bits(weights.sign, weights.power - p0)
    of, place = np.divmod(steps, places)
    rest, channel = np.divmod(place.astype(TAP), depth)
    ky, kx = np.divmod(rest, columns)
    last = np.append(of[1:] != of[:-1], True)
    return code, Program(ky, kx, channel, last, lanes, code.lane.size)


HORNER_LANE = data.StructLayout({"double": 1, "negative": 1})
"""Operation of the Horner element."""

_DOUBLE, _NEGATIVE = 1, 2


def horner_program(weights: Weights, p0: int) -> Program:
    """Taps of all channels, one a group: sorted by falling exponent, the accumulator doubled from
    each exponent to the next and down to p0. A channel without weights doubles zero once."""
    order = np.lexsort((-weights.power, weights.output))
    output, ky, kx, channel, sign, power = (column[order] for column in weights[:-1])
    count = np.bincount(output, minlength=weights.outputs)
    highest = np.full(weights.outputs, p0)
    np.maximum.at(highest, output, power)
    length = np.maximum(count + highest - p0, 1)
    end = np.cumsum(length)
    # Before a weight come those before it in its channel, and the doublings down to its exponent.
    rank = np.arange(len(output)) - (np.cumsum(count) - count)[output]
    position = (end - length)[output] + rank + highest[output] - power
    taps = int(end[-1])

    def spread(own: np.ndarray) -> np.ndarray:
        column = np.zeros(taps, TAP)
        column[position] = own
        return column

    lanes = np.full((taps, 1), _DOUBLE, np.int16)
    lanes[position, 0] = np.where(sign < 0, _NEGATIVE, 0)
    last = np.zeros(taps, bool)
    last[end - 1] = True
    return Program(spread(ky), spread(kx), spread(channel), last, lanes, HORNER_LANE.size)


def pool_program(g: Geometry) -> Program:
    """Taps of a pool: the whole window of one channel after the other."""
    channel, ky, kx = (axis.ravel() for axis in np.indices((g.shape[2], *g.kernel)))
    last = (ky == g.kernel[0] - 1) & (kx == g.kernel[1] - 1)
    return Program(ky, kx, channel, last, np.zeros((len(last), 0), np.int16), 0)


def select_program(channels: Sequence[int]) -> Program:
    """Taps of a selection: one channel of the pixel after the other."""
    channel = np.array(channels)
    zeros = np.zeros_like(channel)
    nothing = np.zeros((len(channel), 0), np.int16)
    return Program(zeros, zeros, channel, np.ones(len(channel), bool), nothing, 0)


# --- words


@dataclass(frozen=True)
class WordCode:
    """How a tap is encoded in a word of the program's memory.

    Parameters
    ----------
    geometry: of the window
    store: beats of the operand store
    operation_bits: width of a tap's operation
    """

    geometry: Geometry
    store: int
    operation_bits: int

    @property
    def layout(self) -> "WordLayout":
        fields = {"offset": range(self.store), "operation": self.operation_bits, "last": 1}
        for axis, name in enumerate(("ky", "kx")):
            if self.geometry.has_border(axis):
                fields[name] = range(self.geometry.kernel[axis])
        return WordLayout(fields)

    def words(self, program: Program) -> list[int]:
        """Each tap's word: its fields side by side."""
        names = self.layout.members
        offset = self.geometry.offset(program.ky, program.kx, program.channel) % self.store
        columns = {
            "offset": offset, "operation": program.operations, "last": program.last,
            "ky": program.ky, "kx": program.kx,
        }  # fmt: skip
        found = [0] * len(program)
        for name in names:
            field = self.layout[name]
            mask = (1 << field.width) - 1
            found = [
                word | (int(value) & mask) << field.offset
                for word, value in zip(found, columns[name].tolist(), strict=True)
            ]
        return found


class WordLayout(data.StructLayout):
    """Fields of words, of which there may be a million: a word may be given as a whole.

    Amaranth looks through all fields for the size whenever it is asked for; here it is known.
    """

    @cached_property
    def size(self) -> int:
        return super().size

    def const(self, init: Any) -> Any:
        """Of an integer: the word that it is; of anything else as in any layout."""
        return Const(init, self.size) if isinstance(init, int) else super().const(init)
