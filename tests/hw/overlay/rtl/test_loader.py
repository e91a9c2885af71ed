"""Where the loader puts the bytes of images, against the executable model."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.overlay import isa
from hw.overlay.hardware import Overlay
from hw.overlay.header import FIELDS, KEPT, STEPS
from hw.overlay.model import Machine
from hw.overlay.packet import packet
from hw.overlay.program import Program
from hw.overlay.rtl.loader import NO_STEP, Loader

OVERLAY = Overlay(rows=3, columns=4, acc_bits=12, words=60, program_words=64, fabric="generic")

CASES = [  # image, logarithm of its pitches, planes before it
    ((3, 4, 1), (0, 0), 2),
    ((3, 7, 2), (0, 1), 3),
    ((6, 3, 3), (1, 0), 2),
    ((5, 11, 1), (2, 2), 1),
    ((5, 8, 2), (1, 1), 1),
    ((1, 1, 4), (0, 0), 1),
]


def program_of(image, pitch, slot) -> Program:
    empty = np.array(isa.pack([isa.Jump(isa.Flow.END_PREFIX)]), np.uint16)
    step = image[2] << sum(pitch)
    return Program(OVERLAY, empty, empty, image, pitch, slot, step, (1, 1), 1)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_bytes_lie_where_the_model_has_them(case):
    program = program_of(*case)
    images = np.random.default_rng(1).integers(1, 256, (3, *program.image), np.uint8)
    header = dict(zip(FIELDS, packet(program).tolist(), strict=False))
    bits = (OVERLAY.words - 1).bit_length()
    steps = [header[name] & (1 << bits) - 1 for name in STEPS]
    assert len(steps) == NO_STEP
    memory = np.full((1 << bits, OVERLAY.rows, OVERLAY.columns), -1)
    dut = Loader(OVERLAY)
    pixels = np.ravel(images).tolist()
    taken = []

    async def testbench(ctx):
        batch, wrap = header["batch"], header["wrap"]
        about = {name: header[name] for name in KEPT[3:7]}
        about |= {"rows": batch >> 2, "columns": batch & 3, "suffix": 0}
        about |= {"wrap_x": wrap & 0xFF, "wrap_y": wrap >> 8}
        ctx.set(dut.about, about)
        ctx.set(dut.run, 1)
        sent = 0
        for cycle in range(4000):
            ready = cycle % 3 != 0
            ctx.set(dut.ready, ready)
            ctx.set(dut.i.valid, sent < len(pixels))
            ctx.set(dut.i.payload, pixels[min(sent, len(pixels) - 1)])
            step = ctx.get(dut.step)
            ctx.set(dut.words, steps[step] if step < NO_STEP else 0)
            await ctx.delay(1e-9)
            if ctx.get(dut.valid) and ready:
                row, column = (
                    ctx.get(lanes) >> np.arange(n) & 1
                    for lanes, n in ((dut.o.rows, OVERLAY.rows), (dut.o.columns, OVERLAY.columns))
                )
                there = row[:, None] & column[None, :] == 1
                pixel = 0 if ctx.get(dut.o.clear) else ctx.get(dut.o.pixel)
                memory[ctx.get(dut.o.address)][there] = pixel
                sent += ctx.get(dut.i.ready)
            image = ctx.get(dut.image)
            ctx.set(dut.took, image)
            ctx.set(dut.free, image)
            if image:
                taken.append(memory.copy())
            await ctx.tick()
            if len(taken) == 3:
                return

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    machine = Machine(program)
    for image, found in zip(images, taken, strict=True):
        machine.load(image)
        assert np.array_equal(found[: OVERLAY.words], machine.memory)
