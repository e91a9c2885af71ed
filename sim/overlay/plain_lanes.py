"""Micro-operations of an overlay's array in plain integers, one after the other."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

NOTHING = {
    "read": 0,
    "move": 0,
    "shift": 0,
    "direction": 0,
    "flip": 0,
    "carry": 0,
    "rectify": 0,
    "add": 0,
    "halve": 0,
    "clear": 0,
    "clear_negative": 0,
    "mode": 0,
    "rows_taken": 0,
    "columns_taken": 0,
    "image": 0,
    "write": 0,
    "rows_written": 0,
    "columns_written": 0,
}


def signed(value, bits: int):
    """The number whose two's complement are the low `bits` bits."""
    value = value & ((1 << bits) - 1)
    return np.where(value >> (bits - 1), value - (1 << bits), value)


def bounds(mode: int, bits: int) -> tuple[int, int]:
    """Smallest and largest pixel that a mode of capture makes of a sum, but for RAW (3)."""
    half = 1 << (bits - 2)
    return {0: (-half, half - 1), 1: (0, 2 * half - 1), 2: (-2 * half, 2 * half - 1)}[mode]


@dataclass
class Lanes:
    """A grid: its memory, operands and accumulators.

    A carry of a lane is kept with its operand, as the operand's number plus the carry is what is
    added; both are needed, as either can be the neighbour's.
    """

    rows: int
    columns: int
    bits: int
    total_bits: int
    words: int
    memory: np.ndarray = field(init=False)

    def __post_init__(self):
        grid = (self.rows, self.columns)
        self.memory = np.zeros((self.words, *grid), np.int64)
        self.value = np.zeros(grid, np.int64)
        self.carry = np.zeros(grid, np.int64)
        self.total = np.zeros(grid, np.int64)

    def do(self, op: Mapping[str, int]) -> np.ndarray:
        """One micro-operation; returns each lane's lowest bit of the sum before it."""
        self._operand(op)
        falls, before = self.total & 1, self.total.copy()
        if op["add"]:
            base = self.total >> 1 if op["halve"] else self.total
            self.total = signed(base + self.value + self.carry, self.total_bits)
        if op["clear_negative"]:
            self.total = np.where(before < 0, 0, self.total)
        if op["clear"]:
            self.total = np.zeros_like(self.total)
        self._write(op, before)
        return falls

    def _operand(self, op) -> None:
        if not op["move"]:
            return
        if op["shift"]:
            down, right = ((0, -1), (0, 1), (-1, 0), (1, 0))[op["direction"]]
            self.value, self.carry = (
                moved(plane, down, right) for plane in (self.value, self.carry)
            )
            return
        word = self.memory[op["read"]]
        zero = (word < 0) & bool(op["rectify"])
        self.value = np.where(zero, 0, signed(word ^ op["flip"], self.bits))
        self.carry = np.where(zero, 0, op["carry"])

    def _write(self, op, total) -> None:
        rows = (op["rows_written"] >> np.arange(self.rows)) & 1
        columns = (op["columns_written"] >> np.arange(self.columns)) & 1
        taken = ((op["rows_taken"] >> np.arange(self.rows)) & 1)[:, None]
        inside = ((op["columns_taken"] >> np.arange(self.columns)) & 1)[None, :]
        if op["mode"] == 3:
            pixel = total & ((1 << (self.bits - 1)) - 1)
        else:
            pixel = np.clip(total, *bounds(op["mode"], self.bits))
        pixel = np.where(taken, pixel, 0) ^ op["image"]
        pixel = np.where(inside, signed(pixel, self.bits), 0)
        written = rows[:, None] & columns[None, :]
        self.memory[op["write"]] = np.where(written, pixel, self.memory[op["write"]])


def moved(plane: np.ndarray, down: int, right: int) -> np.ndarray:
    """What each lane sees so many rows below and columns to the right; zero beyond the grid."""
    rows, columns = plane.shape
    result = np.zeros_like(plane)
    for row in range(rows):
        for column in range(columns):
            if 0 <= row + down < rows and 0 <= column + right < columns:
                result[row, column] = plane[row + down, column + right]
    return result
