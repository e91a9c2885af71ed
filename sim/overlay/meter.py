"""The executable model, counting what a program goes through: bins of `sim.coverage.overlays`."""

from collections import Counter

import numpy as np

from hw.overlay import isa
from hw.overlay.banks import depths
from hw.overlay.isa import Class, Flow, Mode, Register
from hw.overlay.model import Machine
from hw.overlay.program import Program
from sim.coverage.overlays import BANKS, LEVELS, amount, sign

_PITCHES = {Register.IN_PITCH: "IN_PITCH", Register.OUT_PITCH: "OUT_PITCH"}
_STEPS = (Register.STEP_Y, Register.STEP_X)
_OFFSETS = (Register.OFFSET_Y, Register.OFFSET_X)


class Meter(Machine):
    """A machine that counts.

    Members
    -------
    hits: (group, bin) -> times
    """

    def __init__(self, program: Program):
        super().__init__(program)
        self.hits: Counter[tuple[str, str]] = Counter()
        self._first_bank = depths(program.hardware.words)[0]
        self._halvings = 0

    def _count(self, group: str, *names: str) -> None:
        for name in names:
            self.hits[group, name] += 1

    def _section(self, name, words, after) -> None:
        super()._section(name, words, after)
        self._count("word", "FLOW END_PREFIX" if name == "prefix" else "FLOW END_SUFFIX")

    def _body(self, words):
        passes = self.axes()[0].words * self.axes()[1].words
        self._count("word", "BODY of more passes" if passes > 1 else "BODY of one pass")
        return super()._body(words)

    def step(self, word, wy, wx, last) -> None:
        super().step(word, wy, wx, last)
        match word:
            case isa.Imm():
                self._count("word", "IMM", *["IMM below zero"] * (word.value < 0))
                self._count("word", *["IMM halves"] * word.halve, *["IMM carries"] * word.carry)
            case isa.Shift():
                self._count("word", f"SHIFT {word.direction.name}")
                self._count("word", *["SHIFT halves"] * word.halve)
                self._count("word", *["SHIFT without adding"] * (not word.add))
            case isa.Set():
                self._register(word)
            case isa.Dest():
                self._count("word", "DEST")

    def _weight(self, word, wy, wx) -> None:
        mode = self.registers[Register.MODE]
        super()._weight(word, wy, wx)
        self._count("word", "WEIGHT subtracted" if word.negative else "WEIGHT added")
        self._count("word", *["WEIGHT halves"] * word.halve)
        _, ty, tx = isa.split(word.operand, mode & 7)
        rows, columns = self.axes()
        down, right = rows.read(wy, ty)[1], columns.read(wx, tx)[1]
        sides = ["right" if right > 0 else "left"] * (right != 0)
        sides += ["below" if down > 0 else "above"] * (down != 0)
        self._count("word", *(f"WEIGHT, pixel from {side}" for side in sides))
        self._count("word", *["WEIGHT, pixel of the lane"] * (not sides))
        self._count("word", *["WEIGHT, pixel from two sides"] * (len(sides) > 1))
        self._count("register", f"taps of {mode & 7} bits", *["RELU"] * bool(mode & isa.RELU))
        if mode & isa.IMAGE:
            self._count("memory", f"image read in the {BANKS[self.buffer]} buffer")

    def _read(self, address):
        pixels = super()._read(address)
        self._count("memory", f"{BANKS[int(address >= self._first_bank)]} bank read")
        if self.registers[Register.MODE] & isa.RELU and (pixels < 0).any():
            self._count("register", "RELU of a pixel below zero")
        return pixels

    def _add(self, halve) -> None:
        self._halvings += halve
        super()._add(halve)

    def _capture(self, word, wy, wx, last) -> None:
        sums, address = self.sums, self._address(word, wy, wx)
        super()._capture(word, wy, wx, last)
        self._count("memory", f"{BANKS[int(address >= self._first_bank)]} bank captured")
        self._count("word", "CAPTURE clears" if word.clear else "CAPTURE keeps")
        self._count("word", "CAPTURE advances" if word.advance else "CAPTURE stays")
        self._count("word", *["CAPTURE beside DEST"] * bool(word.delta))
        done = self._halvings
        self._count("level", f"{done} halvings" if done < LEVELS else f"{LEVELS} halvings or more")
        if word.clear:
            self._halvings = 0
        self._clamps(word.mode, sums)
        for name, axis, which, at in zip(
            ("rows", "columns"), self.axes(), (word.rows, word.columns), (wy, wx), strict=True
        ):
            self._count("class", f"{name} {Class(which).name}")
            self._count("class", *[f"{name} of the image's place"] * axis.cut)
            if axis.beyond(axis.lanes, at).any():
                self._count("class", f"{name} beyond the image")

    def _address(self, word: isa.Capture, wy: int, wx: int) -> int:
        """Of the word that it captures."""
        rows, columns = self.axes()
        return (self.dest + word.delta) * rows.words * columns.words + wy * columns.words + wx

    def _clamps(self, mode: Mode, sums: np.ndarray) -> None:
        bits = self.hardware.data_bits
        half = self._half // 2
        least, most = int(sums.min()), int(sums.max())
        self._count("capture", *["a sum in the top half"] * (most >= half))
        self._count("capture", *["a sum in the bottom half"] * (least < -half))
        if mode is Mode.RAW:
            out = bool((sums >> (bits - 1)).any())
            self._count("capture", "RAW, bits left out" if out else "RAW, nothing left out")
            return
        low, high = {
            Mode.SIGNED: (-1 << (bits - 2), (1 << (bits - 2)) - 1),
            Mode.UNSIGNED: (0, (1 << (bits - 1)) - 1),
            Mode.WIDE: (-1 << (bits - 1), (1 << (bits - 1)) - 1),
        }[mode]
        for name, hit in (
            ("clamped low", least < low),
            ("lowest", bool((sums == low).any())),
            ("highest", bool((sums == high).any())),
            ("clamped high", most > high),
        ):
            self._count("capture", *[f"{mode.name}, {name}"] * hit)

    def _flow(self, word) -> None:
        if word.flow is Flow.CLEAR_NEGATIVE and self.sums.min() < 0:
            self._count("capture", "CLEAR_NEGATIVE clears")
        super()._flow(word)
        self._count("word", f"FLOW {word.flow.name}")
        self._count("word", *["FLOW OUT, an image's last"] * word.argument)

    def _register(self, word: isa.Set) -> None:
        register, value = word.register, word.value
        self._count("register", f"{register.name} set")
        if name := _PITCHES.get(register):
            for axis, pitch in (("rows", value >> 4), ("columns", value & 15)):
                self._count("register", f"{name} {sign(isa.signed(pitch, 4))}, {axis}")
        elif register in _STEPS:
            self._count(
                "register", f"stride {amount(value >> 4)}", f"dilation {amount(value & 15)}"
            )
        elif register in _OFFSETS:
            self._count("register", f"OFFSET {sign(isa.signed(value, 8))}")
        elif register is Register.OUTPUT and value & isa.COLLECT:
            first = value & 15 == 0
            self._count("register", f"OUTPUT of {'the first' if first else 'another'} image")
