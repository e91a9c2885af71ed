import json
import re

import pytest

from hw.build import families
from hw.build.families import FAMILIES, Resources
from hw.build.netlist import Netlist
from hw.errors import CheckFailed, InputError


def cell(kind, out=(), port="Z"):
    return {
        "type": kind,
        "attributes": {"src": "/somewhere/x.v:1", "keep": "1"},
        "port_directions": {port: "output", "A": "input"},
        "connections": {port: list(out), "A": [2]},
    }


def net(*bits):
    return {"bits": list(bits), "attributes": {}}


def netlist(cells, nets=None, top="t", family="ecp5"):
    module = {"attributes": {"src": "x"}, "ports": {}, "cells": cells, "netnames": nets or {}}
    text = json.dumps({"creator": "Yosys", "modules": {top: module, "LUT4": {}}})
    return Netlist.parse(text, top, FAMILIES[family])


def test_costs():
    kinds = ["LUT4"] * 3 + ["CCU2C"] * 2 + ["TRELLIS_DPR16X4", "TRELLIS_FF", "DP16KD", "PFUMX"]
    found = netlist({f"c{n}": cell(kind) for n, kind in enumerate(kinds)}).resources
    assert found == Resources(
        lut=3 + 2 * 2 + 6, ff=1, ram_blocks=1, ram_bits=18 * 1024, dsp=0, carry=2
    )
    assert netlist({"m": cell("MULT18X18D")}).resources.dsp == 1


@pytest.mark.parametrize(
    "family, kinds, expected",
    [
        ("ice40", "SB_LUT4 SB_CARRY SB_DFFESR SB_RAM40_4K",
         Resources(lut=1, carry=1, ff=1, ram_blocks=1, ram_bits=4096)),
        ("gowin", "LUT2 ALU RAM16SDP4 DFFRE DPX9B MUX2_LUT5 VCC",
         Resources(lut=8, carry=1, ff=1, ram_blocks=1, ram_bits=18432)),
        ("xilinx", "LUT6 INV CARRY4 RAM32M FDRE RAMB36E1 MUXF7",
         Resources(lut=6, carry=1, ff=1, ram_blocks=2, ram_bits=36864)),
    ],
)  # fmt: skip
def test_costs_of_other_families(family, kinds, expected):
    cells = {f"c{n}": cell(kind) for n, kind in enumerate(kinds.split())}
    assert netlist(cells, family=family).resources == expected


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["$add", "$lut", "$_DFF_P_", "NEW_CELL"])
def test_unknown_cells_are_not_passed_over(family, kind):
    message = f"cell type {kind}: cost unknown for {family}"
    with pytest.raises(ValueError, match=re.escape(message)):
        _ = netlist({"a": cell(kind)}, family=family).resources


@pytest.mark.parametrize(
    "family, kind, what",
    [
        ("ecp5", "MULT18X18D", "DSP block"), ("ice40", "SB_MAC16", "DSP block"),
        ("gowin", "MULT18X18", "DSP block"), ("xilinx", "DSP48E1", "DSP block"),
        ("gowin", "DLCE", "latch"), ("xilinx", "LDCE", "latch"), ("ecp5", "$_DLATCH_P_", "latch"),
    ],
)  # fmt: skip
def test_dsp_blocks_and_latches_are_found(family, kind, what):
    cells = {"a.fine": cell({"ice40": "SB_LUT4"}.get(family, "LUT4"))}
    netlist(cells, family=family).check()
    found = netlist(cells | {"a.b.c": cell(kind)}, family=family)
    with pytest.raises(CheckFailed, match=rf"a\.b\.c: a {what} \({re.escape(kind)}\)"):
        found.check()


def test_names_of_families():
    assert families.family("ice40").name == "ice40"
    with pytest.raises(InputError, match="expected one of ecp5, ice40, gowin, xilinx, found 'max'"):
        families.family("max")


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
    assert Netlist.parse(text, "t", FAMILIES["ecp5"]) == first
    assert json.loads(text)["modules"]["t"]["cells"]["c"]["attributes"] == {"keep": "1"}


def carry(cin, cout, table="0110011000111100", low=("2", "2", "1", "0"), s0=()):
    """A carry cell whose first half has these inputs, A to D, and this table."""
    inputs = {
        f"{pin}0": [int(bit) if bit == "2" else bit] for pin, bit in zip("ABCD", low, strict=True)
    }
    return {
        "type": "CCU2C",
        "attributes": {},
        "parameters": {"INIT0": table},
        "port_directions": {**dict.fromkeys([*inputs, "CIN"], "input"), "S0": "output",
                            "COUT": "output"},
        "connections": {**inputs, "CIN": cin, "S0": list(s0), "COUT": cout},
    }  # fmt: skip


def test_ends_of_carry_chains():
    """A carry that nobody reads has no net, nor has one into a half cell that hands none on."""
    makes = "0000000000001010"
    cells = {
        "makes": carry(["0"], [5], makes),
        "last": carry([5], [6]),
        "hands on": carry(["0"], [7], "0000000000011010", low=("2", "2", "2", "0")),
        "is summed": carry(["0"], [8], makes, s0=[9]),
        "reader": {
            "type": "LUT4",
            "attributes": {},
            "port_directions": {"A": "input", "B": "input", "C": "input"},
            "connections": {"A": [7], "B": [8], "C": [9]},
        },
    }
    found = netlist(cells).module["cells"]
    ends = {name: (c["connections"]["CIN"], c["connections"]["COUT"])
            for name, c in found.items() if name != "reader"}  # fmt: skip
    assert ends == {
        "makes": (["x"], [5]),
        "last": ([5], ["x"]),
        "hands on": (["0"], [7]),
        "is summed": (["0"], [8]),
    }
