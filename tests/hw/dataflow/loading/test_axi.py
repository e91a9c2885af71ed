"""The AXI4-Lite port of a whole loadable network, in Amaranth's simulator."""

from dataclasses import replace

import numpy as np
import pytest
from loadable_cases import (
    CONTROL,
    IDENTITY,
    MAP,
    NETWORK,
    STATUS,
    loadable,
    other_weights,
    simulate,
    wider,
)
from stream_simulation import AxiLite

from hw.axi_lite import OKAY, SLVERR
from hw.dataflow.design.design import design
from hw.dataflow.loading import image
from hw.dataflow.loading.addresses import address_map
from hw.dataflow.loading.axi import IDENTITY as SNAS
from hw.dataflow.loading.axi import VERSION
from hw.dataflow.plan import as_dict
from hw.dataflow.top import Top
from hw.ir import reference


@pytest.fixture(scope="module")
def hardware(network, plan):
    """A loadable network, its plan with a few wide words, the manifest's part for images."""
    plan = wider(loadable(network, plan), scale=(-7, 3), bias=20)
    layers = {**plan.layers, "stem/conv": replace(plan.layers["stem/conv"], pe=2)}
    plan = replace(plan, layers=layers)
    described = image.describe(design(network, plan))
    manifest = {"plan": as_dict(plan), "load": described, "network_digest": network.digest}
    return network, plan, manifest


async def frames(ctx, top, network, count: int, seed: int = 1, give_up: int = 0) -> None:
    """Images through the network, compared with the reference; with `give_up` only some cycles."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, *network.graph.input.shape), dtype=np.uint8)
    want = reference.run(network, images)[network.graph.output.name].reshape(-1).tolist()
    sent, got, cycles = 0, [], 0
    flat = images.reshape(-1).tolist()
    width = len(top.m_axis_tdata)
    ctx.set(top.m_axis_tready, 1)
    while len(got) < len(want) and cycles < (give_up or 20_000):
        ctx.set(top.s_axis_tvalid, sent < len(flat))
        ctx.set(top.s_axis_tdata, flat[min(sent, len(flat) - 1)])
        taken, valid, value = (
            ctx.get(top.s_axis_tready & top.s_axis_tvalid),
            ctx.get(top.m_axis_tvalid),
            ctx.get(top.m_axis_tdata),
        )
        await ctx.tick()
        sent, cycles = sent + taken, cycles + 1
        if valid:
            got.append(value - (value >> width - 1 << width))
    ctx.set(top.s_axis_tvalid, 0)
    ctx.set(top.m_axis_tready, 0)
    assert got == want[: len(got)]
    assert give_up or len(got) == len(want)


def digest_words(digest: str) -> list[int]:
    return [int(digest[:8], 16), int(digest[8:16], 16)]


@pytest.mark.slow
def test_load_read_back_run_and_load_the_first_weights_again(hardware):
    network, plan, manifest = hardware
    other = other_weights(network, 3)
    images = {one.digest: image.make(one, manifest) for one in (network, other)}
    top = Top(design(network, plan))

    async def testbench(ctx):
        axi = AxiLite(ctx, top, slow=0.2)

        async def registers(address):
            return [(await axi.read(address + 4 * k))[0] for k in range(2)]

        assert await axi.read(IDENTITY) == (SNAS, OKAY)
        assert await axi.read(IDENTITY + 4) == (VERSION, OKAY)
        assert await registers(MAP) == digest_words(manifest["load"]["map_digest"])
        assert await registers(NETWORK) == digest_words(network.digest)
        await frames(ctx, top, network, 1)
        for now in (other, network):
            writes = images[now.digest].writes
            assert await axi.write(CONTROL, 1) == OKAY
            assert await axi.read(STATUS) == (1, OKAY)
            for address, value in writes:
                assert await axi.write(address, value) == OKAY, hex(address)
            for address, value in writes:
                assert await axi.read(address) == (value, OKAY), hex(address)
            assert await axi.write(CONTROL, 0) == OKAY
            assert await registers(NETWORK) == digest_words(now.digest)
            await frames(ctx, top, now, 2)
            assert await axi.read(STATUS) == (0, OKAY)

    simulate(top, testbench)


def test_writing_takes_the_cycles_that_the_image_tells(hardware):
    """By a master that never waits: every address and datum is there when the port is."""
    network, plan, manifest = hardware
    made = image.make(network, manifest)
    top = Top(design(network, plan))

    async def testbench(ctx):
        assert await AxiLite(ctx, top).write(CONTROL, 1) == OKAY
        for _ in range(manifest["load"]["hops"] + 3):
            await ctx.tick()
        sent, answered, cycles = 0, 0, 0
        ctx.set(top.s_axil_wstrb, 15)
        ctx.set(top.s_axil_bready, 1)
        while answered < len(made.writes):
            more = sent < len(made.writes)
            address, value = made.writes[min(sent, len(made.writes) - 1)]
            ctx.set(top.s_axil_awaddr, address)
            ctx.set(top.s_axil_wdata, value)
            ctx.set(top.s_axil_awvalid, more)
            ctx.set(top.s_axil_wvalid, more)
            sent += more and ctx.get(top.s_axil_awready & top.s_axil_wready)
            if ctx.get(top.s_axil_bvalid):
                assert ctx.get(top.s_axil_bresp) == OKAY
                answered += 1
            await ctx.tick()
            cycles += 1
        assert cycles == made.summary["cycles"]

    simulate(top, testbench)


def test_refusals(hardware):
    network, plan, _ = hardware
    top = Top(design(network, plan))
    regions = address_map(design(network, plan))
    wide = next(one for layer in regions.values() for one in layer if one.lanes == 3)
    narrow = regions["stem/conv"][0]
    assert wide.stride == 4

    async def testbench(ctx):
        axi = AxiLite(ctx, top)
        first = 4 * narrow.base
        # Not halted: the network runs on, the memory stays as it is.
        assert await axi.write(first, 7) == SLVERR
        assert await axi.read(first) == (0, SLVERR)
        assert await axi.write(NETWORK, 7) == SLVERR
        await frames(ctx, top, network, 1)
        await axi.write(CONTROL, 1)
        assert await axi.write(first, 0x55) == OKAY
        for address in (
            first + 4 * narrow.words,  # behind the last word
            4 * wide.base + 12,  # behind the word's last part
            20,  # an address between registers: part of the map's digest, not to be written
            4 * 8,  # no register
            first + 1,  # not a multiple of 4
        ):
            assert await axi.write(address, 1) == SLVERR, address
        assert (await axi.read(4 * wide.base + 12))[1] == SLVERR
        assert (await axi.read((1 << len(top.s_axil_araddr)) - 4))[1] == SLVERR
        assert await axi.write(first, 0xFF, strobe=7) == SLVERR
        assert await axi.write(IDENTITY, 1) == SLVERR
        assert await axi.read(first) == (0x55, OKAY)

    simulate(top, testbench)


def test_halting_in_mid_frame_drops_the_frame_and_nothing_else(hardware):
    network, plan, manifest = hardware
    top = Top(design(network, plan))

    async def testbench(ctx):
        axi = AxiLite(ctx, top)
        await ctx.tick().repeat(manifest["load"]["hops"] + 2)
        for cycles in (5, 90, 333):
            await frames(ctx, top, network, 2, give_up=cycles)
            assert await axi.read(STATUS) == (2, OKAY)
            await axi.write(CONTROL, 1)
            assert await axi.read(STATUS) == (1, OKAY)
            # Held: nothing is taken, nothing is given.
            ctx.set(top.s_axis_tvalid, 1)
            ctx.set(top.m_axis_tready, 1)
            for _ in range(5):
                await ctx.tick()
                assert not ctx.get(top.s_axis_tready) and not ctx.get(top.m_axis_tvalid)
            ctx.set(top.s_axis_tvalid, 0)
            await axi.write(CONTROL, 0)
            while await axi.read(STATUS) != (0, OKAY):
                pass
            await frames(ctx, top, network, 1, seed=cycles)

    simulate(top, testbench)


def test_readers_and_writers_take_turns(hardware):
    """A master that reads and writes without a pause on both channels gets answers on both."""
    network, plan, _ = hardware
    top = Top(design(network, plan))

    async def testbench(ctx):
        for name in ("awvalid", "wvalid", "bready", "arvalid", "rready"):
            ctx.set(getattr(top, f"s_axil_{name}"), 1)
        answers = {"b": 0, "r": 0}
        for _ in range(60):
            await ctx.tick()
            for channel in answers:
                answers[channel] += ctx.get(getattr(top, f"s_axil_{channel}valid"))
        assert min(answers.values()) >= 8

    simulate(top, testbench)
