"""The grid of lanes with its data memory."""

# By the stubs of amaranth a Component has no `elaborate`, a flipped interface is none.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.overlay.banks import depths
from hw.overlay.isa import Mode
from hw.overlay.rtl.broadcast import Leaf, delayed
from hw.overlay.rtl.capture import has_sign
from hw.overlay.rtl.lane import ACCUMULATOR_CONTROL, Lane, operand_control
from hw.overlay.rtl.memory import RowMemory, local
from hw.overlay.rtl.micro_op import LOAD_TO_ADD, READ_TO_LOAD, TAKE_TO_FLIP, TAKE_TO_WRITE, micro_op

BLOCK = 4
"""Rows and columns of lanes that share a register of the control."""


class LaneArray(wiring.Component):
    """Lanes in rows and columns, each with its pixel of every word.

    Parameters
    ----------
    rows, columns: of the grid
    bits, total_bits: of a pixel, of an accumulator
    words: of the data memory
    fabric: "ecp5" or "generic"

    Members
    -------
    i: what to do, a micro-operation every cycle
    falls: of each lane, row by row, the accumulator's lowest bit when the micro-operation comes
        to it, ADD_LATENCY cycles after it came in

    Throughput: a micro-operation a cycle.
    """

    ADD_LATENCY = 1 + READ_TO_LOAD + LOAD_TO_ADD

    lane: type[Lane] = Lane
    """What the grid is made of; benchmarks/overlay_lanes.py compares others."""

    def __init__(
        self, rows: int, columns: int, *, bits: int, total_bits: int, words: int, fabric: str
    ):
        self.rows, self.columns, self.bits, self.total_bits = rows, columns, bits, total_bits
        self.words, self.fabric = words, fabric
        super().__init__(
            {"i": In(micro_op(rows, columns, bits, words)), "falls": Out(rows * columns)}
        )

    def elaborate(self, platform):
        m = Module()
        lanes = {}
        banks = len(depths(self.words))
        for row in range(self.rows):
            for column in range(self.columns):
                lane = self.lane(self.bits, self.total_bits, banks, self.fabric)
                m.submodules[f"lane{row}_{column}"] = lanes[row, column] = lane
        self._neighbours(m, lanes)
        self._control(m, lanes)
        self._memory(m, lanes)
        m.d.comb += self.falls.eq(Cat(lane.falls for lane in lanes.values()))
        return m

    def _neighbours(self, m: Module, lanes: dict[tuple[int, int], Lane]) -> None:
        sides = {"left": (0, -1), "right": (0, 1), "above": (-1, 0), "below": (1, 0)}
        for (row, column), lane in lanes.items():
            for side, (down, right) in sides.items():
                other = lanes.get((row + down, column + right))
                if other is not None:
                    m.d.comb += getattr(lane, side).eq(other.value)

    def _leaf(self, m: Module, name: str, value: Value) -> Value:
        leaf = Leaf(len(value), self.fabric)
        m.submodules[name] = leaf
        m.d.comb += leaf.i.eq(value)
        return leaf.o

    def _control(self, m: Module, lanes: dict[tuple[int, int], Lane]) -> None:
        op = self.i
        to_add = READ_TO_LOAD + LOAD_TO_ADD
        told = Signal(ACCUMULATOR_CONTROL)
        m.d.comb += [
            getattr(told, name).eq(getattr(op, name))
            for name in ("add", "clear", "clear_negative", "mode")
        ]
        m.d.comb += told.whole.eq(~op.halve)
        operand = delayed(m, "operand", op.operand, READ_TO_LOAD)
        accumulate = delayed(m, "accumulate", told, to_add)
        every = (1 << self.rows) - 1
        blank = delayed(m, "blank", ~op.rows_taken, to_add)
        unlimited = Mux(op.mode == Mode.RAW, every, ~op.rows_taken)
        unlimited = delayed(m, "unlimited", unlimited, to_add)
        no_sign = Mux(has_sign(op.mode), ~op.rows_taken, every)
        no_sign = delayed(m, "no_sign", no_sign, to_add)
        outside = delayed(m, "outside", ~op.columns_taken, to_add + TAKE_TO_FLIP)
        flip = delayed(m, "flip", op.image, to_add + TAKE_TO_FLIP)
        for top in range(0, self.rows, BLOCK):
            for left in range(0, self.columns, BLOCK):
                there = slice(top, top + BLOCK), slice(left, left + BLOCK)
                control = {
                    name: self._leaf(m, f"{name}{top}_{left}", value)
                    for name, value in (
                        ("operand", operand),
                        ("accumulate", accumulate),
                        ("blank", blank[there[0]]),
                        ("unlimited", unlimited[there[0]]),
                        ("no_sign", no_sign[there[0]]),
                        ("outside", outside[there[1]]),
                        ("flip", flip),
                    )
                }
                for row in range(self.rows)[there[0]]:
                    for column in range(self.columns)[there[1]]:
                        lane = lanes[row, column]
                        m.d.comb += [
                            lane.operand.eq(operand_control(self.bits)(control["operand"])),
                            lane.accumulate.eq(ACCUMULATOR_CONTROL(control["accumulate"])),
                            lane.blank.eq(control["blank"][row - top]),
                            lane.unlimited.eq(control["unlimited"][row - top]),
                            lane.no_sign.eq(control["no_sign"][row - top]),
                            lane.outside.eq(control["outside"][column - left]),
                            lane.flip.eq(control["flip"]),
                        ]

    def _memory(self, m: Module, lanes: dict[tuple[int, int], Lane]) -> None:
        op = self.i
        to_write = READ_TO_LOAD + LOAD_TO_ADD + TAKE_TO_WRITE
        banks = range(len(depths(self.words)))
        write = delayed(m, "write", op.write, to_write)
        enables = delayed(m, "rows_written", op.rows_written, to_write)
        columns = delayed(m, "columns_written", op.columns_written, to_write)
        for row in range(self.rows):
            memory = RowMemory(self.columns, self.bits, self.words, self.fabric)
            m.submodules[f"memory{row}"] = memory
            for bank in banks:
                read = local(bank, self.words, op.read)
                m.d.comb += getattr(memory, f"read{bank}").eq(
                    self._leaf(m, f"read{row}_{bank}", read)
                )
                place = local(bank, self.words, write)
                m.d.comb += getattr(memory, f"write{bank}").eq(
                    self._leaf(m, f"write{row}_{bank}", place)
                )
                # Which bank is written is decided once, for the row.
                mine = Const(1)
                if len(banks) > 1:
                    second = write[(depths(self.words)[0] - 1).bit_length()]
                    mine = second if bank else ~second
                m.d.comb += getattr(memory, f"store{bank}").eq(
                    self._leaf(m, f"store{row}_{bank}", enables[row] & mine)
                )
                for column in range(self.columns):
                    word = getattr(memory, f"o{bank}").word_select(column, self.bits)
                    m.d.comb += getattr(lanes[row, column], f"word{bank}").eq(word)
            m.d.comb += [
                memory.enable.eq(self._leaf(m, f"columns_written{row}", columns)),
                memory.pixels.eq(Cat(lanes[row, column].pixel for column in range(self.columns))),
            ]
