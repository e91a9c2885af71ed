"""The cost model against synthesis, and the sums it makes."""

from dataclasses import replace

import pytest

from hw.board.boards import device
from hw.build.synth import REST, synthesise
from hw.dataflow import cost, fabric
from hw.dataflow.design.design import design, engine_design
from hw.dataflow.fabric import RAM_BLOCK_BITS
from hw.dataflow.plan import LayerPlan
from hw.dataflow.planner import propose
from hw.networks import space
from hw.networks.cells import build
from hw.networks.random_network import random_network
from hw.verilog import emit

BOARD = "ulx3s-85f"


@pytest.fixture(scope="module")
def network():
    genotype = space.Genotype(
        normal=(("sep_conv_3x3", 0), ("skip_connect", 1)),
        normal_concat=(2,),
        reduce=(("max_pool_3x3", 0), ("skip_connect", 1)),
        reduce_concat=(2,),
    )
    graph = build(genotype, channels=4, cells=1, image=(8, 8, 1), classes=10, stem="cifar")
    return random_network(graph, seed=1)


@pytest.fixture(scope="module")
def plan(network):
    return propose(network, device(BOARD), fps=1).plan


def test_sums(network, plan):
    predicted = cost.predict(design(network, plan))
    assert list(predicted.layers) == [node.name for node in network.graph.nodes[1:]]
    assert predicted.lut == sum(predicted.layers.values())
    assert cost.logic(design(network, plan)) == (predicted.lut, predicted.ff)
    blocks = sum(map(cost.layer_blocks, design(network, plan).layers.values()))
    assert predicted.ram_bits == blocks * RAM_BLOCK_BITS
    assert predicted.fps == 50e6 / predicted.cycles_per_frame
    assert predicted.limiting_layer in network.graph.by_name
    assert predicted.latency > predicted.cycles_per_frame


def test_a_faster_clock_is_a_faster_network(network, plan):
    faster = replace(plan, clock_mhz=100.0)
    assert cost.predict(design(network, faster)).fps == 2 * cost.predict(design(network, plan)).fps


def test_features_are_known_ones(network, plan):
    for layer in design(network, plan).layers.values():
        assert cost.features(layer).keys() <= cost.PRICES.keys()
        assert cost.layer_logic(layer).lut > 0


@pytest.mark.parametrize("pe", [1, 2, 4])
def test_more_lanes_cost_more(network, plan, pe):
    name = "stem/conv"
    luts = [
        cost.layer_logic(
            engine_design(network, network.graph[name], LayerPlan("barrel", lanes, 64, "block"))
        ).lut
        for lanes in (pe, 2 * pe)
    ]
    assert 1.1 * luts[0] < luts[1] < 2.2 * luts[0]


@pytest.mark.parametrize(
    ("width", "depth", "blocks"),
    [(8, 64, 1), (8, 2048, 1), (8, 2049, 2), (18, 1024, 1), (36, 512, 1), (37, 512, 2)],
)
def test_block_rams_of_a_memory(width, depth, blocks):
    assert fabric.blocks(width, depth) == blocks


def test_synthesis_is_as_predicted(network, plan):
    """Layers within a third, the network within 15 %, block RAMs exactly."""
    found = synthesise(emit.emit(design(network, plan)))
    predicted = cost.predict(design(network, plan))
    rest = next(layer for layer in found["layers"] if layer["name"] == REST)
    assert predicted.lut == pytest.approx(found["lut"] - rest["lut"], rel=0.15)
    assert predicted.ff == pytest.approx(found["ff"] - rest["ff"], rel=0.15)
    assert predicted.ram_bits == found["ram_blocks"] * RAM_BLOCK_BITS
    for layer in found["layers"]:
        if layer["name"] != REST:
            guess = predicted.layers[layer["name"]]
            assert guess == pytest.approx(layer["lut"], rel=1 / 3, abs=30), layer["name"]
