import re

import pytest
from amaranth.sim import Simulator

from hw.board import boards, uart
from hw.board import top as board_top
from hw.board.network_link import NetworkLink
from hw.board.overlay_link import OverlayLink

DIVISOR = 4
FRAME, LOGIT = 5, 3


class Host:
    """The far end of the serial line, and a network that answers each frame with two logits."""

    def __init__(self, frame: int = FRAME):
        self.frame = frame
        self.link = NetworkLink(DIVISOR, frame, LOGIT)
        self.received: list[int] = []
        self.images: list[int] = []
        self.busy = False

    async def rest(self, ctx):
        ctx.set(self.link.rx, 1)

    async def send(self, ctx, data):
        for byte in data:
            for bit in (0, *((byte >> n) & 1 for n in range(8)), 1):
                ctx.set(self.link.rx, bit)
                await ctx.tick().repeat(DIVISOR)

    async def send_break(self, ctx):
        ctx.set(self.link.rx, 0)
        await ctx.tick().repeat(DIVISOR * (uart.BREAK_BITS + 2))
        ctx.set(self.link.rx, 1)
        await ctx.tick().repeat(DIVISOR * 2)

    async def receive(self, ctx):
        while True:
            await ctx.negedge(self.link.tx)
            await ctx.tick().repeat(DIVISOR // 2)
            byte = 0
            for n in range(8):
                await ctx.tick().repeat(DIVISOR)
                byte |= ctx.get(self.link.tx) << n
            self.received.append(byte)

    async def network(self, ctx):
        image, logits = self.link.image, self.link.logits
        while True:
            frame = []
            while len(frame) < self.frame:
                ctx.set(image.ready, not self.busy)
                _, _, valid, byte, reset = await ctx.tick().sample(
                    image.valid, image.payload, self.link.reset
                )
                if reset:
                    frame = []
                elif valid and ctx.get(image.ready):
                    frame.append(byte)
            ctx.set(image.ready, 0)
            self.images.append(bytes(frame))
            for logit in (sum(frame), 0xABCDEF):
                ctx.set(logits.payload, logit)
                ctx.set(logits.valid, 1)
                await ctx.tick().until(logits.ready)
                ctx.set(logits.valid, 0)

    def run(self, script):
        sim = Simulator(self.link)
        sim.add_clock(1e-6)
        sim.add_testbench(self.rest)
        sim.add_testbench(script)
        sim.add_testbench(self.receive, background=True)
        sim.add_testbench(self.network, background=True)
        sim.run()


def answer(frame):
    return [*sum(frame).to_bytes(LOGIT, "little"), 0xEF, 0xCD, 0xAB]


def test_images_of_one_byte():
    """A FIFO that holds an image whole has a depth of two at least."""
    host = Host(frame=1)

    async def script(ctx):
        for byte in (7, 200):
            await host.send(ctx, [byte])
            await ctx.tick().repeat(DIVISOR * 10 * (2 * LOGIT + 1))

    host.run(script)
    assert host.images == [b"\x07", b"\xc8"]
    assert host.received == [*answer([7]), *answer([200])]


def test_frames_go_in_and_logits_come_out():
    host = Host()
    frames = [bytes([1, 2, 3, 4, 5]), bytes([255, 250, 0, 7, 9])]

    async def script(ctx):
        for frame in frames:
            await host.send(ctx, frame)
        await ctx.tick().repeat(DIVISOR * 150)

    host.run(script)
    assert host.images == frames
    assert host.received == [byte for frame in frames for byte in answer(frame)]


def test_break_throws_away_half_a_frame():
    host = Host()
    frame = bytes([9, 8, 7, 6, 5])

    async def script(ctx):
        await host.send(ctx, frame[:3])
        await host.send_break(ctx)
        await host.send(ctx, frame)
        await ctx.tick().repeat(DIVISOR * 100)

    host.run(script)
    assert host.images == [frame]
    assert host.received == answer(frame)


def test_break_empties_the_fifo():
    host = Host()
    host.busy = True
    frame = bytes([10, 20, 30, 40, 50])

    async def script(ctx):
        await host.send(ctx, b"\x01\x02\x03")
        await host.send_break(ctx)
        host.busy = False
        await host.send(ctx, frame)
        await ctx.tick().repeat(DIVISOR * 100)

    host.run(script)
    assert host.images == [frame]


LINKS = {
    "network": lambda divisor: NetworkLink(divisor, frame_bytes=16, logit_bytes=3),
    "overlay": lambda divisor: OverlayLink(divisor, logit_bytes=4),
}


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
@pytest.mark.parametrize("entry", boards.BOARDS.values(), ids=lambda entry: entry.name)
def test_every_board_has_a_build_plan(entry, link):
    top = board_top.BoardTop("net", link, clock_mhz=50.0)
    made = entry.platform().build(top, name="board", do_build=False, emit_src=False)
    assert re.search(r"cell \\net \\core", made.files["board.il"])
    assert "EHXPLLL" in made.files["board.il"]
    pins = re.findall(r'LOCATE COMP "(\w+)" SITE', made.files["board.lpf"])
    assert sorted(pin.split("_")[0].rstrip("0123456789") for pin in pins) == ["clk", "uart", "uart"]
    assert f'FREQUENCY PORT "{pins[0]}" {entry.clock_mhz * 1e6} HZ' in made.files["board.lpf"]
