"""An overlay behind its serial link: a program, images, logits; a bad program, a break."""

import numpy as np
import pytest
from amaranth import Module, ResetInserter
from amaranth.sim import Simulator

from hw.board import uart
from hw.board.overlay_link import OverlayLink
from hw.ir import reference
from hw.ir.graph import Conv, GlobalPool, Graph, Input, Linear
from hw.networks.random_network import random_network
from hw.overlay.hardware import Overlay
from hw.overlay.header import CRC_WORDS, FIELDS, Status
from hw.overlay.programming import program_for
from hw.overlay.rtl.top import Top

DIVISOR = 4
BYTE = 10 * DIVISOR
HARDWARE = Overlay(
    rows=2, columns=2, words=64, program_words=512, corner=2, acc_bits=17, fabric="generic"
)
GRAPH = Graph(
    (
        Input(name="input", inputs=(), shape=(3, 2, 1)),
        Conv(name="conv", inputs=("input",), shape=(3, 2, 2), kernel=(1, 1)),
        GlobalPool(name="pool", inputs=("conv",), shape=(1, 1, 2)),
        Linear(name="classifier", inputs=("pool",), shape=(1, 1, 3)),
    )
)


@pytest.fixture(scope="module")
def network():
    return random_network(GRAPH, seed=3)


@pytest.fixture(scope="module")
def packet(network):
    return program_for(network, HARDWARE).packet


def run(script):
    """What comes from the overlay's board while `script` acts on its serial line."""
    m = Module()
    m.submodules.link = link = OverlayLink(DIVISOR, logit_bytes=4)
    m.submodules.top = ResetInserter(link.reset)(top := Top(HARDWARE))
    for name, value in link.core_ports().items():
        port = getattr(top, name[2:])
        m.d.comb += port.eq(value) if name.startswith("i_") else value.eq(port)
    received = bytearray()

    async def receive(ctx):
        while True:
            await ctx.negedge(link.tx)
            await ctx.tick().repeat(DIVISOR // 2)
            byte = 0
            for n in range(8):
                await ctx.tick().repeat(DIVISOR)
                byte |= ctx.get(link.tx) << n
            received.append(byte)

    class Line:
        """The host's end."""

        def __init__(self, ctx):
            self.ctx = ctx

        async def send(self, data):
            for byte in data:
                for bit in (0, *((byte >> n) & 1 for n in range(8)), 1):
                    self.ctx.set(link.rx, bit)
                    await self.ctx.tick().repeat(DIVISOR)

        async def send_break(self):
            self.ctx.set(link.rx, 0)
            await self.ctx.tick().repeat(DIVISOR * (uart.BREAK_BITS + 2))
            self.ctx.set(link.rx, 1)
            await self.ctx.tick().repeat(DIVISOR * 2)

        async def answer(self, count):
            """The next bytes that come."""
            for _ in range(400):
                if len(received) >= count:
                    break
                await self.ctx.tick().repeat(BYTE)
            found = bytes(received[:count])
            del received[:count]
            return found

    async def host(ctx):
        ctx.set(link.rx, 1)
        await ctx.tick().repeat(DIVISOR * 4)
        await script(Line(ctx))

    sim = Simulator(m)
    sim.add_clock(1e-6)
    sim.add_testbench(host)
    sim.add_testbench(receive, background=True)
    sim.run()
    assert not received


def logits(network, image):
    found = reference.logits(network, image[None])[0]
    return b"".join(int(value).to_bytes(4, "little", signed=True) for value in found)


@pytest.mark.slow
def test_programs_and_images(network, packet):
    images = np.random.default_rng(1).integers(0, 256, (3, 3, 2, 1), dtype=np.uint8)
    # Two words of program, its CRC missing: what comes next is taken for it.
    short = bytearray(packet[: 2 * (len(FIELDS) + 2 + CRC_WORDS)])
    short[2 * FIELDS.index("length_low")] = 2
    short[2 * FIELDS.index("length_low") + 1] = 0

    async def script(line):
        await line.send(packet[:33])
        await line.send_break()
        await line.send(short)
        assert await line.answer(1) == bytes([Status.DAMAGED])
        await line.send(packet)
        assert await line.answer(1) == bytes([Status.READY])
        # Two at once, though a batch is of more; then one in whose middle the line breaks.
        await line.send(images[0].tobytes() + images[1].tobytes())
        assert await line.answer(12) == logits(network, images[0])
        assert await line.answer(12) == logits(network, images[1])
        await line.send(images[2].tobytes()[:4])
        await line.send_break()
        await line.send(short)
        assert await line.answer(1) == bytes([Status.DAMAGED])

    run(script)
