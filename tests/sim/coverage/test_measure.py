"""What is seen in a network and a run is what is there: counted by hand on small ones."""

import dataclasses

import numpy as np
import pytest

from hw import plan as plans
from hw import space
from hw.ir import reference
from hw.random_network import random_network
from hw.space import Genotype
from sim.cosim import cosim, random_images
from sim.coverage import hardware, streams, values
from sim.coverage.store import Coverage


def made(operations, image=(6, 4, 1), classes=3, **settings):
    genotype = Genotype(
        normal=operations, normal_concat=(2,), reduce=operations, reduce_concat=(2,)
    )
    graph = space.build(
        genotype, channels=2, cells=2, image=image, classes=classes, stem="cifar"
    )
    return random_network(graph, seed=5, **settings)


def hits(coverage, group):
    return {name for name, times in coverage.hits[group].items() if times}


def test_hardware_of_a_network():
    network = made((("dil_conv_3x3", 0), ("skip_connect", 1)), image=(7, 4, 3), act_bits=6)
    plan = plans.propose(network, "ulx3s-85f")
    coverage = Coverage()
    hardware.measure(coverage, network, plan)
    strides = {f"{name} stride {s}" for name in ("dil_conv_3x3", "skip_connect") for s in (1, 2)}
    found = hits(coverage, "operation")
    assert found <= strides and {"dil_conv_3x3 stride 2", "skip_connect stride 2"} <= found
    assert hits(coverage, "image") == {"3 channels", "rectangular", "odd height"}
    assert hits(coverage, "activation bits") == {"6"}
    assert hits(coverage, "classes") == {"3 to 9"}
    zeros = sum(int((p.codes & 15 == 0).sum()) for p in network.params.values())
    assert coverage.hits["weight"]["zero"] == zeros
    total = sum(p.codes.size for p in network.params.values())
    powers = sum(n for name, n in coverage.hits["weight"].items() if "2^" in name)
    assert powers == total - zeros


def test_padding_sides_of_a_stride_2_window():
    """A 3×3 window at stride 2 on 6×4 pixels hangs over the top and the left only."""
    network = made((("max_pool_3x3", 0), ("max_pool_3x3", 1)))
    pools = [n for n in network.graph if n.name.endswith("/pool") and n.stride == (2, 2)]
    assert pools
    for node in pools:
        (shape,) = network.graph.in_shapes(node)
        expected = {"max pool 3x3 top", "max pool 3x3 left"}
        expected |= {"max pool 3x3 bottom"} if shape[0] % 2 else set()
        expected |= {"max pool 3x3 right"} if shape[1] % 2 else set()
        if min(shape[:2]) > 2:
            expected.add("max pool 3x3 inside")
        assert set(hardware.padding(network, node)) == expected


def test_saturation_against_a_clamp_of_real_values():
    network = made((("sep_conv_3x3", 0), ("avg_pool_3x3", 1)))
    tensors = reference.run(network, random_images(network, 4, seed=2))
    for node in network.graph.nodes[1:]:
        if values.rounded_kind(node) is None:
            continue
        low, high = values.saturated(network, node, tensors)
        fmt, codes = network.formats[node.name], tensors[node.name]
        assert low <= int((codes == fmt.qmin).sum()) and high <= int((codes == fmt.qmax).sum())
    # One layer made to saturate everywhere: biases far above the range.
    name = "stem/conv"
    params = network.params[name]
    huge = dataclasses.replace(params, bias=tuple(1 << 40 for _ in params.bias))
    loud = dataclasses.replace(network, params=network.params | {name: huge})
    tensors = reference.run(loud, random_images(network, 1, seed=2))
    low, high = values.saturated(loud, loud.graph[name], tensors)
    assert (low, high) == (0, int(np.prod(loud.graph[name].shape)))


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
    group = f"joins of {network.digest[:12]}"
    assert hits(coverage, group) == {f"{first}, full"}


@pytest.mark.slow
def test_cosim_measures_what_it_ran():
    network = made((("sep_conv_3x3", 0), ("avg_pool_3x3", 1)))
    plan = plans.propose(network, "ulx3s-85f")
    result = cosim(network, plan, images=random_images(network, 2, seed=1), cover=True)
    coverage = result.coverage
    assert hits(coverage, "frames") == {"one after the other without a gap", "under stalls"}
    assert {"Linear held back", "Conv held back", "Conv starved"} <= hits(coverage, "stream")
    assert coverage.hits["input value"]["Conv, smallest"] > 0
    free = cosim(network, plan, images=random_images(network, 2, seed=1), stall=0, cover=True)
    assert len(hits(free.coverage, "stream")) <= len(hits(coverage, "stream"))
    assert hits(free.coverage, "frames") == {"one after the other without a gap"}
