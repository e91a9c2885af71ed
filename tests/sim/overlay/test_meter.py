"""The executable model counts what programs go through, and does what it does without counting."""

from collections import Counter

import numpy as np

from hw.overlay import isa
from hw.overlay.isa import Capture, Imm, Mode, Register
from hw.overlay.model import Machine
from hw.overlay.program import Program
from sim.coverage import overlays
from sim.fuzz.grids import OVERLAYS
from sim.overlay.meter import Meter
from sim.overlay.random_programs import random_images, random_program

OVERLAY = OVERLAYS["3x5"]


def test_random_programs_hit_known_bins_and_nearly_all_of_the_words():
    hits: Counter[tuple[str, str]] = Counter()
    for seed in range(12):
        program = random_program(OVERLAY, seed, burst=4 * (seed % 2), pages=seed % 2 == 0)
        images = random_images(program, 2 * program.images, seed)
        meter, plain = Meter(program), Machine(program)
        assert np.array_equal(meter.run(images), plain.run(images))
        assert np.array_equal(meter.memory, plain.memory)
        hits += meter.hits
    groups = overlays.declare()
    for (group, name), times in hits.items():
        groups[group].hit(name, times)
    assert groups["word"].missing() == []
    assert groups["class"].missing() == []
    for group in ("register", "capture", "memory"):
        assert len(groups[group].missing()) < len(groups[group].hits) / 3


def words(*some: isa.Word) -> np.ndarray:
    return np.array(isa.pack(some), np.uint16)


def test_a_capture_by_hand():
    """300 is clamped, −1 is just beyond; both were halved once."""
    last = isa.Set(Register.LAST_ROW, 3), isa.Set(Register.LAST_COLUMN, 3)
    prefix = [isa.Jump(isa.Flow.WAIT_IMAGE), *last, isa.Dest(1)]
    for value in (255, 127, -1):
        prefix += [Imm(value), Imm(value, halve=True), Capture(Mode.SIGNED)]
    prefix += [isa.Jump(isa.Flow.FREE_IMAGE), isa.Jump(isa.Flow.END_PREFIX)]
    program = Program(
        OVERLAY, words(*prefix), words(isa.Jump(isa.Flow.END_SUFFIX)), (2, 2, 1), (0, 0),
        OVERLAY.words - 3, 1, (1, 1), 0,
    )  # fmt: skip
    meter = Meter(program)
    meter.run(np.zeros((1, 2, 2, 1), np.uint8))
    captures = {name: times for (group, name), times in meter.hits.items() if group == "capture"}
    assert captures == {"SIGNED, clamped high": 2}
    assert meter.hits["level", "1 halvings"] == 3
    assert meter.hits["class", "columns beyond the image"] == 3
    assert meter.hits["word", "IMM halves"] == 3
