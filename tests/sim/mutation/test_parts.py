"""Layers and forks of an emitted design on their own, with values of their own."""

import numpy as np
import pytest

from hw.dataflow.design.design import design
from hw.ir.arithmetic import accumulation, out_format
from hw.ir.reference import accumulate
from sim.mutation import parts
from sim.mutation.verilog import read
from sim.simulation import Simulation
from sim.stimuli import Stimuli, random_images

EDGE = "cell0/edge0_sep_conv_3x3"


def test_windows_are_as_their_weights_like_them(hardware):
    """Sums come far nearer to what the weights allow than noise alone brings them."""
    network = hardware.network
    node = network.graph[f"{EDGE}/dw1"]
    acc = accumulation(network, node.name)
    sums = accumulate(network, node.name, acc)
    rng = np.random.default_rng(1)
    (values,) = parts.stimuli(network, node, 20, rng)
    fmt = out_format(network, node.inputs[0])
    assert values.min() == fmt.qmin and values.max() == fmt.qmax
    assert (values[1] == fmt.qmin).all() and (values[2] == fmt.qmax).all()
    noise = np.abs(sums([values[:1]]).astype(np.int64)).max()
    assert np.abs(sums([values[3:]]).astype(np.int64)).max() > 1.2 * noise


def test_part_of_a_module(hardware):
    network, emission = hardware.network, hardware.emission
    for module, part in [
        ("shiftnas_top.cell0.node2.fifo1.queue", "shiftnas_top.cell0.node2"),
        ("shiftnas_top.fork_stem_conv", "shiftnas_top.fork_stem_conv"),
        ("shiftnas_top.classifier", "shiftnas_top.classifier"),
        ("shiftnas_top.cell0", ""),
        ("shiftnas_top", ""),
    ]:
        assert parts.part_of(network, emission, module) == part


@pytest.mark.slow
def test_parts_run_at_their_own_pace(hardware, tmp_path):
    """Every layer and every fork, as it was emitted: no difference, and the predicted pace."""
    network, plan, emission = hardware.network, hardware.plan, hardware.emission
    modules = read(emission.verilog)
    names = {parts.part_of(network, emission, name): None for name in modules}
    wanted = {name: modules[name] for name in names if name}
    assert len(wanted) > len(network.graph.nodes) - 1
    bench = parts.bench(network, design(network, plan), emission, wanted, 1)
    simulation = Simulation.build(network, bench)
    frames = 4
    images = random_images(network, frames, 1)
    simulation.write(tmp_path, Stimuli(images, stall=0.3, resets=4))
    run = simulation.run(tmp_path)
    assert sum(layer.mismatches for layer in run.compared) == 0
    paces = parts.paces(design(network, plan), bench.designs)
    exact = 0
    for stream, ends in zip(simulation.built.sinks, run.ends, strict=True):
        exact += set(np.diff(ends[:frames]).tolist()) == {paces[stream.label]}
    # The stores of this network are small: some layers wait for their input.
    assert exact >= 0.7 * len(simulation.built.sinks)
