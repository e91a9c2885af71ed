import json

import pytest

from hw.build.netlist import Netlist, Resources


def cell(kind, out=(), port="Z"):
    return {
        "type": kind,
        "attributes": {"src": "/somewhere/x.v:1", "keep": "1"},
        "port_directions": {port: "output", "A": "input"},
        "connections": {port: list(out), "A": [2]},
    }


def net(*bits):
    return {"bits": list(bits), "attributes": {}}


def netlist(cells, nets=None, top="t"):
    module = {"attributes": {"src": "x"}, "ports": {}, "cells": cells, "netnames": nets or {}}
    text = json.dumps({"creator": "Yosys", "modules": {top: module, "LUT4": {}}})
    return Netlist.parse(text, top)


def test_costs():
    kinds = ["LUT4"] * 3 + ["CCU2C"] * 2 + ["TRELLIS_DPR16X4", "TRELLIS_FF", "DP16KD", "PFUMX"]
    found = netlist({f"c{n}": cell(kind) for n, kind in enumerate(kinds)}).resources
    assert found == Resources(lut=3 + 2 * 2 + 6, ff=1, ram_blocks=1, dsp=0, carry=2)
    assert found.ram_bits == 18 * 1024
    assert netlist({"m": cell("MULT18X18D")}).resources.dsp == 1


def test_unknown_cells_are_not_passed_over():
    with pytest.raises(ValueError, match=r"cell type \$add: cost unknown"):
        _ = netlist({"a": cell("$add")}).resources


def test_cells_belong_to_the_deepest_layer_in_their_name():
    found = netlist(
        {
            "core.cell0.pw.window.x_LUT4_Z": cell("LUT4"),
            "core.cell0.pw2.x": cell("LUT4"),
            "core.cell0.y": cell("LUT4"),
            "bridge.z": cell("TRELLIS_FF", port="Q"),
        }
    ).by_layer(["cell0.pw", "cell0.pw2", "cell1"], prefix="core.")
    assert found == {
        "cell0.pw": Resources(lut=1),
        "cell0.pw2": Resources(lut=1),
        "cell1": Resources(),
        "": Resources(lut=1, ff=1),
    }


def test_a_register_between_two_layers_belongs_to_the_one_that_fills_it():
    found = netlist(
        {"b.i__payload_TRELLIS_FF_Q": cell("TRELLIS_FF", [7], "Q")},
        {"a.o__payload": net("0", 7), "b.i__payload": net(7), "b.part.o__payload": net(9)},
    ).by_layer(["a", "b"])
    assert found["a"].ff == 1
    assert found["b"].ff == 0


def test_dump_has_no_positions_and_reads_back():
    first = netlist({"c": cell("LUT4")})
    text = first.dump()
    assert "src" not in text
    assert "somewhere" not in text
    assert Netlist.parse(text, "t") == first
    assert json.loads(text)["modules"]["t"]["cells"]["c"]["attributes"] == {"keep": "1"}
