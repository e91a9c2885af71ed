"""Programs for an overlay that no compiler wrote: random words that mean something."""

import random
import re
from dataclasses import replace

import numpy as np

from hw.ir.graph import Pair
from hw.overlay import isa
from hw.overlay.hardware import Overlay
from hw.overlay.isa import Class, Direction, Flow, Mode, Register
from hw.overlay.model import BOUNDS, Fault, Machine
from hw.overlay.program import Program

NOP = isa.Jump(Flow.NOP)


class Careful(Machine):
    """A machine that minds the images' buffers: what is not the image under way belongs to the
    loader, which may have written the next one already."""

    section = ""
    body_words, body_steps = 0, 0
    """Of the body under way its length, and how many words of it have been done."""

    def _section(self, name, words, after):
        self.section = name
        super()._section(name, words, after)

    def _body(self, words):
        self.body_words, self.body_steps = len(words), 0
        yield from super()._body(words)
        self.body_words = 0

    def step(self, *what):
        super().step(*what)
        self.body_steps += 1

    @property
    def inside(self) -> int:
        """How many words behind its BODY the one under way stands; 0: it is in none."""
        return 1 + self.body_steps % self.body_words if self.body_words else 0

    def _read(self, address):
        first = self.program.image_slot + self.buffer * self.program.image_step
        mine = range(first, first + self.program.image_step) if self.section == "prefix" else ()
        if address >= self.program.image_slot and address not in mine:
            raise Fault(f"word {address} is read, and is the loader's")
        return super()._read(address)

    def _capture(self, *what):
        super()._capture(*what)
        if (self.written[self.program.image_slot :] >= 0).any():
            raise Fault("an image's buffer is written")


def random_program(
    overlay: Overlay,
    seed: int,
    views: int = 6,
    *,
    burst: int = 0,
    pages: bool = False,
    long: bool = False,
) -> Program:
    """A program of so many views and bodies in each section, which the executable model accepts.

    Words that it does not accept become one that does nothing. `burst`: so many logits more of each
    image, one in every cycle. `pages`: planes are written and read in a few places of a
    large memory, so that what one view writes others read. `long`: registers are set anew right
    behind those who go by them, and accumulators are filled.
    """
    rng = random.Random(seed)
    batch = rng.choice([(1, 1), (1, 2), (2, 2)])
    outputs = batch[0] * batch[1]
    far = random.Random(f"{seed}/pages") if pages else None
    # The memory's last words are two images'.
    reads = random.Random(f"{seed}/image")
    channels = reads.randint(1, 3)
    slot = overlay.words - 2 * channels
    sections = {
        "prefix": [
            isa.Jump(Flow.WAIT_IMAGE),
            *_at_first(random.Random(f"{seed}/at first"), overlay),
            *_image(reads, slot, channels),
            *_section(rng, overlay, views, True, far, long),
            *_image(reads, slot, channels),
        ],
        "suffix": [
            *_section(rng, overlay, views, False, far, long),
            *_outputs(rng, outputs, burst),
        ],
    }
    sections["prefix"] += [isa.Jump(Flow.FREE_IMAGE), isa.Jump(Flow.END_PREFIX)]
    sections["suffix"].append(isa.Jump(Flow.END_SUFFIX))
    program = Program(
        hardware=overlay,
        prefix=np.zeros(0, np.uint16),
        suffix=np.zeros(0, np.uint16),
        image=(2, 2, channels),
        image_pitch=(0, 0),
        image_slot=slot,
        image_step=channels,
        batch=batch,
        logits=2 + burst,
    )
    images = random_images(program, 2 * program.images + 1, seed)
    while True:
        packed = {name: np.array(isa.pack(words), np.uint16) for name, words in sections.items()}
        program = replace(program, **packed)
        machine = Careful(program)
        try:
            machine.run(images)
        except Fault as fault:
            found = re.match(r"(\w+), word (\d+): ", str(fault))
            assert found, fault
            words, at = sections[found[1]], int(found[2]) + machine.inside
            words[at] = NOP
        else:
            return program


def random_images(program: Program, count: int, seed: int) -> np.ndarray:
    """Images of a program, every byte random."""
    return np.random.default_rng(seed).integers(0, 256, (count, *program.image), np.uint8)


def _section(
    rng: random.Random,
    overlay: Overlay,
    views: int,
    cut: bool,
    far: random.Random | None,
    long: bool,
) -> list[isa.Word]:
    # Every bit of every register; the first view sets what it needs again.
    wild = random.Random(f"{rng.random()}/wild")
    found: list[isa.Word] = [isa.Set(register, wild.randrange(256)) for register in Register]
    turns = random.Random(f"{rng.random()}/turns")
    out = (0, 0)
    for _ in range(views):
        view, out = _view(rng, overlay, cut, far)
        found += view
        body = [_word(rng) for _ in range(rng.randint(3, 9))]
        body.append(_capture(rng))
        found.append(isa.Body(len(body)))
        found += body
        found += [_word(rng) for _ in range(rng.randint(0, 6))]
        found += [NOP] * rng.choice([0, 0, isa.HAZARD])
    if long:
        found += _turns(turns, overlay, cut, out)
    found += _edge(rng, overlay)
    if long:
        found += _far_edge(turns, overlay)
    return found


def _at_first(rng: random.Random, overlay: Overlay) -> list[isa.Word]:
    """Captures by the registers that a program begins with, whatever the one before it had set.

    No weights: their cycles would be those of registers that the image before has left.
    """
    found: list[isa.Word] = []
    for rows, columns in ((Class.FIRST, Class.ALL), (Class.ALL, Class.FIRST), (Class.LAST,) * 2):
        found.append(isa.Dest(rng.randrange(1, max(2, overlay.words - 8))))
        found += [isa.Imm(rng.randint(1, 255)), isa.Shift(rng.choice(list(Direction)), True, False)]
        found.append(isa.Capture(rng.choice(list(Mode)), True, False, 0, rows, columns))
    return found


def _image(rng: random.Random, slot: int, channels: int) -> list[isa.Word]:
    """Each channel of the image is captured, by the bounds and to the planes as they are."""
    values = {
        Register.MODE: isa.IMAGE | rng.choice([0, isa.RELU]),
        Register.BASE_LOW: slot & 0xFF,
        Register.BASE_HIGH: slot >> 8,
        Register.IN_PITCH: isa.pitches(0, 0),
        Register.OFFSET_Y: isa.offset(rng.randint(-1, 1)),
        Register.OFFSET_X: isa.offset(rng.randint(-1, 1)),
    }
    found: list[isa.Word] = [isa.Set(register, value) for register, value in values.items()]
    for channel in range(channels):
        found += [isa.Weight(channel, rng.random() < 0.5, False), _capture(rng)]
    return found


def _view(
    rng: random.Random, overlay: Overlay, cut: bool, far: random.Random | None
) -> tuple[list[isa.Word], Pair]:
    """Registers, all of them, and a destination; and the output's pitch. `cut`: an image of a batch
    may be meant."""
    out = rng.choice([-2, -1, 0, 1, 1, 2]), rng.choice([-2, -1, 0, 0, 1, 2])
    words = [isa.Set(register, value) for register, value in _values(rng, overlay, cut, out)]
    planes = overlay.words >> sum(max(p, 0) for p in out)
    dest = rng.randrange(1, max(2, planes - 4))
    if far is not None:
        page = far.randrange(max(1, overlay.words >> 8))
        size = overlay.words // planes
        dest = max(1, (page << 8) // size + far.randrange(6))
        words += [isa.Set(Register.BASE_HIGH, far.choice([page, page, 0]))]
    return [*words, isa.Dest(dest)], out


def _values(
    rng: random.Random, overlay: Overlay, cut: bool, out: Pair
) -> list[tuple[Register, int]]:
    """What registers are set to, the output's pitch before the bounds."""
    mode = rng.randrange(5) | rng.choice([0, isa.RELU]) | rng.choice([0, 0, 0, isa.IMAGE])
    if cut:
        mode |= rng.choice([0, 0, isa.CUT_Y, isa.CUT_X, isa.CUT_X | isa.CUT_Y])
    values = {
        Register.MODE: mode,
        Register.BASE_LOW: rng.randrange(4),
        Register.BASE_HIGH: 0,
        Register.IN_PITCH: isa.pitches(rng.choice([-1, 0, 1]), rng.choice([-1, 0, 0, 1])),
        Register.OUT_PITCH: isa.pitches(*out),
        Register.STEP_Y: isa.steps(rng.randrange(3), rng.randrange(4)),
        Register.STEP_X: isa.steps(rng.randrange(3), rng.randrange(4)),
        Register.OFFSET_Y: isa.offset(rng.randint(-3, 3)),
        Register.OFFSET_X: isa.offset(rng.randint(-3, 3)),
    }
    for register in BOUNDS:
        axis = register in (Register.LAST_COLUMN, Register.FIRST_X, Register.LAST_X)
        far_lanes = isa.bound_lanes((overlay.rows, overlay.columns)[axis])
        # Of all that a capture can use; the coordinate behind the bound counts too.
        pitch = out[axis]
        beyond = far_lanes << pitch if pitch >= 0 else far_lanes >> -pitch
        most = min(256, max(1, beyond - 1))
        values[register] = rng.choice([rng.randrange(min(12, most)), rng.randrange(most)])
    values[Register.OUTPUT] = rng.choice([0, isa.COLLECT])
    return list(values.items())


def _turns(rng: random.Random, overlay: Overlay, cut: bool, out: Pair) -> list[isa.Word]:
    """Each register is set anew right behind words that go by its old value, some of which are held
    up by pixels that travel."""
    found: list[isa.Word] = []
    values = [one for one in _values(rng, overlay, cut, out) if one[0] is not Register.OUT_PITCH]
    rng.shuffle(values)
    for register, value in values:
        found += [_weight(rng) for _ in range(rng.randint(2, 5))]
        found += [_capture(rng), isa.Set(register, value)]
    return found


def _edge(rng: random.Random, overlay: Overlay) -> list[isa.Word]:
    """A sum at an end of what a capture holds, or just beyond, is captured."""
    half = 1 << (overlay.data_bits - 2)
    least, most = rng.choice([(-half, half - 1), (0, 2 * half - 1), (-2 * half, 2 * half - 1)])
    value = rng.choice([least - 1, least, most, most + 1])
    found: list[isa.Word] = [isa.Capture(Mode.RAW)]
    while value:
        step = max(-256, min(255, value))
        found.append(isa.Imm(step))
        value -= step
    mode = {-half: Mode.SIGNED, 0: Mode.UNSIGNED, -2 * half: Mode.WIDE}[least]
    return [*found, isa.Capture(mode)]


def _far_edge(rng: random.Random, overlay: Overlay) -> list[isa.Word]:
    """Sums of one bit that differs from the sign, up to the accumulator's highest, are captured:
    a body adds a power of two in each of its passes."""
    count = (1 << (overlay.acc_bits - 2)) // (_PASSES * -_STEP.value)
    if not isa.SHORTEST_BODY <= count < MOST_STEPS:
        return []
    found: list[isa.Word] = [isa.Set(Register.OUT_PITCH, isa.pitches(2, 2))]
    found += [isa.Set(register, 7) for register in BOUNDS]
    for positive in (False, True):
        step = isa.Imm(255, carry=True) if positive else _STEP
        first = [] if positive else [isa.Imm(-1)]
        found += [isa.Dest(1), isa.Capture(Mode.RAW), *first, isa.Body(count + 1)]
        mode = rng.choice([Mode.SIGNED, Mode.UNSIGNED, Mode.WIDE])
        found += [*[step] * count, isa.Capture(mode, False, False)]
    return found


_STEP = isa.Imm(-256)

_PASSES = 16
"""Of a body where each axis of a plane has four words."""

MOST_STEPS = 100
"""Words of a body that fills an accumulator, at most."""


def _capture(rng: random.Random) -> isa.Capture:
    classes = [rng.choice(list(Class)) for _ in range(2)]
    clear, advance = rng.random() < 0.7, rng.random() < 0.7
    return isa.Capture(rng.choice(list(Mode)), clear, advance, rng.randrange(3), *classes)


def _word(rng: random.Random) -> isa.Word:
    kind = rng.randrange(12)
    if kind < 7:
        return _weight(rng)
    if kind < 9:
        return isa.Imm(rng.randint(-256, 255), rng.random() < 0.5, rng.random() < 0.5)
    if kind == 9:
        add = rng.random() < 0.7
        return isa.Shift(rng.choice(list(Direction)), add, add and rng.random() < 0.5)
    return isa.Jump(Flow.CLEAR_NEGATIVE) if kind == 10 else NOP


def _weight(rng: random.Random) -> isa.Weight:
    operand = rng.randrange(1 << isa.OPERAND_BITS) & rng.choice([0x1807, 0x1603, 7])
    return isa.Weight(operand, rng.random() < 0.5, rng.random() < 0.3)


def _outputs(rng: random.Random, images: int, burst: int) -> list[isa.Word]:
    """Two logits of every image of a batch."""
    found: list[isa.Word] = []
    for final in (0, 1):
        for image in range(images):
            found.append(isa.Set(Register.OUTPUT, isa.COLLECT | image))
            found += [isa.Weight(rng.randrange(8), False, True) for _ in range(3)]
            found += [isa.Imm(0, False, True)] * 6
            found += [isa.Jump(Flow.OUT)] * (burst * final)
            found.append(isa.Jump(Flow.OUT, final))
    return found
