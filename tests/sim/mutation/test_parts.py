"""Layers and forks of an emitted design on their own, with values of their own."""

import numpy as np
import pytest

from hw.dataflow.design.design import design
from hw.verilog.statements import read
from sim.mutation import parts
from sim.simulation import Simulation
from sim.stimuli import Stimuli, random_images

EDGE = "cell0/edge0_sep_conv_3x3"


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
