"""What is seen in a network and its plan, counted by hand."""

from dataclasses import replace

import pytest
from coverage_cases import hits, made

from hw.board.boards import device
from hw.dataflow.design.design import design
from hw.dataflow.planner import propose
from sim.coverage import hardware
from sim.coverage.nodes import sides
from sim.coverage.store import Coverage


def test_hardware_of_a_network():
    network = made((("dil_conv_3x3", 0), ("skip_connect", 1)), image=(7, 4, 3), act_bits=6)
    plan = propose(network, device("ulx3s-85f")).plan
    coverage = Coverage()
    hardware.measure(coverage, network, design(network, plan))
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
        assert {f"max pool 3x3 {side}" for side in sides(network, node)} == expected


def test_a_rounding_that_nobody_knows_hits_nothing():
    network = made((("max_pool_3x3", 0), ("max_pool_3x3", 1)))
    unknown = replace(network, arithmetic=replace(network.arithmetic, rounding="half_even"))
    with pytest.raises(KeyError, match="half_even"):
        hardware.measure(Coverage(), unknown, None)
