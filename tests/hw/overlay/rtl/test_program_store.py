"""Programs that are streamed, on an overlay behind its buses: how they end, damage, long bodies."""

from dataclasses import replace

import numpy as np
import pytest

from hw.axi_lite import OKAY
from hw.overlay import isa
from hw.overlay.hardware import Overlay
from hw.overlay.header import FIELDS, Status
from hw.overlay.isa import Flow
from hw.overlay.model import Machine
from hw.overlay.packet import batch, opening, packet
from hw.overlay.program import Program
from hw.overlay.registers import BUSY, FLUSH, PENDING, RESET, Register
from hw.overlay.rtl.program_store import ProgramStore
from hw.verilog.convert import to_rtlil
from sim.overlay.random_programs import random_images, random_program
from tests.support.overlay_host import Host, logits_of

OVERLAY = Overlay(
    rows=2, columns=2, acc_bits=12, words=16, program_words=160, corner=2, logit_bits=12,
    fabric="generic",
)  # fmt: skip

STORED = next(
    p
    for p in (random_program(OVERLAY, seed, views=1) for seed in range(99))
    if p.images == 1 and len(p.prefix) + len(p.suffix) <= 160
)
LONG = next(
    replace(p, streamed=True)
    for p in (random_program(OVERLAY, seed, views=10) for seed in range(5, 99))
    if p.images == 4
    and p.longest_body <= OVERLAY.streamed_body
    and min(len(p.prefix), len(p.suffix)) > OVERLAY.program_depth
)
FIRST = len(opening(LONG))
"""Of its words after the header and its CRC."""


def stream(program: Program, *batches: int) -> list[int]:
    """The words of batches of so many images."""
    sections = [batch(program, images) for images in batches]
    return np.concatenate([opening(program), *sections]).tolist()


async def taken(ctx, host) -> None:
    """All images have been taken."""
    while host.pixels:
        await ctx.tick()


@pytest.mark.parametrize(("words", "blocks"), [(512, 1), (2048, 2), (16384, 16), (65536, 64)])
def test_words_lie_in_block_rams_with_output_registers(words, blocks):
    """However many there are: without the register a block RAM takes half of a cycle at 100 MHz."""
    store = ProgramStore(replace(OVERLAY, program_words=words, fabric="ecp5"))
    text = to_rtlil(store, "store").text
    assert text.count("cell \\DP16KD ") == blocks
    assert text.count('parameter \\REGMODE_B "OUTREG"') == blocks


@pytest.mark.parametrize("stall", [pytest.param(0.0, marks=pytest.mark.thorough), 0.5])
def test_streamed_stored_streamed(stall):
    """The last batch is short, which its sections say; the next program waits for it."""
    images = [random_images(p, n, n) for p, n in ((LONG, 6), (STORED, 2), (LONG, 4))]

    async def testbench(ctx, host):
        expected = []
        for program, batches, some in (
            (LONG, (4, 2), images[0]),
            (STORED, (), images[1]),
            (LONG, (4,), images[2]),
        ):
            words = stream(program, *batches) if batches else packet(program).tolist()
            host.program(words)
            head = words[: len(words) if program is STORED else FIRST]
            await host.until(Register.PROGRAM, -1, head[-1] << 16 | head[-2], 20_000)
            await host.until(Register.STATUS, PENDING | 0xF, Status.READY)
            host.images(some)
            await taken(ctx, host)
            expected += logits_of(program, some)
        await host.receive(ctx, len(expected))
        assert host.logits == expected
        assert await host.register(Register.FRAMES) == 12
        await host.until(Register.STATUS, BUSY, 0)
        assert await host.register(Register.STATUS) == Status.READY

    Host(OVERLAY, stall=stall).run(testbench)


def test_a_batch_that_lacks_images_is_flushed():
    """All its prefixes come; the words of those without an image do nothing."""
    images = random_images(LONG, 3, 1), random_images(LONG, 4, 2)

    async def testbench(ctx, host):
        host.program(stream(LONG, 4, 4))
        host.images(images[0])
        await taken(ctx, host)
        assert await host.axi.write(4 * Register.CONTROL, FLUSH) == OKAY
        await host.receive(ctx, len(logits_of(LONG, images[0])))
        assert await host.axi.write(4 * Register.CONTROL, 0) == OKAY
        host.images(images[1])
        # What the first batch left in registers and memory is there in the second.
        expected = logits_of(LONG, *images)
        await host.receive(ctx, len(expected))
        assert host.logits == expected

    Host(OVERLAY).run(testbench)


def crafted(prefix, overlay=OVERLAY) -> Program:
    """A program of these words and what belongs around them; it gives one logit."""
    words = [
        isa.pack([isa.Jump(Flow.WAIT_IMAGE), *prefix, isa.Jump(Flow.FREE_IMAGE)]),
        isa.pack([isa.Jump(Flow.OUT, 1)]),
    ]
    ends = [isa.pack([isa.Jump(flow)]) for flow in (Flow.END_PREFIX, Flow.END_SUFFIX)]
    prefix, suffix = (
        np.array(some + end, np.uint16) for some, end in zip(words, ends, strict=True)
    )
    return Program(overlay, prefix, suffix, (1, 1, 1), (0, 0), 1, 1, (1, 1), 1, streamed=True)


def test_what_comes_behind_the_longest_body_is_there_in_time():
    """Two passes, then single words that would be late if none of them had room beside it."""
    words = OVERLAY.streamed_body
    nothing = isa.Jump(Flow.NOP)
    program = crafted(
        [
            isa.Set(isa.Register.OUT_PITCH, isa.pitches(1, 0)),
            isa.Body(words),
            *[nothing] * (words + 300),
        ]
    )
    machine = Machine(program)
    machine.run(np.zeros((1, 1, 1, 1), np.uint8))

    async def testbench(ctx, host):
        host.program(stream(program, 1, 1, 1))
        host.images(np.zeros(3, np.uint8))
        for batches in (1, 2, 3):
            await host.receive(ctx, batches)
            assert await host.register(Register.CYCLES) == machine.cycles

    Host(OVERLAY).run(testbench)


def test_a_body_that_is_too_long_is_damage():
    """No compiler makes it, and the executable model does not take it."""
    program = crafted([isa.Body(300), *[isa.Jump(Flow.NOP)] * 700])

    async def testbench(ctx, host):
        host.program(stream(program, 1))
        host.images([1])
        await host.until(Register.STATUS, 0xF, Status.DAMAGED)
        while host.words:
            await ctx.tick()
        await runs(ctx, host)

    Host(OVERLAY).run(testbench)


async def runs(ctx, host) -> None:
    """A stored program is taken and does what it should; a byte offered already is of its image."""
    host.logits.clear()
    images = random_images(STORED, 2, 3)
    host.program(packet(STORED).tolist())
    await host.until(Register.STATUS, 0xF, Status.READY)
    if host.pixels:
        images.reshape(-1)[0] = host.pixels[0]
    host.pixels[1:] = images.reshape(-1).tolist()[len(host.pixels[:1]) :]
    expected = logits_of(STORED, images)
    await host.receive(ctx, len(expected))
    assert host.logits == expected


@pytest.mark.parametrize("count", [1, pytest.param(6, marks=pytest.mark.thorough)])
def test_sections_that_are_damaged(count):
    """Whatever bit it is: the status tells it, no image is taken any more, a new program runs."""
    rng = np.random.default_rng(count)
    whole = stream(LONG, 4, 1)
    images = random_images(LONG, 8, 1)
    batch_end = len(stream(LONG, 4))
    # Anywhere in the first batch, and its END_SUFFIX.
    places = [*rng.integers(FIRST, batch_end, count).tolist(), batch_end - 3]

    async def testbench(ctx, host):
        for place in places:
            words = list(whole)
            words[place] ^= 1 << int(rng.integers(16))
            host.program(words)
            host.images(images)
            await host.until(Register.STATUS, 0xF, Status.DAMAGED, 20_000)
            while host.words:
                await ctx.tick()
            left = len(host.pixels)
            await ctx.tick().repeat(200)
            assert len(host.pixels) == left
            assert await host.register(Register.STATUS) == Status.DAMAGED
            del host.pixels[1:]
            await runs(ctx, host)

    Host(OVERLAY).run(testbench)


def test_a_new_program_after_damage_needs_no_reset():
    """Part of an image is inside: it is lost, and the next program's begins anew."""
    image = random_images(LONG, 1, 1)
    assert image.size > 1
    words = stream(LONG, 1)
    words[FIRST + len(LONG.prefix)] ^= 1

    async def testbench(ctx, host):
        host.program(words)
        host.images([*np.ravel(image), *np.ravel(image)[:1]])
        await taken(ctx, host)
        await host.until(Register.STATUS, 0xF, Status.DAMAGED, 20_000)
        assert not host.logits
        await runs(ctx, host)

    Host(OVERLAY).run(testbench)


ENDS = {
    "within the header": lambda words: words[:9],
    "behind the header": lambda words: words[:FIRST],
    "with the header's CRC": lambda words: words[: FIRST - 1],
    "within a section": lambda words: words[: FIRST + 100],
    "behind a prefix": lambda words: words[: FIRST + len(LONG.prefix) + 2],
    "with a prefix's CRC": lambda words: words[: FIRST + len(LONG.prefix) + 1],
    "within a suffix": lambda words: words[:-9],
    "with a suffix's CRC": lambda words: words[:-1],
}


def test_packets_that_end_where_no_program_does():
    images = random_images(LONG, 4, 1)

    async def testbench(ctx, host):
        for name, cut in ENDS.items():
            host.program(cut(stream(LONG, 4)))
            host.images(images)
            while host.words:
                await ctx.tick()
            await ctx.tick().repeat(9)
            assert await host.register(Register.STATUS) & 0xF == Status.DAMAGED, name
            host.resetting = True
            assert await host.axi.write(4 * Register.CONTROL, RESET) == OKAY
            host.pixels.clear()
            await ctx.tick().repeat(5)
            assert await host.axi.write(4 * Register.CONTROL, 0) == OKAY
            host.resetting = False
            host.logits.clear()
        await runs(ctx, host)

    Host(OVERLAY).run(testbench)


def test_a_header_that_is_damaged_begins_nothing():
    words = stream(LONG, 4)
    words[FIELDS.index("image_step")] ^= 1

    async def testbench(ctx, host):
        host.program(words)
        host.images([1])
        while host.words:
            await ctx.tick()
        await ctx.tick().repeat(9)
        assert await host.register(Register.STATUS) == Status.DAMAGED
        assert host.pixels

    Host(OVERLAY).run(testbench)
