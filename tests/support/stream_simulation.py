"""Amaranth-simulator helpers for tests: feed streams, collect the output, under random stalls;
read and write through an AXI4-Lite port.
"""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence

from amaranth.lib import wiring
from amaranth.sim import Simulator, SimulatorContext


def run_streams(
    component: wiring.Component,
    inputs: Mapping[str, Sequence[int]],
    count: int,
    *,
    stall: float = 0.0,
    seed: int = 0,
    limit: int = 200_000,
    before: Callable[[SimulatorContext], Awaitable[None]] | None = None,
) -> tuple[list[int], int]:
    """The first `count` beats of output `o` and the cycle the last one left.

    `inputs` has the beats of each input port; `stall` is the chance that a source or the sink
    pauses in a cycle. `before` is awaited before the streams begin. Raises TimeoutError after
    `limit` cycles, AssertionError where `valid` drops or a payload changes before it is taken.
    """
    out: list[int] = []
    now = [0]
    begun = [before is None]

    def source(port: str, beats: Sequence[int]):
        rng = random.Random(f"{seed}/{port}")
        interface = getattr(component, port)

        async def process(ctx):
            while not begun[0]:
                await ctx.tick()
            for beat in beats:
                while rng.random() < stall:
                    await ctx.tick()
                ctx.set(interface.payload, beat)
                ctx.set(interface.valid, 1)
                await ctx.tick().until(interface.ready)
                ctx.set(interface.valid, 0)

        return process

    async def sink(ctx):
        rng = random.Random(f"{seed}/o")
        held = None
        if before is not None:
            await before(ctx)
            begun[0] = True
        while len(out) < count:
            ready = rng.random() >= stall
            ctx.set(component.o.ready, ready)
            _, _, valid, payload = await ctx.tick().sample(component.o.valid, component.o.payload)
            now[0] += 1
            if held is not None:
                assert valid and payload == held, "valid dropped or payload changed before taken"
            held = payload if valid and not ready else None
            if valid and ready:
                out.append(payload)
            if now[0] >= limit:
                raise TimeoutError(f"{len(out)} of {count} beats after {limit} cycles")

    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    for port, beats in inputs.items():
        simulator.add_testbench(source(port, beats), background=True)
    simulator.add_testbench(sink)
    simulator.run()
    return out, now[0]


class AxiLite:
    """Master of the port `s_axil_*` of a component in Amaranth's simulator.

    Its answers are (value, response) and response. With `slow` it takes answers late and sends
    address and data of a write apart, as `random` has it. Raises TimeoutError after `limit` cycles
    without an answer.
    """

    def __init__(self, ctx, component, *, slow: float = 0.0, seed: int = 0, limit: int = 1000):
        self.ctx, self.component, self.slow, self.limit = ctx, component, slow, limit
        self.rng = random.Random(seed)

    def port(self, name: str):
        return getattr(self.component, f"s_axil_{name}")

    async def write(self, address: int, value: int, strobe: int = 15) -> int:
        """Write 32 bits; the response."""
        ctx = self.ctx
        ctx.set(self.port("awaddr"), address)
        ctx.set(self.port("wdata"), value)
        ctx.set(self.port("wstrb"), strobe)
        first, second = self.rng.sample(["awvalid", "wvalid"], 2)
        ctx.set(self.port(first), 1)
        await self.pause()
        ctx.set(self.port(second), 1)
        await self._until("awready")
        ctx.set(self.port("awvalid"), 0)
        ctx.set(self.port("wvalid"), 0)
        (response,) = await self._answer("b", "bresp")
        return response

    async def read(self, address: int) -> tuple[int, int]:
        """Read 32 bits: value and response."""
        self.ctx.set(self.port("araddr"), address)
        self.ctx.set(self.port("arvalid"), 1)
        await self._until("arready")
        self.ctx.set(self.port("arvalid"), 0)
        value, response = await self._answer("r", "rdata", "rresp")
        return value, response

    async def pause(self) -> None:
        while self.rng.random() < self.slow:
            await self.ctx.tick()

    async def _answer(self, channel: str, *names: str) -> tuple[int, ...]:
        await self.pause()
        self.ctx.set(self.port(f"{channel}ready"), 1)
        values = await self._until(f"{channel}valid", *names)
        self.ctx.set(self.port(f"{channel}ready"), 0)
        return values

    async def _until(self, name: str, *sampled: str) -> tuple[int, ...]:
        for _ in range(self.limit):
            ports = [self.port(one) for one in (name, *sampled)]
            _, _, there, *values = await self.ctx.tick().sample(*ports)
            if there:
                return tuple(values)
        raise TimeoutError(f"s_axil: no {name} in {self.limit} cycles")
