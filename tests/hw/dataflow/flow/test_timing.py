"""Timing of the layers against Amaranth's simulator, and of a whole small network."""

from math import prod

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.board.boards import device
from hw.dataflow import cost
from hw.dataflow.design.design import design, engine_design
from hw.dataflow.design.geometry import Geometry, store_of
from hw.dataflow.flow import contract as flow
from hw.dataflow.flow.timing import engine_timing
from hw.dataflow.layers.component import component
from hw.dataflow.plan import LayerPlan
from hw.dataflow.planner import propose
from hw.dataflow.top import Top
from hw.networks import space
from hw.networks.cells import build
from hw.networks.random_network import random_network


@pytest.fixture(scope="module")
def small():
    """Three cells with a pool, an average, a dilated convolution, a skip and both reductions."""
    genotype = space.Genotype(
        normal=(("dil_conv_3x3", 0), ("skip_connect", 1), ("avg_pool_3x3", 2), ("max_pool_3x3", 1)),
        normal_concat=(2, 3),
        reduce=(("skip_connect", 0), ("max_pool_3x3", 1), ("skip_connect", 2), ("sep_conv_3x3", 1)),
        reduce_concat=(2, 3),
    )
    graph = build(genotype, channels=2, cells=3, image=(4, 4, 1), classes=3, stem="cifar")
    return random_network(graph, seed=3)


def engine_beats(network, name, choice: LayerPlan, pixels: int) -> tuple[int, list[int]]:
    """The cycle a lone engine's input is complete to start, and those its first beats appear in.

    All input is offered as fast as it is taken, all output taken at once.
    """
    node = network.graph[name]
    dut = component(engine_design(network, node, choice), {})
    contract = flow.process(network.graph, name)
    taken, appeared, now = [], [], [0]
    count = pixels * contract.group

    async def source(ctx):
        ctx.set(dut.i.valid, 1)
        while len(appeared) < count:
            _, _, ready = await ctx.tick().sample(dut.i.ready)
            if ready:
                taken.append(now[0])

    async def sink(ctx):
        ctx.set(dut.o.ready, 1)
        while len(appeared) < count and now[0] < 20_000:
            _, _, valid = await ctx.tick().sample(dut.o.valid)
            if valid:
                appeared.append(now[0])
            now[0] += 1

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(source, background=True)
    simulator.add_testbench(sink)
    simulator.run()
    return taken[int(contract.need[0][0]) - 1] + 1, appeared


CHOICES = {
    "stem/conv": [("barrel", 1), ("barrel", 2), ("barrel", 3), ("horner", 1)],
    "cell1/preprocess0": [("barrel", 1), ("barrel", 4)],
    "cell0/edge0_dil_conv_3x3/dw": [("barrel", 1), ("horner", 1)],
    "cell0/edge0_dil_conv_3x3/pw": [("barrel", 1), ("barrel", 2)],
    "cell1/edge0_skip_connect/reduce": [("barrel", 1), ("barrel", 2)],
    "cell0/edge2_avg_pool_3x3/pool": [("pool", 1)],
    "cell0/edge3_max_pool_3x3/pool": [("pool", 1)],
    "classifier": [("barrel", 1), ("barrel", 3)],
}


@pytest.mark.parametrize(
    ("name", "element", "pe"), [(n, *how) for n, hows in CHOICES.items() for how in hows]
)
def test_engines_keep_their_time(small, name, element, pe):
    """The first pixel's beats come when predicted, or sooner; the pace is exact."""
    node = small.graph[name]
    least = store_of(Geometry.of(small.graph, node).span)
    # A store that holds whole frames: nothing waits for input once it runs.
    choice = LayerPlan(element, pe, least * 16)
    timing = engine_timing(engine_design(small, node, choice))
    pixels = 6
    start, appeared = engine_beats(small, name, choice, pixels)
    beats = np.array(appeared).reshape(pixels, -1)
    assert (beats[0] - start <= np.array(timing.offsets)).all()
    assert beats[0][0] - start >= timing.offsets[0] - 1
    contract = flow.process(small.graph, name)
    # The input comes a beat a cycle, which may be slower than the engine.
    slowest = max(timing.interval, contract.in_beats[0] // contract.groups)
    if slowest == timing.interval:
        assert beats[-1][-1] - beats[-2][-1] == timing.interval


def test_a_network_gives_a_frame_every_predicted_period(small):
    """The planned network in Amaranth's simulator: cycles a frame, and at most the latency."""
    plan = propose(small, device("ulx3s-85f")).plan
    predicted = cost.predict(design(small, plan))
    top = Top(design(small, plan))
    frames, beats = 3, prod(small.graph.output.shape)
    ends, now = [], [0]
    image = np.random.default_rng(0).integers(0, 256, prod(small.graph.input.shape)).tolist()

    async def source(ctx):
        for _ in range(frames + 2):
            for byte in image:
                ctx.set(top.s_axis_tdata, byte)
                ctx.set(top.s_axis_tvalid, 1)
                await ctx.tick().until(top.s_axis_tready)

    async def sink(ctx):
        ctx.set(top.m_axis_tready, 1)
        logits = 0
        while len(ends) < frames:
            _, _, valid = await ctx.tick().sample(top.m_axis_tvalid)
            now[0] += 1
            logits += valid
            if logits == beats * (len(ends) + 1):
                ends.append(now[0])
            assert now[0] < 20 * predicted.cycles_per_frame

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(source, background=True)
    simulator.add_testbench(sink)
    simulator.run()
    assert np.diff(ends)[1:].tolist() == [predicted.cycles_per_frame] * (frames - 2)
    assert 0.7 * predicted.latency <= ends[0] <= predicted.latency
