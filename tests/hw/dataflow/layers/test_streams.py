"""Fork, register slice and FIFO keep every beat, in order, and hold exactly what they promise."""

import random

import pytest
from amaranth import signed
from amaranth.sim import Simulator
from stream_simulation import run_streams

from hw.dataflow.layers.streams import LUT_RAM_DEPTH, Fifo, Fork, Skid

DEPTHS = [2, 3, LUT_RAM_DEPTH, LUT_RAM_DEPTH + 1, 100]


@pytest.mark.parametrize("stall", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("depth", DEPTHS)
def test_fifo_keeps_every_beat_in_order(depth, stall):
    rng = random.Random(depth)
    beats = [rng.randrange(-128, 128) for _ in range(150)]
    out, cycles = run_streams(Fifo(signed(8), depth), {"i": beats}, 150, stall=stall, seed=depth)
    assert out == beats
    if not stall and depth > 2:
        assert cycles <= 153


@pytest.mark.parametrize("depth", DEPTHS)
def test_fifo_holds_its_depth_and_not_one_more(depth):
    fifo, taken = Fifo(signed(8), depth), 0

    async def fill(ctx):
        nonlocal taken
        ctx.set(fifo.i.valid, 1)
        for _ in range(depth + 20):
            _, _, ready = await ctx.tick().sample(fifo.i.ready)
            taken += ready

    simulator = Simulator(fifo)
    simulator.add_clock(1e-6)
    simulator.add_testbench(fill)
    simulator.run()
    assert taken == depth


@pytest.mark.parametrize("stall", [0.0, 0.3, 0.8])
def test_skid_keeps_every_beat_in_order(stall):
    rng = random.Random(5)
    beats = [rng.randrange(-128, 128) for _ in range(200)]
    out, cycles = run_streams(Skid(signed(8)), {"i": beats}, 200, stall=stall, seed=5)
    assert out == beats
    if not stall:
        assert cycles == 201


def test_skid_at_full_speed_by_hand():
    """Latency 1; `ready` and `valid` follow only at the clock edge; two places, not three."""
    skid = Skid(signed(8))

    async def steps(ctx):
        def outputs():
            o = skid.o
            return ctx.get(skid.i.ready), ctx.get(o.valid), ctx.get(o.payload)

        assert outputs() == (1, 0, 0)
        ctx.set(skid.i.valid, 1)
        for beat in (11, 12, 13):
            ctx.set(skid.i.payload, beat)
            await ctx.tick()
        # 11 stands at the output, 12 in the spare register, 13 waits outside.
        assert outputs() == (0, 1, 11)
        ctx.set(skid.o.ready, 1)
        assert outputs() == (0, 1, 11)
        await ctx.tick()
        assert outputs() == (1, 1, 12)
        await ctx.tick()
        assert outputs() == (1, 1, 13)
        ctx.set(skid.i.valid, 0)
        assert outputs() == (1, 1, 13)
        await ctx.tick()
        assert outputs()[:2] == (1, 0)

    simulator = Simulator(skid)
    simulator.add_clock(1e-6)
    simulator.add_testbench(steps)
    simulator.run()


@pytest.mark.parametrize("seed", range(3))
def test_fork_gives_each_reader_every_beat_once(seed):
    fork, branches, beats = Fork(signed(8), 3), 3, list(range(-30, 30))
    seen: list[list[int]] = [[] for _ in range(branches)]

    async def source(ctx):
        rng = random.Random(f"{seed}/source")
        for beat in beats:
            while rng.random() < 0.3:
                await ctx.tick()
            ctx.set(fork.i.payload, beat)
            ctx.set(fork.i.valid, 1)
            await ctx.tick().until(fork.i.ready)
            ctx.set(fork.i.valid, 0)

    def reader(k):
        async def read(ctx):
            rng = random.Random(f"{seed}/{k}")
            o = getattr(fork, f"o{k}")
            for _ in range(2000):
                ready = rng.random() < 0.2 + 0.3 * k
                ctx.set(o.ready, ready)
                _, _, valid, payload = await ctx.tick().sample(o.valid, o.payload)
                if valid and ready:
                    seen[k].append(payload)

        return read

    simulator = Simulator(fork)
    simulator.add_clock(1e-6)
    simulator.add_testbench(source, background=True)
    for k in range(branches):
        simulator.add_testbench(reader(k))
    simulator.run()
    assert seen == [beats] * branches
