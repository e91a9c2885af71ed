"""The sequencer against the executable model: what its micro-operations leave in a plain grid."""

import random
from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Value
from amaranth.sim import Simulator

from hw.overlay import isa
from hw.overlay.hardware import AHEAD, Overlay
from hw.overlay.model import Machine
from hw.overlay.program import Program
from hw.overlay.rtl.micro_op import micro_op
from hw.overlay.rtl.sequencer import Sequencer
from sim.overlay.plain_lanes import NOTHING, Lanes
from sim.overlay.random_programs import random_images, random_program

OVERLAY = Overlay(
    rows=4, columns=5, acc_bits=17, words=64, program_words=1024, corner=2, fabric="generic"
)


class Driver:
    """Simulates a sequencer with a program's memory; its micro-operations go to a plain grid.

    Parameters
    ----------
    stall: chance that an image, room for a logit or a word of a program that is streamed is late
    flush: a batch goes on without the images that it lacks
    late: so many images are there; once the sequencer waits for the next one it is told to do
        without, for ten cycles; then the other images come

    Members
    -------
    logits: (image's lane, value, final) in their order
    starts: cycle in which each batch's last word leaves the sequencer
    """

    def __init__(
        self, program: Program, images, *, stall: float = 0, seed: int = 0, late: int = -1
    ):
        self.late, self.waits = late, 0
        self.program, self.images = program, list(images)
        self.stall, self.rng = stall, random.Random(seed)
        size = program.hardware
        self.lanes = Lanes(size.rows, size.columns, size.data_bits, size.acc_bits, size.words)
        self.layout = micro_op(size.rows, size.columns, size.data_bits, size.words)
        self.logits, self.starts = [], []
        self.collected = 0
        self.buffer = 1

    def run(self, batches: int, flush: bool = False) -> None:
        self.batches, self.flush = batches, flush
        self.dut = Sequencer(self.program.hardware)
        simulator = Simulator(self.dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(self._process)
        simulator.run()

    async def _process(self, ctx):
        dut, program = self.dut, self.program
        words = [*program.prefix.tolist(), *program.suffix.tolist()]
        ctx.set(
            dut.program,
            {
                "streamed": program.streamed,
                "suffix": 0 if program.streamed else len(program.prefix),
                "rows": program.batch[0] - 1,
                "columns": program.batch[1] - 1,
                "image_step": program.image_step,
            },
        )
        depth = 1 << dut.address_bits
        memory = [0] * depth
        if program.streamed:
            # As many prefixes as a batch has, whether there are images or not.
            coming = [*program.prefix.tolist() * program.images, *program.suffix.tolist()]
            coming = coming * self.batches
            arrived = 0
        else:
            memory[: len(words)] = words
            coming, arrived = [], len(words)
        ctx.set(dut.written, arrived)
        ctx.set(dut.latest, (arrived - 1) % (2 * depth))
        await ctx.tick().repeat(5)
        ctx.set(dut.run, 1)
        ctx.set(dut.flush, self.flush)
        behind = 0
        taken, cycle, done = 0, 0, 0
        while done < self.batches and cycle < 60_000:
            image = taken < len(self.images) and self.rng.random() >= self.stall
            if taken == self.late:
                self.waits += ctx.get(dut.waiting)
                ctx.set(dut.flush, 30 <= self.waits < 40)
                image = self.waits >= 40
            ctx.set(dut.image, image)
            ctx.set(dut.room, self.rng.random() >= self.stall)
            if ctx.get(dut.took):
                self.load(self.images[taken])
                taken += 1
            if ctx.get(dut.batch_done):
                self.starts.append(cycle)
            self.micro_operation(ctx)
            going, address = ctx.get(dut.next), ctx.get(dut.address)
            room = arrived - depth != ctx.get(dut.held) and arrived + depth != ctx.get(dut.held)
            comes = coming and room and self.rng.random() >= self.stall
            await ctx.tick()
            if going:
                ctx.set(dut.word, behind)
                behind = memory[address]
            if comes:
                memory[arrived % depth] = coming.pop(0)
                ctx.set(dut.latest, arrived)
                arrived = (arrived + 1) % (2 * depth)
                ctx.set(dut.written, arrived)
            cycle += 1
            done = len(self.starts)
        for _ in range(40):
            ctx.set(dut.image, 0)
            ctx.set(dut.room, 1)
            self.micro_operation(ctx)
            await ctx.tick()

    def micro_operation(self, ctx) -> None:
        dut = self.dut
        op = self.layout.from_bits(ctx.get(Value.cast(dut.o)))
        fields = {}
        for name in NOTHING:
            inner = ("move", "shift", "direction", "flip", "carry", "rectify")
            fields[name] = int(op.operand[name] if name in inner else op[name])
        lane = ctx.get(dut.logit.lane)
        falls = self.lanes.do(fields)
        if ctx.get(dut.logit.out):
            bits = self.program.hardware.logit_bits
            self.logits.append((lane, isa.signed(self.collected, bits), ctx.get(dut.logit.final)))
        if ctx.get(dut.logit.collect):
            row, column = lane >> 2, lane & 3
            bit = int(falls[row, column]) << (self.program.hardware.logit_bits - 1)
            self.collected = self.collected >> 1 | bit

    def load(self, image) -> None:
        self.buffer ^= 1
        machine = Machine(self.program)
        machine.buffer = 1 - self.buffer
        machine.load(image)
        first = self.program.image_slot + self.buffer * self.program.image_step
        planes = slice(first, first + (image.shape[2] << sum(self.program.image_pitch)))
        self.lanes.memory[planes] = machine.memory[planes]


def compare(program: Program, images: np.ndarray, driver: Driver) -> Machine:
    """Memory and logits of all batches; returns the executable model that says what they are."""
    machine = Machine(program)
    values = []
    for start in range(0, len(images), program.images):
        values += machine.run(images[start : start + program.images]).T.reshape(-1).tolist()
    assert np.array_equal(driver.lanes.memory, machine.memory)
    assert [value for _, value, _ in driver.logits] == values
    return machine


@pytest.mark.parametrize("seed", range(6))
def test_random_programs_do_what_the_model_does_in_as_many_cycles(seed):
    program = random_program(OVERLAY, seed, views=3)
    images = random_images(program, 2 * program.images, seed)
    driver = Driver(program, images)
    driver.run(2)
    machine = compare(program, images, driver)
    first, second = driver.starts
    assert 2 * (second - first) == machine.cycles
    lanes = [lane for lane, _, _ in driver.logits]
    assert lanes[: program.images] == [
        row << 2 | column for row in range(program.batch[0]) for column in range(program.batch[1])
    ]
    finals = [final for _, _, final in driver.logits]
    assert finals == ([0] * program.images + [1] * program.images) * 2


@pytest.mark.parametrize("seed", [11, 12])
def test_waiting_changes_nothing(seed):
    program = random_program(OVERLAY, seed, views=2)
    images = random_images(program, 2 * program.images, seed)
    driver = Driver(program, images, stall=0.7, seed=seed)
    driver.run(2)
    compare(program, images, driver)


def test_a_batch_that_has_begun_can_do_without_its_last_images():
    program = next(p for p in (random_program(OVERLAY, seed, views=2) for seed in range(99))
                   if p.images == 4)  # fmt: skip
    images = random_images(program, 3, 1)
    driver = Driver(program, images)
    driver.run(1, flush=True)
    compare(program, images, driver)
    assert len(driver.logits) == 6


def streamed(program: Program) -> Program:
    """The same as a stream, in the smallest memory that holds its longest body."""
    words = np.concatenate([program.prefix, program.suffix])
    longest = (words[words >> 12 == 8 | isa.Op.BODY] & 0xFFF).max(initial=0)
    small = program.hardware.resized(program_words=max(64, int(longest) + AHEAD))
    return replace(program, hardware=small, streamed=True)


def first_of(*values):
    """Parameters; all but the first one are for thorough runs."""
    thorough = [pytest.param(value, marks=pytest.mark.thorough) for value in values[1:]]
    return [values[0], *thorough]


@pytest.mark.parametrize("seed", first_of(44, 11, 19, 62))
def test_a_streamed_program_takes_the_same_cycles_in_a_memory_that_does_not_hold_it(seed):
    program = random_program(OVERLAY, seed, views=3)
    images = random_images(program, 3 * program.images, seed)
    driver = Driver(streamed(program), images)
    assert driver.program.hardware.program_depth < len(program.prefix)
    driver.run(3)
    machine = compare(program, images, driver)
    first, second, third = driver.starts
    assert 3 * (second - first) == 3 * (third - second) == machine.cycles


@pytest.mark.parametrize("seed", first_of(58, 21, 12))
def test_a_stream_that_pauses_changes_nothing_but_the_time(seed):
    program = random_program(OVERLAY, seed, views=2)
    images = random_images(program, 2 * program.images, seed)
    driver = Driver(streamed(program), images, stall=0.7, seed=seed)
    driver.run(2)
    compare(program, images, driver)


def test_a_batch_that_does_without_an_image_does_without_those_behind_it():
    """They come while the words of the first prefix without one pass."""
    program = next(p for p in (random_program(OVERLAY, seed, views=2) for seed in range(99))
                   if p.images == 4)  # fmt: skip
    images = random_images(program, 6, 1)
    driver = Driver(streamed(program), images, late=2)
    driver.run(2)
    machine = Machine(program)
    values = [machine.run(some).T.reshape(-1).tolist() for some in (images[:2], images[2:])]
    assert [value for _, value, _ in driver.logits] == values[0] + values[1]
    assert np.array_equal(driver.lanes.memory, machine.memory)


@pytest.mark.parametrize("present", first_of(2, 1, 3))
def test_prefixes_without_an_image_are_passed_over(present):
    program = next(p for p in (random_program(OVERLAY, seed, views=2) for seed in range(99))
                   if p.images == 4)  # fmt: skip
    images = random_images(program, present, 1)
    driver = Driver(streamed(program), images)
    driver.run(1, flush=True)
    compare(program, images, driver)
    assert len(driver.logits) == 2 * present
