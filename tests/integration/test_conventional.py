"""Conventional networks as hardware: every bit of every layer, at full speed and under stalls."""

import pytest

from hw.board.boards import device
from hw.dataflow.planner import propose
from hw.networks.conventional import model
from hw.networks.conventional.sizes import Sizes
from hw.networks.random_network import random_network
from sim.cosim import cosim
from sim.stimuli import Stimuli, random_images

NARROW = {
    "resnet8": Sizes((9, 8, 3), 4, width=1 / 8),
    "mobilenet_v2": Sizes((6, 5, 1), 4, width=1 / 32),
    "vgg16": Sizes((32, 32, 1), 4, width=1 / 64),
    "shufflenet_v2_x0_5": Sizes((6, 5, 1), 4, width=1 / 24),
    "googlenet": Sizes((7, 6, 1), 4, width=1 / 64),
    "squeezenet1_0": Sizes((12, 11, 1), 4, width=1 / 32),
    "resnet50": Sizes((5, 6, 1), 4, width=1 / 64),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NARROW)
def test_every_bit_is_right(name):
    network = random_network(model(name, NARROW[name]), seed=1)
    design = propose(network, device("none"))
    result = cosim(network, design, Stimuli(random_images(network, 1, seed=1), stall=0.3))
    assert (result.frames, result.mismatches) == (2, 0)
    assert len(result.compared) >= len(network.graph.nodes) - 1
