"""What is seen in the streams of a run."""

import pytest
from coverage_cases import hits, made

from hw.board.boards import device
from hw.dataflow.design.design import design
from hw.dataflow.planner import propose
from sim.cosim import cosim
from sim.coverage import streams
from sim.coverage.store import Coverage
from sim.stimuli import Stimuli, random_images


def test_streams_of_a_run():
    network = made((("sep_conv_3x3", 0), ("avg_pool_3x3", 1)))
    coverage = Coverage()
    node = "cell0/node2"
    first = f"{node} input 0 ({network.graph[node].inputs[0]})"
    seen = {"held_back": [node, "classifier (m_axis)"], "starved": [], "full": [first],
            "waited": []}  # fmt: skip
    streams.measure(coverage, network, seen, frames=1, stalled=False)
    assert hits(coverage, "stream") == {"Add held back", "Linear held back"}
    assert hits(coverage, "join") == {"Add, a FIFO full", "Add, output held back"}
    assert hits(coverage, "frames") == set()


@pytest.mark.slow
def test_cosim_measures_what_it_ran():
    network = made((("sep_conv_3x3", 0), ("avg_pool_3x3", 1)))
    plan = propose(network, device("ulx3s-85f")).plan
    images = random_images(network, 2, seed=1)
    result = cosim(network, design(network, plan), Stimuli(images), cover=True)
    coverage = result.coverage
    assert hits(coverage, "frames") == {"one after the other without a gap", "under stalls"}
    assert {"Linear held back", "Conv held back", "Conv starved"} <= hits(coverage, "stream")
    assert coverage.hits["input value"]["Conv, smallest"] > 0
    free = cosim(network, design(network, plan), Stimuli(images, stall=0), cover=True)
    assert len(hits(free.coverage, "stream")) <= len(hits(coverage, "stream"))
    (layers,) = coverage.networks.values()
    assert list(layers) == [node.name for node in network.graph.nodes[1:]]
    assert layers["classifier"].hits["tlast taken at once"] == 1
    (layers,) = free.coverage.networks.values()
    assert layers["classifier"].hits["tlast held back"] == 0
    often = Stimuli(images, stall=0.9, pattern="bernoulli")
    held = cosim(network, design(network, plan), often, cover=True)
    (layers,) = held.coverage.networks.values()
    assert layers["classifier"].hits["tlast held back"] == 1
    assert hits(free.coverage, "frames") == {"one after the other without a gap"}
