"""An overlay behind its buses, in Amaranth's simulator: registers, streams, resets, refusals."""

import pytest

from hw.axi_lite import OKAY, SLVERR
from hw.build import synth
from hw.build.families import FAMILIES
from hw.overlay import isa
from hw.overlay.hardware import Overlay
from hw.overlay.header import FIELDS, Status
from hw.overlay.model import Machine
from hw.overlay.packet import packet
from hw.overlay.registers import BUSY, FLUSH, IDENTITY, PENDING, RESET, VERSION, Register
from hw.overlay.rtl.top import Top
from hw.verilog.convert import to_rtlil
from sim.overlay.random_programs import random_images, random_program
from tests.support.overlay_host import Host, logits_of

OVERLAY = Overlay(
    rows=2, columns=2, acc_bits=12, words=16, program_words=256, corner=2, logit_bits=12,
    fabric="generic",
)  # fmt: skip

ONE, FOUR = (
    next(p for p in (random_program(OVERLAY, seed, views=1) for seed in range(99))
         if p.images == images and len(p.prefix) + len(p.suffix) <= OVERLAY.program_words)
    for images in (1, 4)
)  # fmt: skip


def words_of(program) -> list[int]:
    return packet(program).tolist()


def test_two_programs_one_after_the_other():
    rest = random_images(ONE, 3, 1), random_images(FOUR, 8, 2)

    async def testbench(ctx, host):
        assert await host.register(Register.IDENTITY) == IDENTITY
        assert await host.register(Register.VERSION) == VERSION << 16 | isa.VERSION
        assert await host.register(Register.FINGERPRINT) == OVERLAY.fingerprint
        assert await host.register(Register.STATUS) == Status.NONE
        host.program(words_of(ONE))
        host.images(rest[0])
        expected = logits_of(ONE, rest[0])
        await host.receive(ctx, len(expected))
        assert await host.register(Register.STATUS) == Status.READY
        assert await host.register(Register.FRAMES) == 3
        low, high = words_of(ONE)[-2:]
        assert await host.register(Register.PROGRAM) == high << 16 | low
        host.program(words_of(FOUR))
        await host.until(Register.STATUS, 0xF, Status.READY)
        host.images(rest[1])
        expected += logits_of(FOUR, rest[1])
        await host.receive(ctx, len(expected))
        assert host.logits == expected
        assert await host.register(Register.FRAMES) == 11

    Host(OVERLAY, stall=0.5).run(testbench)


@pytest.mark.parametrize("program", [ONE, FOUR], ids=["batch1", "batch4"])
def test_cycles_are_those_of_the_model(program):
    images = random_images(program, 2 * program.images, 3)
    machine = Machine(program)
    machine.run(images[: program.images])

    async def testbench(ctx, host):
        host.program(words_of(program))
        host.images(images)
        half = len(logits_of(program, images[: program.images]))
        # A time-out would mean that logits of a batch are held back until the next one.
        for batch in (1, 2):
            await host.receive(ctx, batch * half)
            assert await host.register(Register.CYCLES) == machine.cycles

    Host(OVERLAY).run(testbench)


def damaged(words):
    words[len(FIELDS) + 2] ^= 1
    return words


def changed(field, value):
    def change(words):
        words[FIELDS.index(field)] = value
        return words

    return change


BAD = {
    "damaged": (damaged, Status.DAMAGED),
    "short": (lambda words: words[:-1], Status.DAMAGED),
    "one word": (lambda words: words[:1], Status.DAMAGED),
    "long": (lambda words: [*words, 0], Status.DAMAGED),
    "nothing of it": (lambda words: [7] * 9, Status.NO_PROGRAM),
    "version": (changed("version", isa.VERSION + 1), Status.OTHER_VERSION),
    "fingerprint": (changed("fingerprint_low", 0), Status.OTHER_OVERLAY),
    "too long": (changed("length_low", OVERLAY.program_words + 1), Status.TOO_LONG),
    "far too long": (changed("length_high", 0x7FFF), Status.TOO_LONG),
    "empty": (changed("length_low", 0), Status.DAMAGED),
}


EARLY = (Status.OTHER_VERSION, Status.OTHER_OVERLAY, Status.TOO_LONG)
"""Refused by the header."""


def test_bad_programs_are_refused_and_a_good_one_runs():
    images = random_images(ONE, 1, 1)

    async def testbench(ctx, host):
        for name, (change, status) in BAD.items():
            # What does not begin as a program does is read to its end, however short.
            words = change(words_of(ONE))
            host.program(words[:30] if status in EARLY else words)
            while host.words:
                await ctx.tick()
            await ctx.tick().repeat(9)
            assert await host.register(Register.STATUS) == status, name
        # No image is taken while there is no program.
        host.images(images)
        await ctx.tick().repeat(200)
        assert len(host.pixels) == images.size and not host.logits
        host.program(words_of(ONE))
        expected = logits_of(ONE, images)
        await host.receive(ctx, len(expected))
        assert host.logits == expected

    Host(OVERLAY).run(testbench)


def test_a_new_program_waits_for_the_images_before_it():
    images = random_images(FOUR, 3, 4), random_images(ONE, 1, 5)

    async def testbench(ctx, host):
        host.program(words_of(FOUR))
        await host.until(Register.STATUS, 0xF, Status.READY)
        host.images(images[0])
        while host.pixels:
            await ctx.tick()
        # Three of four images: the batch is done without the fourth when the program comes.
        await ctx.tick().repeat(300)
        assert not host.logits
        host.program(words_of(ONE))
        host.images(images[1])
        await host.until(Register.STATUS, PENDING | BUSY, PENDING | BUSY)
        expected = logits_of(FOUR, images[0]) + logits_of(ONE, images[1])
        await host.receive(ctx, len(expected))
        assert host.logits == expected

    Host(OVERLAY).run(testbench)


def test_flush_ends_a_batch_without_its_last_images():
    images = random_images(FOUR, 2, 6)

    async def testbench(ctx, host):
        host.program(words_of(FOUR))
        host.images(images)
        while host.pixels:
            await ctx.tick()
        await ctx.tick().repeat(300)
        assert not host.logits
        assert await host.axi.write(4 * Register.CONTROL, FLUSH) == OKAY
        expected = logits_of(FOUR, images)
        await host.receive(ctx, len(expected))
        assert host.logits == expected
        await host.until(Register.STATUS, BUSY, 0)

    Host(OVERLAY).run(testbench)


def test_a_reset_in_mid_frame_loses_the_frame_and_nothing_else():
    images = random_images(ONE, 2, 7)

    async def testbench(ctx, host):
        for cycles in (40, 500):
            host.program(words_of(ONE))
            host.images(images)
            await ctx.tick().repeat(cycles)
            host.resetting = True
            assert await host.axi.write(4 * Register.CONTROL, RESET) == OKAY
            host.words.clear()
            host.pixels.clear()
            await ctx.tick().repeat(5)
            assert not ctx.get(host.dut.s_axis_tready) and not ctx.get(host.dut.m_axis_tvalid)
            assert await host.axi.write(4 * Register.CONTROL, 0) == OKAY
            host.resetting = False
            assert await host.register(Register.STATUS) == Status.NONE
            assert await host.register(Register.FRAMES) == 0
            host.logits.clear()
            host.program(words_of(ONE))
            host.images(images)
            expected = logits_of(ONE, images)
            await host.receive(ctx, len(expected))
            assert host.logits == expected

    Host(OVERLAY).run(testbench)


def test_the_rest_of_a_program_after_a_reset_is_none():
    async def testbench(ctx, host):
        host.program(words_of(ONE))
        await ctx.tick().repeat(len(FIELDS) + 9)
        assert host.words
        await host.axi.write(4 * Register.CONTROL, RESET)
        await host.axi.write(4 * Register.CONTROL, 0)
        await host.until(Register.STATUS, 0xF, Status.NO_PROGRAM)
        while host.words:
            await ctx.tick()
        host.program(words_of(ONE))
        await host.until(Register.STATUS, 0xF, Status.READY)

    Host(OVERLAY).run(testbench)


def test_accesses_that_are_refused():
    async def testbench(ctx, host):
        for address in (4 * len(Register), 60, 1, 4 * Register.STATUS + 2):
            assert (await host.axi.read(address))[1] == SLVERR
        for register in Register:
            expected = OKAY if register is Register.CONTROL else SLVERR
            assert await host.axi.write(4 * register, 0) == expected
        assert await host.axi.write(4 * Register.CONTROL, 3, strobe=1) == SLVERR
        assert await host.register(Register.CONTROL) == 0

    Host(OVERLAY).run(testbench)


TINY = Overlay(
    rows=1, columns=2, acc_bits=12, words=512, program_words=512, corner=1, logit_bits=12,
    fabric="generic",
)  # fmt: skip


@pytest.fixture(scope="module")
def text() -> str:
    return to_rtlil(Top(TINY), "top").text


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(target, marks=pytest.mark.thorough if name == "xilinx" else (), id=name)
        for name, target in FAMILIES.items()
    ],
)
def test_a_family_takes_the_generic_form(text, target):
    """What has a DSP block, a multiplier or a latch is refused."""
    netlist, _ = synth.netlist_of({"top.il": text}, "top", target)
    assert netlist.resources.dsp == 0
    # Program and data are in block RAM, the rest is in logic.
    bits = 16 * TINY.program_words + 2 * 9 * TINY.words
    assert netlist.resources.ram_bits >= bits
    assert netlist.resources.ff < 4000


def test_the_form_for_an_ecp5_has_its_cells():
    text = to_rtlil(Top(TINY.resized(fabric="ecp5")), "top").text
    netlist, _ = synth.netlist_of({"top.il": text}, "top", mhz=150)
    assert netlist.resources.dsp == 0
    # A block for the pixels of both lanes, one for the program.
    assert netlist.resources.ram_blocks == 2
