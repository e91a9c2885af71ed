"""A loadable layer on an ECP5: memories where the plan says, no DSP block, no latch."""

from collections import Counter

import pytest
from layer_cases import LAYERS, S8, layer, layer_network, layer_plan
from loadable_cases import loadable

from hw.build.synth import netlist_of
from hw.verilog.convert import to_verilog


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["lutram", "block"])
def test_memories_are_where_the_plan_says(weights):
    node, shapes = LAYERS["pointwise"]
    network = layer_network(node, shapes, seed=1, fmt=S8)
    plan = loadable(network, layer_plan(network, "x"), weights=weights)
    verilog = to_verilog(layer(network, plan), "dut")
    netlist, _ = netlist_of({"dut.v": verilog}, "dut")
    cells = Counter(cell["type"] for cell in netlist.module["cells"].values())
    # Program and steps; the few biases and the operand store are in LUT-RAM either way.
    assert cells["DP16KD"] + cells["PDPW16KD"] == (2 if weights == "block" else 0)
    assert cells["TRELLIS_DPR16X4"] > (20 if weights == "lutram" else 2)
    assert not {kind for kind in cells if "MULT" in kind or "ALU54" in kind or "LATCH" in kind}
    # Without a clock to load from, an undriven memory would have become constants.
    assert cells["TRELLIS_FF"] > 50
