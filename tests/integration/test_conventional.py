"""Conventional networks as hardware: every bit of every layer, at full speed and under stalls."""

import pytest
from narrow_networks import NARROW

from hw.board.boards import device
from hw.dataflow.planner import propose
from hw.networks.conventional import model
from hw.networks.random_network import random_network
from sim.cosim import cosim
from sim.stimuli import Stimuli, random_images

QUICK = ("resnet8", "squeezenet1_0", "vgg16")
"""Of the others, every layer is held by tests of its own."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.thorough) for name in NARROW],
)
def test_every_bit_is_right(name):
    network = random_network(model(name, NARROW[name]), seed=1)
    design = propose(network, device("none"))
    result = cosim(network, design, Stimuli(random_images(network, 1, seed=1), stall=0.3))
    assert (result.frames, result.mismatches) == (2, 0)
    assert len(result.compared) >= len(network.graph.nodes) - 1
