"""What is done to an overlay in a run: programs and images in turn, and the registers' accesses."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hw.axi_lite import SLVERR
from hw.overlay import isa
from hw.overlay.cycles import cycles
from hw.overlay.header import Status
from hw.overlay.packet import batch, opening, packet
from hw.overlay.program import Program
from hw.overlay.registers import FLUSH, IDENTITY, RESET, VERSION, Register
from sim.loading import BYTES, POLL, READ, RULES, TOGETHER, WRITE, Access
from sim.overlay import harness

PUSHED = 12
"""Cycles in which every stream is pushed in a reset by the register."""

SETTLED = 64
"""Cycles from a program's last word to its status, and more."""

CRC_WORDS = 2

PROGRAM_LAST, IMAGE_LAST = 1 << 16, 1 << 8
"""Bits of what the sources read: the packet's or the frame's last beat."""


@dataclass(frozen=True, eq=False)
class Phase:
    """A program, if a new one comes, and the images that it gets.

    A batch that the images leave short is flushed: by the next phase's program, which waits for it,
    or by the register.

    Parameters
    ----------
    program: that the images go through
    images: uint8 (N, H, W, C)
    words: its packet, whole or damaged, of one that is streamed with the sections of all batches;
        None: the program is there already, and stored
    status: what is to become of the packet; it has images only where that is READY
    timed: its last batch is whole, and its logits are taken at once: CYCLES is read before another
        program comes
    """

    program: Program
    images: np.ndarray
    words: np.ndarray | None = None
    status: Status = Status.READY
    timed: bool = False

    @classmethod
    def of(cls, program: Program, images: np.ndarray, *, timed: bool = False) -> "Phase":
        """A whole program and its images."""
        words = [packet(program)]
        if program.streamed:
            sections = [batch(program, count) for count in _batches(program, images)]
            words = [opening(program), *sections]
        return cls(program, images, np.concatenate(words), timed=timed)

    @classmethod
    def refused(cls, program: Program, words: np.ndarray, status: Status) -> "Phase":
        """A packet that is refused."""
        return cls(program, np.zeros((0, *program.image), np.uint8), words, status)

    @property
    def opening(self) -> int:
        """Words that come before the images."""
        assert self.words is not None
        if self.program.streamed and self.status is Status.READY:
            return len(opening(self.program))
        return len(self.words)

    def calm(self, frames: int) -> int:
        """Words of the batches behind the opening that are done with the first so many images."""
        whole = 0
        for count in _batches(self.program, self.images):
            if whole + count > frames:
                break
            whole += count
        counts = _batches(self.program, self.images[:whole])
        return sum(len(batch(self.program, count)) for count in counts)


def _batches(program: Program, images: np.ndarray) -> list[int]:
    """Images of each batch."""
    size, count = program.images, len(images)
    return [min(size, count - first) for first in range(0, count, size)]


@dataclass(frozen=True)
class Batch:
    """Images that are done together.

    Parameters
    ----------
    life: number of the program that does them, of those that were taken
    first: number of the first image, since that program began
    count: how many; whole: as many as a batch has
    """

    life: int
    first: int
    count: int
    whole: bool


@dataclass(frozen=True, eq=False)
class Script:
    """Phases, in turn.

    Parameters
    ----------
    timed: the last batch neither waits for images nor for its logits: CYCLES is what is predicted
    calm: with the first so many images, a program that is streamed does not pause

    Members
    -------
    frames, beats: images and logits in all
    programs: that are taken, one after the other
    batches: in their order
    """

    phases: Sequence[Phase]
    timed: bool = False
    calm: int = 1 << 30
    frames: int = field(init=False)
    beats: int = field(init=False)
    programs: tuple[Program, ...] = field(init=False)
    batches: tuple[Batch, ...] = field(init=False)

    def __post_init__(self) -> None:
        batches: list[Batch] = []
        programs: list[Program] = []
        image = 0
        for phase in self.phases:
            if phase.words is not None and phase.status is Status.READY:
                programs.append(phase.program)
                image = 0
            for some in _batches(phase.program, phase.images):
                whole = some == phase.program.images
                batches.append(Batch(len(programs) - 1, image, some, whole))
                image += some
        set_ = object.__setattr__
        set_(self, "frames", sum(len(phase.images) for phase in self.phases))
        set_(self, "beats", sum(len(p.images) * p.program.logits for p in self.phases))
        set_(self, "programs", tuple(programs))
        set_(self, "batches", tuple(batches))

    @property
    def first_words(self) -> int:
        """Words of programs that come before the first image."""
        first = next((n for n, phase in enumerate(self.phases) if len(phase.images)), 0)
        return sum(one.opening for one in self.phases[: first + 1] if one.words is not None)

    @property
    def images(self) -> Iterator[np.ndarray]:
        """All of them, in turn."""
        for phase in self.phases:
            yield from phase.images

    @property
    def cycles(self) -> int:
        """About what it takes without stalls: programs, clearing, batches."""
        found = 0
        for phase in self.phases:
            if phase.words is not None:
                found += 12 * len(phase.words) + 2 * phase.program.hardware.words
            if len(phase.images):
                batches = -(-len(phase.images) // phase.program.images)
                found += batches * cycles(phase.program).batch + 2 * phase.images.size
        return found + 1000

    def accesses(self) -> Iterator[Access]:
        """What the master of the registers does."""
        overlay = self.phases[0].program.hardware
        for register, value in (
            (Register.IDENTITY, IDENTITY),
            (Register.VERSION, VERSION << 16 | isa.VERSION),
            (Register.FINGERPRINT, overlay.fingerprint),
            (Register.CONTROL, 0),
            (Register.STATUS, int(Status.NONE)),
            (Register.CYCLES, 0),
            (Register.FRAMES, 0),
        ):
            yield Access(READ, 4 * register, value)
        # What cannot be written stays, and leaves CONTROL as it is; what is not there is refused.
        yield Access(WRITE, 4 * Register.STATUS, RESET | FLUSH, SLVERR)
        yield Access(READ, 4 * Register.CONTROL, 0)
        yield Access(READ, 4 * len(Register), 0, SLVERR)
        yield Access(TOGETHER, 4 * Register.CONTROL, 0)
        for address in (1, 2, 63):
            yield Access(READ, address, 0, SLVERR)
            yield Access(WRITE, address, RESET | FLUSH, SLVERR)
        for data in (0xFFFFFFFF, 0):
            yield Access(WRITE, 4 * Register.STATUS, data, SLVERR)
        for strobes in (0, 1, 2, 4, 8, 14):
            yield Access(BYTES + strobes, 4 * Register.CONTROL, RESET | FLUSH, SLVERR)
        # Behind a write it is the read's turn.
        yield Access(TOGETHER, 4 * Register.CONTROL, 0)
        yield Access(READ, 4 * Register.CONTROL, 0)
        logits = frames = 0
        calm = self.calm
        for phase, following in zip(self.phases, [*self.phases[1:], None], strict=True):
            if phase.words is not None:
                yield Access(harness.PROGRAM, 0, phase.opening)
                yield Access(harness.PROGRAM_SENT, 0, 0)
                yield Access(harness.PAUSE, 0, SETTLED)
                # Not polled: a run that a reset cuts off might end before that fails.
                yield Access(READ, 4 * Register.STATUS, int(phase.status))
                if phase.status is Status.READY:
                    content = phase.words[: phase.opening - CRC_WORDS].astype("<u2").tobytes()
                    yield Access(READ, 4 * Register.PROGRAM, zlib.crc32(content))
            logits += len(phase.images) * phase.program.logits
            frames += len(phase.images)
            if len(phase.images):
                yield from _sections(phase, calm - frames + len(phase.images))
                yield Access(harness.IMAGES_SENT, 0, 0)
            if phase.timed:
                yield Access(harness.LOGITS, 0, logits)
                yield Access(READ, 4 * Register.CYCLES, cycles(phase.program).batch)
            if following is not None and following.words is not None:
                continue
            # The sections of a program that is streamed say themselves how short a batch is.
            short = not phase.program.streamed and len(phase.images) % phase.program.images != 0
            if short:
                yield Access(WRITE, 4 * Register.CONTROL, FLUSH)
            yield Access(harness.LOGITS, 0, logits)
            if short:
                yield Access(WRITE, 4 * Register.CONTROL, 0)
        yield Access(harness.PAUSE, 0, SETTLED)
        yield Access(READ, 4 * Register.FRAMES, frames)
        if self.timed and self.batches[-1].whole:
            yield Access(READ, 4 * Register.CYCLES, cycles(self.programs[-1]).batch)
        yield Access(POLL, 4 * Register.STATUS, int(self.phases[-1].status))

    def write(self, folder: Path) -> None:
        """All that the agents read."""
        for name, accesses in (
            (harness.SCRIPT, self.accesses()),
            (harness.RESET_SCRIPT, reset_accesses()),
        ):
            lines = [access.line for access in accesses]
            (folder / name).write_text("".join(lines), encoding="utf-8")
        packets = [_marked(p.words, PROGRAM_LAST) for p in self.phases if p.words is not None]
        (folder / harness.PROGRAM_FILE).write_bytes(b"".join(p.tobytes() for p in packets))
        frames = [_marked(image.reshape(-1), IMAGE_LAST).astype("<u2") for image in self.images]
        (folder / harness.IMAGE_FILE).write_bytes(b"".join(f.tobytes() for f in frames))

    def failure(self, folder: Path) -> str | None:
        """What a register said that it should not have, or did against AXI4-Lite's rules."""
        result = folder / harness.SCRIPT_RESULT
        if not result.exists():
            return None
        verdict, number, *rest = result.read_text(encoding="utf-8").split()
        lines = list(self.accesses())
        if verdict == "ok":
            done = int(number)
            return None if done == len(lines) else f"registers: {done} of {len(lines)} accesses"
        at, when = int(number), ""
        if at >= harness.RESET_ACCESSES:
            at, lines, when = at - harness.RESET_ACCESSES, list(reset_accesses()), " in its reset"
        access = lines[min(at, len(lines) - 1)]
        number = access.address // 4
        name = Register(number).name if number < len(Register) else f"register {number}"
        name += when
        if verdict == "rule":
            return f"registers: {name}: {RULES[rest[0]]}"
        value, answer = rest
        if access.kind == WRITE or access.kind >= BYTES:
            return f"registers: write to {name}: expected response {access.response}, got {answer}"
        return (
            f"registers: {name}: expected 0x{access.data:08x} and response {access.response}, got"
            f" 0x{value} and {answer}"
        )


def reset_accesses() -> Iterator[Access]:
    """What the master of the registers does for a reset by CONTROL."""
    yield Access(WRITE, 4 * Register.CONTROL, RESET)
    yield Access(harness.PUSH, 0, 1)
    yield Access(harness.PAUSE, 0, PUSHED)
    for register, value in (
        (Register.CONTROL, RESET),
        (Register.STATUS, int(Status.NONE)),
        (Register.CYCLES, 0),
        (Register.FRAMES, 0),
    ):
        yield Access(READ, 4 * register, value)
    yield Access(harness.PUSH, 0, 0)
    yield Access(WRITE, 4 * Register.CONTROL, 0)


def _sections(phase: Phase, calm: int) -> Iterator[Access]:
    """The images, and what comes with them of a program that is streamed: `calm` images' without
    pauses."""
    images = Access(harness.IMAGES, 0, phase.images.size)
    if phase.words is None or not phase.program.streamed:
        yield images
        return
    first = phase.calm(max(calm, 0))
    if first:
        yield Access(harness.CALM, 0, 1)
        yield Access(harness.PROGRAM, 0, first)
    yield images
    if first:
        yield Access(harness.PROGRAM_SENT, 0, 0)
        yield Access(harness.CALM, 0, 0)
    left = len(phase.words) - phase.opening - first
    if left:
        yield Access(harness.PROGRAM, 0, left)
        yield Access(harness.PROGRAM_SENT, 0, 0)


def _marked(values: np.ndarray, last: int) -> np.ndarray:
    """With the bit of the last one set."""
    found = values.astype("<u4")
    found[-1] |= last
    return found
