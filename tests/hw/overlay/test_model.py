"""The executable model: what words do, by hand, and what it refuses to go on with."""

import numpy as np
import pytest

from hw.overlay import isa
from hw.overlay.hardware import Overlay
from hw.overlay.isa import (
    Body,
    Capture,
    Class,
    Dest,
    Direction,
    Flow,
    Imm,
    Jump,
    Mode,
    Register,
    Set,
    Shift,
    Weight,
)
from hw.overlay.model import Fault, Machine, captured
from hw.overlay.program import Program

HARDWARE = Overlay(rows=2, columns=3, acc_bits=12, words=16, fabric="generic")
SIZE = [Set(Register.LAST_ROW, 1), Set(Register.LAST_COLUMN, 2)]
NOPS = [Jump(Flow.NOP)] * isa.HAZARD


def machine(*words: isa.Word, batch=(1, 1)) -> Machine:
    program = Program(
        hardware=HARDWARE,
        prefix=np.array(isa.pack([*words, Jump(Flow.END_PREFIX)]), np.uint16),
        suffix=np.array([Jump(Flow.END_SUFFIX).pack()], np.uint16),
        image=(2, 3, 1),
        image_pitch=(0, 0),
        image_slot=1,
        image_step=1,
        batch=batch,
        logits=1,
    )
    return Machine(program)


IMAGE = np.array([[[[10], [20], [30]], [[40], [50], [60]]]], np.uint8)


def run(*words: isa.Word) -> Machine:
    found = machine(*words)
    found.run(IMAGE)
    return found


def test_weights_halve_before_they_add_and_shift_with_zeros():
    found = run(
        Set(Register.MODE, 1),
        Set(Register.STEP_X, isa.steps(1, 1)),
        Weight(isa.operand(1, tap_bits=1)),
        Weight(isa.operand(1, 0, 1, 1), negative=True, halve=True),
    )
    assert found.sums.tolist() == [[5 - 20, 10 - 30, 15], [20 - 50, 25 - 60, 30]]
    assert found.cycles == 2 + 1 + 2 + 2 * isa.JUMP_CYCLES


def test_shifts_take_from_the_neighbour():
    found = run(Weight(1), Shift(Direction.BELOW), Shift(Direction.LEFT, add=False))
    assert found.sums.tolist() == [[50, 70, 90], [40, 50, 60]]
    assert found.operand.tolist() == [[0, 40, 50], [0, 0, 0]]


def test_captures_write_zero_beyond_the_image():
    found = run(Set(Register.LAST_COLUMN, 1), Weight(1), Dest(5), Capture(Mode.SIGNED, delta=2))
    assert found.memory[7].tolist() == [[10, 20, 0], [0, 0, 0]]
    assert found.dest == 6
    assert not found.sums.any()


def test_classes_write_some_lanes():
    bounds = [Set(Register.FIRST_X, 1), Set(Register.LAST_X, 1), *SIZE]
    middle = Capture(Mode.WIDE, False, False, columns=Class.MIDDLE)
    found = run(*bounds, Imm(-200), Dest(3), middle, Imm(-1), Capture(Mode.WIDE, rows=Class.FIRST))
    # FIRST_Y is 0: there is no first row, so nothing of the second capture is written.
    assert found.memory[3].tolist() == [[0, -200, 0], [0, -200, 0]]


def test_a_body_runs_once_for_each_word_and_advances_once():
    pitch = Set(Register.OUT_PITCH, isa.pitches(0, 1))
    columns = Set(Register.LAST_COLUMN, 5)
    body = [Imm(7), Imm(0, halve=True), Jump(Flow.NOP), Capture(Mode.SIGNED)]
    found = run(pitch, Set(Register.LAST_ROW, 1), columns, Dest(4), Body(4), *body)
    assert found.memory[8].tolist() == found.memory[9].tolist() == [[3] * 3] * 2
    assert found.dest == 5
    assert found.cycles == 5 + 2 * 4 + 2 * isa.JUMP_CYCLES


def test_a_logit_is_the_bits_that_fall_off():
    words = [Set(Register.OUTPUT, isa.COLLECT), Weight(1, negative=True)]
    words += [Imm(0, halve=True)] * HARDWARE.logit_bits
    found = machine(*words, Jump(Flow.OUT, 1))
    assert found.run(IMAGE).tolist() == [[-10]]
    assert found.sums[0, 0] == -1


@pytest.mark.parametrize(
    ("mode", "value", "pixel"),
    [
        (Mode.SIGNED, 128, 127),
        (Mode.SIGNED, -129, -128),
        (Mode.UNSIGNED, 256, 255),
        (Mode.UNSIGNED, -1, 0),
        (Mode.WIDE, 300, 255),
        (Mode.WIDE, -300, -256),
        (Mode.RAW, -1, 255),
        (Mode.RAW, 0x123, 0x23),
    ],
)
def test_modes(mode, value, pixel):
    assert captured(np.array([[value]]), mode, 9).tolist() == [[pixel]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([Imm(255)] * 9, "prefix, word 8: an accumulator of 12 bits overflows"),
        ([Weight(16)], "prefix, word 0: word 16 of 16 is read"),
        ([*SIZE, Dest(16), Capture(Mode.RAW)], "prefix, word 3: word 16 of 16 is written"),
        ([*SIZE, Capture(Mode.RAW)], "prefix, word 2: word 0 of 16 is written"),
        (
            [*SIZE, Dest(3), Capture(Mode.RAW), *NOPS[2:], Weight(3)],
            "prefix, word 8: word 3 is read 5 cycles after it was captured",
        ),
        ([Set(Register.OUT_PITCH, 1), Capture(Mode.RAW)], "prefix, word 1: LAST_ROW is older"),
        ([Body(4), Dest(3), Imm(0), Imm(0), Imm(0)], "prefix, word 0: Dest"),
        ([Body(4), Imm(0), Imm(0), Imm(0)], "prefix, word 0: .* in a body"),
        ([Body(5), Imm(0), Imm(0), Imm(0)], "prefix, word 0: a body goes beyond"),
        ([Set(Register.MODE, 5), Weight(0)], "prefix, word 1: 5 bits for a tap"),
        ([Jump(Flow.END_SUFFIX)], "prefix, word 0: END_SUFFIX within the prefix"),
        ([Jump(Flow.OUT)], "prefix, word 0: logit 1 of 1: OUT 0"),
        ([Imm(0), Jump(Flow.WAIT_IMAGE)], "prefix, word 1: only the prefix waits"),
        (
            [Set(Register.OFFSET_X, 100), Weight(0)],
            "prefix, word 1: a pixel travels 100 of 3 lanes; expected up to 7",
        ),
        (
            [*SIZE, Set(Register.LAST_ROW, 200), Dest(3), Capture(Mode.RAW)],
            "prefix, word 4: LAST_ROW is older than OUT_PITCH, or far beyond the grid",
        ),
    ],
)
def test_what_it_refuses(words, message):
    with pytest.raises(Fault, match=f"^{message}"):
        run(*words)


def test_one_cycle_later_it_may_be_read():
    run(*SIZE, Dest(3), Capture(Mode.RAW), *NOPS[1:], Weight(3))
