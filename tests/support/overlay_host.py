"""What drives an overlay behind its buses, in Amaranth's simulator."""

import random

import numpy as np
from amaranth.sim import Simulator
from stream_simulation import AxiLite

from hw.axi_lite import OKAY
from hw.overlay import isa
from hw.overlay.hardware import Overlay
from hw.overlay.model import Machine
from hw.overlay.registers import Register
from hw.overlay.rtl.top import Top


def logits_of(program, *several) -> list[tuple[int, int]]:
    """What leaves: (value, tlast), an output's images in turn; of arrays of images one after the
    other, each of which begins a batch.
    """
    machine, beats = Machine(program), []
    size = program.images
    batches = (one[n : n + size] for one in several for n in range(0, len(one), size))
    for images in batches:
        found = machine.run(images)
        for column in range(program.logits):
            last = int(column == program.logits - 1)
            beats += [(int(value), last) for value in found[:, column]]
    return beats


class Host:
    """A source and a sink of each stream, the registers' master.

    Members
    -------
    words, pixels: to be sent, front first; `None` ends a packet of words with the one before
    logits: what has come, (value, tlast)
    """

    def __init__(self, overlay: Overlay, stall: float = 0.0, seed: int = 0):
        self.dut = Top(overlay)
        self.stall = stall
        self.seed = seed
        self.words: list[tuple[int, int]] = []
        self.pixels: list[int] = []
        self.logits: list[tuple[int, int]] = []

    def program(self, words) -> None:
        self.words += [(word, int(k == len(words) - 1)) for k, word in enumerate(words)]

    def images(self, images) -> None:
        self.pixels += np.ravel(images).tolist()

    def run(self, testbench) -> None:
        simulator = Simulator(self.dut)
        simulator.add_clock(1e-6)
        simulator.add_process(self._program)
        simulator.add_process(self._images)
        simulator.add_process(self._logits)

        async def process(ctx):
            self.axi = AxiLite(ctx, self.dut, slow=self.stall, seed=self.seed)
            await testbench(ctx, self)

        simulator.add_testbench(process)
        simulator.run()

    async def register(self, register: Register) -> int:
        value, response = await self.axi.read(4 * register)
        assert response == OKAY
        return value

    async def until(self, register: Register, mask: int, value: int, limit: int = 2000) -> None:
        for _ in range(limit):
            if await self.register(register) & mask == value:
                return
        raise TimeoutError(f"{register.name} & {mask:x} is not {value:x}")

    async def receive(self, ctx, count: int, limit: int = 20_000) -> None:
        for _ in range(limit):
            if len(self.logits) >= count:
                break
            await ctx.tick()
        assert len(self.logits) == count

    async def _source(self, ctx, prefix, items, show) -> None:
        """A beat is offered until it is taken; a reset takes offers back."""
        rng = random.Random(f"{self.seed}/{prefix}")
        valid, ready = (getattr(self.dut, f"{prefix}_{name}") for name in ("tvalid", "tready"))
        offered = False
        async for _, _, taken in ctx.tick().sample(ready):
            if offered and taken:
                items.pop(0)
                offered = False
            offered = bool(items) and (offered or rng.random() >= self.stall)
            ctx.set(valid, offered)
            if offered:
                show(ctx, items[0])

    async def _program(self, ctx):
        def show(ctx, item):
            ctx.set(self.dut.s_axis_program_tdata, item[0])
            ctx.set(self.dut.s_axis_program_tlast, item[1])

        await self._source(ctx, "s_axis_program", self.words, show)

    async def _images(self, ctx):
        def show(ctx, item):
            ctx.set(self.dut.s_axis_tdata, item)

        await self._source(ctx, "s_axis", self.pixels, show)

    async def _logits(self, ctx):
        rng = random.Random(f"{self.seed}/logits")
        dut, held = self.dut, None
        bits = len(dut.m_axis_tdata)
        ready = 0
        ports = dut.m_axis_tvalid, dut.m_axis_tdata, dut.m_axis_tlast
        async for _, _, valid, value, last in ctx.tick().sample(*ports):
            assert held is None or (valid and held == (value, last)) or self.resetting
            if valid and ready:
                self.logits.append((isa.signed(value, bits), last))
            held = (value, last) if valid and not ready else None
            ready = int(rng.random() >= self.stall)
            ctx.set(dut.m_axis_tready, ready)

    resetting = False
