"""Amaranth-simulator helpers for tests: feed streams, collect the output, under random stalls."""

import random
from collections.abc import Mapping, Sequence

from amaranth import *
from amaranth.lib import wiring
from amaranth.sim import Simulator


def run_streams(
    component: wiring.Component,
    inputs: Mapping[str, Sequence[int]],
    count: int,
    *,
    stall: float = 0.0,
    seed: int = 0,
    limit: int = 200_000,
) -> tuple[list[int], int]:
    """The first `count` beats of output `o` and the cycle the last one left.

    `inputs` has the beats of each input port; `stall` is the chance that a source or the sink
    pauses in a cycle. Raises TimeoutError after `limit` cycles, AssertionError where `valid` drops
    or a payload changes before it is taken.
    """
    out: list[int] = []
    now = [0]

    def source(port: str, beats: Sequence[int]):
        rng = random.Random(f"{seed}/{port}")
        interface = getattr(component, port)

        async def process(ctx):
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
