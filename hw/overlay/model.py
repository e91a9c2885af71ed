"""The executable model: a program, word by word, in plain NumPy.

It says what the hardware is to do, and raises where the hardware would go on with nonsense: on
a word that means nothing, on an address that is not there, on an accumulator that would wrap, on a
pixel that is read before it can have been written. Slow is fine.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from hw.overlay import isa
from hw.overlay.isa import Class, Direction, Flow, Mode, Register
from hw.overlay.program import Program

BOUNDS = tuple(Register(r) for r in range(Register.LAST_ROW, Register.LAST_X + 1))


class Fault(Exception):
    """The program asks for what no overlay does: where, and what."""


@dataclass(frozen=True)
class Axis:
    """Rows or columns as the registers have them.

    Parameters
    ----------
    lanes: of the grid
    pitch_in, pitch_out: log2
    place: of the image within its batch, on this axis
    """

    lanes: int
    pitch_in: int
    pitch_out: int
    stride: int
    dilation: int
    offset: int
    last: int
    first_class: int
    last_class: int
    cut: bool
    place: int

    @property
    def words(self) -> int:
        """Of an output plane."""
        return 1 << max(self.pitch_out, 0)

    def read(self, word: int, tap: int) -> tuple[int, int]:
        """Word of the input plane, and how many lanes farther on a lane finds its pixel."""
        at = word * self.stride + tap * self.dilation + self.offset
        if self.pitch_in >= 0:
            found, lanes = at & ((1 << self.pitch_in) - 1), at >> self.pitch_in
        else:
            found, lanes = 0, at << -self.pitch_in
        # Pixels that already lie among those of other images have their place.
        lanes = lanes - self.place if self.cut and self.pitch_in >= 0 else lanes
        half = 1 << (isa.COORDINATE_BITS - 1)
        if not -half <= at < half:
            raise Fault(f"coordinate {at} is read; expected {-half} to {half - 1}")
        if abs(lanes) > isa.farthest(self.lanes):
            raise Fault(
                f"a pixel travels {abs(lanes)} of {self.lanes} lanes;"
                f" expected up to {isa.farthest(self.lanes)}"
            )
        return found, lanes

    def pixels(self, lanes: int, word: int) -> np.ndarray:
        """Output coordinate of each lane."""
        index = np.arange(lanes)
        if self.pitch_out >= 0:
            return (index << self.pitch_out) + word
        return index >> -self.pitch_out

    def beyond(self, lanes: int, word: int) -> np.ndarray:
        """Which lanes lie beyond the image."""
        return self.pixels(lanes, word) > self.last

    def written(self, lanes: int, word: int, which: Class) -> np.ndarray:
        """Which lanes a capture writes."""
        pixels = self.pixels(lanes, word)
        first, last = pixels < self.first_class, pixels > self.last_class
        chosen = {
            Class.ALL: np.ones(lanes, bool),
            Class.FIRST: first,
            Class.MIDDLE: ~(first | last),
            Class.LAST: last,
        }[which] | (pixels > self.last)
        if self.cut:
            chosen &= np.arange(lanes) & ((1 << max(-self.pitch_out, 0)) - 1) == self.place
        return chosen


class Machine:
    """An overlay with a program.

    Members
    -------
    memory: words × rows × columns
    sums: accumulators; operand: what was read last, with its sign
    cycles: done so far, without waiting for images or outputs
    written: of each word, the cycle of its last capture
    stale: bounds that were set before the output's pitch was
    """

    def __init__(self, program: Program):
        hardware = program.hardware
        self.program, self.hardware = program, hardware
        grid = (hardware.rows, hardware.columns)
        self.memory = np.zeros((hardware.words, *grid), np.int64)
        self.written = np.full(hardware.words, -isa.HAZARD)
        self.sums = np.zeros(grid, np.int64)
        self.operand = np.zeros(grid, np.int64)
        self.registers = [0] * len(Register)
        self.stale: set[Register] = set()
        self._axes: tuple[Axis, Axis] | None = None
        self.dest = 0
        self.cycles = 0
        self.image = -1
        self.buffer = 1
        self.collected = 0
        self.logits: list[list[int]] = []
        self._half = 1 << (hardware.acc_bits - 1)
        longest, most = program.longest_body, hardware.streamed_body
        if program.streamed and longest > most:
            raise Fault(f"a body of {longest} words; one that is streamed has {most} at most")

    # One batch -------------------------------------------------------------------------------

    def run(
        self,
        images: np.ndarray,
        after: Callable[["Machine", str, int], None] | None = None,
    ) -> np.ndarray:
        """Logits (N, classes) of any number of images, uint8 NHWC; the last batch may be short.

        `after(machine, section, index)` is called when the word `index` of "prefix" or "suffix" has
        been done (in a body: its last pass), with `machine.image` the image's place in its batch.
        """
        found = []
        for start in range(0, len(images), self.program.images):
            batch = images[start : start + self.program.images]
            self.logits = [[] for _ in batch]
            for self.image in range(len(batch)):
                self._axes = None
                self.load(batch[self.image])
                self._section("prefix", self.program.prefix, after)
            self._section("suffix", self.program.suffix, after)
            found += self.logits
        return np.array(found, dtype=np.int64)

    def load(self, image: np.ndarray) -> None:
        """Put an image into the buffer that is not in use, and use it."""
        program = self.program
        self.buffer ^= 1
        (py, px), fy, fx = program.image_pitch, *(1 << p for p in program.image_pitch)
        for channel in range(image.shape[2]):
            at = ((program.image_slot + channel) << (py + px)) + self.buffer * program.image_step
            for wy in range(fy):
                for wx in range(fx):
                    part = image[wy::fy, wx::fx, channel]
                    word = self.memory[at + wy * fx + wx]
                    word[: part.shape[0], : part.shape[1]] = part

    def _section(
        self,
        name: str,
        words: np.ndarray,
        after: Callable[["Machine", str, int], None] | None,
    ) -> None:
        known = {word: isa.unpack(word) for word in np.unique(words).tolist()}
        decoded = [known[word] for word in words.tolist()]
        ends = Flow.END_PREFIX if name == "prefix" else Flow.END_SUFFIX
        at = 0
        while at < len(decoded):
            word = decoded[at]
            try:
                if isinstance(word, isa.Body):
                    self.cycles += 1
                    inside = decoded[at + 1 : at + 1 + word.count]
                    if len(inside) < word.count:
                        raise Fault("a body goes beyond the section's end")
                    for index, last in self._body(inside):
                        if after and last:
                            after(self, name, at + 1 + index)
                    at += word.count
                elif isinstance(word, isa.Jump) and word.flow in (Flow.END_PREFIX, Flow.END_SUFFIX):
                    self.cycles += isa.JUMP_CYCLES
                    if word.flow is not ends or at + 1 != len(decoded):
                        raise Fault(f"{word.flow.name} within the {name}")
                    return
                else:
                    if word == isa.Jump(Flow.WAIT_IMAGE) and (name, at) != ("prefix", 0):
                        raise Fault("only the prefix waits for an image, with its first word")
                    self.step(word, 0, 0, True)
                    if after:
                        after(self, name, at)
            except Fault as fault:
                raise Fault(f"{name}, word {at}: {fault}") from None
            at += 1
        raise Fault(f"{name}: no {ends.name}")

    def _body(self, words: list[isa.Word]) -> Iterator[tuple[int, bool]]:
        """Do a body; after each word of it, its index and whether that was its last pass."""
        rows, columns = (axis.words for axis in self.axes())
        for wy in range(rows):
            for wx in range(columns):
                last = (wy, wx) == (rows - 1, columns - 1)
                for index, word in enumerate(words):
                    match word:
                        case isa.Body() | isa.Dest() | isa.Set(register=Register.OUT_PITCH):
                            raise Fault(f"{word} in a body")
                        case isa.Jump(flow=Flow.END_PREFIX | Flow.END_SUFFIX | Flow.WAIT_IMAGE):
                            raise Fault(f"{word} in a body")
                    self.step(word, wy, wx, last)
                    yield index, last

    # One word --------------------------------------------------------------------------------

    def step(self, word: isa.Word, wy: int, wx: int, last: bool) -> None:
        """Do one word for the output's word (wy, wx); `last`: no other pass follows."""
        match word:
            case isa.Weight():
                self._weight(word, wy, wx)
            case isa.Imm():
                self.operand = np.full_like(self.operand, word.value + word.carry)
                self._add(word.halve)
            case isa.Shift():
                self.operand = shifted(self.operand, word.direction)
                if word.add:
                    self._add(word.halve)
            case isa.Capture():
                self._capture(word, wy, wx, last)
            case isa.Set():
                self._set(word)
            case isa.Dest():
                self.dest = word.slot
            case isa.Jump():
                self._flow(word)
            case isa.Body():
                raise Fault("a body outside of a section")
        self.cycles += 1

    def _set(self, word: isa.Set) -> None:
        """Bounds are those of the output's pitch that holds when they are set."""
        if word.register is Register.OUT_PITCH:
            if word.value != self.registers[word.register]:
                self.stale.update(BOUNDS)
        self.stale.discard(word.register)
        self.registers[word.register] = word.value
        if word.register in BOUNDS and not self._holds(word):
            self.stale.add(word.register)
        self._axes = None

    def _holds(self, word: isa.Set) -> bool:
        """Whether the bound is not too far beyond the grid."""
        axis = word.register in (Register.LAST_COLUMN, Register.FIRST_X, Register.LAST_X)
        nibble = self.registers[Register.OUT_PITCH] >> (0 if axis else 4) & 15
        pitch = isa.signed(nibble, 4)
        first = word.register in (Register.FIRST_Y, Register.FIRST_X)
        bound = word.value + (not first)
        lane = bound >> pitch if pitch >= 0 else bound << -pitch
        return lane < isa.bound_lanes(self.sums.shape[axis])

    def axes(self) -> tuple[Axis, Axis]:
        """Rows and columns, as the registers have them now."""
        if self._axes is None:
            self._axes = self._axis(0), self._axis(1)
        return self._axes

    def _axis(self, axis: int) -> Axis:
        value = self.registers
        nibble = (
            (lambda r: isa.signed(value[r] >> 4, 4))
            if axis == 0
            else (lambda r: isa.signed(value[r] & 15, 4))
        )
        step = value[Register.STEP_Y + axis]
        first, last = Register.FIRST_Y + 2 * axis, Register.LAST_Y + 2 * axis
        places = divmod(max(self.image, 0), self.program.batch[1])
        return Axis(
            lanes=self.sums.shape[axis],
            pitch_in=nibble(Register.IN_PITCH),
            pitch_out=nibble(Register.OUT_PITCH),
            stride=step >> 4,
            dilation=step & 15,
            offset=isa.signed(value[Register.OFFSET_Y + axis], 8),
            last=value[Register.LAST_ROW + axis],
            first_class=value[first],
            last_class=value[last],
            cut=bool(value[Register.MODE] & (isa.CUT_Y, isa.CUT_X)[axis]),
            place=places[axis],
        )

    def _weight(self, word: isa.Weight, wy: int, wx: int) -> None:
        mode = self.registers[Register.MODE]
        tap_bits = mode & 7
        if tap_bits > isa.MOST_TAP_BITS:
            raise Fault(f"{tap_bits} bits for a tap")
        slot, ty, tx = isa.split(word.operand, tap_bits)
        rows, columns = self.axes()
        (row, down), (column, right) = rows.read(wy, ty), columns.read(wx, tx)
        py, px = max(rows.pitch_in, 0), max(columns.pitch_in, 0)
        base = self.registers[Register.BASE_LOW] | self.registers[Register.BASE_HIGH] << 8
        address = ((base + slot) << (py + px)) + (row << px) + column
        if mode & isa.IMAGE:
            address += self.buffer * self.program.image_step
        pixels = self._read(address)
        if mode & isa.RELU:
            pixels = np.maximum(pixels, 0)
        operand = -pixels if word.negative else pixels
        for direction, count in (
            (Direction.RIGHT if right > 0 else Direction.LEFT, abs(right)),
            (Direction.BELOW if down > 0 else Direction.ABOVE, abs(down)),
        ):
            for _ in range(count):
                operand = shifted(operand, direction)
                self.cycles += 1
        self.operand = operand
        self._add(word.halve)

    def _read(self, address: int) -> np.ndarray:
        if address >= len(self.memory):
            raise Fault(f"word {address} of {len(self.memory)} is read")
        if self.cycles < self.written[address] + isa.HAZARD:
            ago = self.cycles - self.written[address]
            raise Fault(f"word {address} is read {ago} cycles after it was captured")
        return self.memory[address]

    def _add(self, halve: bool) -> None:
        if halve:
            self._fall()
            self.sums = self.sums >> 1
        self.sums = self.sums + self.operand
        if self.sums.min() < -self._half or self.sums.max() >= self._half:
            raise Fault(f"an accumulator of {self.hardware.acc_bits} bits overflows")

    def _fall(self) -> None:
        """The output collects what a halving loses of the chosen lane."""
        output = self.registers[Register.OUTPUT]
        if output & isa.COLLECT:
            row, column = divmod(output & 15, self.program.batch[1])
            if row >= self.hardware.rows or column >= self.hardware.columns:
                raise Fault(f"image {output & 15} has no lane")
            bit = int(self.sums[row, column]) & 1
            self.collected = self.collected >> 1 | bit << (self.hardware.logit_bits - 1)

    def _capture(self, word: isa.Capture, wy: int, wx: int, last: bool) -> None:
        needed = [Register.LAST_ROW, Register.LAST_COLUMN]
        needed += [Register.FIRST_Y, Register.LAST_Y] * (word.rows is not Class.ALL)
        needed += [Register.FIRST_X, Register.LAST_X] * (word.columns is not Class.ALL)
        for register in needed:
            if register in self.stale:
                raise Fault(f"{register.name} is older than OUT_PITCH, or far beyond the grid")
        rows, columns = self.axes()
        height, width = self.sums.shape
        pixels = captured(self.sums, word.mode, self.hardware.data_bits)
        beyond = rows.beyond(height, wy)[:, None] | columns.beyond(width, wx)
        enable = rows.written(height, wy, word.rows)[:, None] & columns.written(
            width, wx, word.columns
        )
        address = (self.dest + word.delta) * rows.words * columns.words + wy * columns.words + wx
        if not 0 < address < len(self.memory):
            raise Fault(f"word {address} of {len(self.memory)} is written")
        self.memory[address] = np.where(enable, np.where(beyond, 0, pixels), self.memory[address])
        self.written[address] = self.cycles
        if word.clear:
            self.sums = np.zeros_like(self.sums)
        self.dest += word.advance and last

    def _flow(self, word: isa.Jump) -> None:
        match word.flow:
            case Flow.CLEAR_NEGATIVE:
                self.sums = np.maximum(self.sums, 0)
            case Flow.OUT:
                image = self.registers[Register.OUTPUT] & 15
                if image < len(self.logits):
                    logits = self.logits[image]
                    logits.append(isa.signed(self.collected, self.hardware.logit_bits))
                    if (len(logits) == self.program.logits) != word.argument:
                        raise Fault(
                            f"logit {len(logits)} of {self.program.logits}: OUT {word.argument}"
                        )
            case Flow.NOP | Flow.WAIT_IMAGE | Flow.FREE_IMAGE:
                pass
            case _:
                raise Fault(f"{word.flow.name} outside of a section's end")


def shifted(operand: np.ndarray, direction: Direction) -> np.ndarray:
    """Every lane's operand from its neighbour; zero at the grid's edge."""
    found = np.zeros_like(operand)
    match direction:
        case Direction.LEFT:
            found[:, 1:] = operand[:, :-1]
        case Direction.RIGHT:
            found[:, :-1] = operand[:, 1:]
        case Direction.ABOVE:
            found[1:] = operand[:-1]
        case Direction.BELOW:
            found[:-1] = operand[1:]
    return found


def captured(sums: np.ndarray, mode: Mode, bits: int) -> np.ndarray:
    """Pixels of `bits` bits from accumulators."""
    match mode:
        case Mode.SIGNED:
            return np.clip(sums, -1 << (bits - 2), (1 << (bits - 2)) - 1)
        case Mode.UNSIGNED:
            return np.clip(sums, 0, (1 << (bits - 1)) - 1)
        case Mode.WIDE:
            return np.clip(sums, -1 << (bits - 1), (1 << (bits - 1)) - 1)
        case Mode.RAW:
            return sums & ((1 << (bits - 1)) - 1)
