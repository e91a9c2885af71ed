import dataclasses

import pytest

from hw.build import synth
from hw.build.families import FAMILIES
from hw.dataflow.design.design import design
from hw.dataflow.plan import LayerPlan
from hw.errors import CheckFailed
from hw.verilog import emit, rtl_folder, yosys

ADDERS = """
module top(input clk, input [7:0] a, b, output reg [7:0] q);
  wire [7:0] s;
  part p(.a(a), .b(b), .s(s));
  always @(posedge clk) q <= s;
endmodule
module part(input [7:0] a, b, output [7:0] s);
  assign s = a ^ b;
endmodule
"""

IN_TEST = [
    pytest.param(name, marks=pytest.mark.thorough if name == "xilinx" else ()) for name in FAMILIES
]
"""Xilinx' synthesis takes as long as that of the others together."""

LATCH = ADDERS.replace(
    "output [7:0] s);\n  assign s = a ^ b;", "output reg [7:0] s);\n  always @* if (a[0]) s = b;"
)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.parametrize("target", FAMILIES.values(), ids=lambda target: target.name)
@pytest.mark.parametrize(
    "text, what",
    [
        (LATCH, "latch"),
        (ADDERS.replace("a ^ b", "a * b"), "multiplier"),
        (ADDERS.replace("a ^ b", "a * 8'd37"), "multiplier"),
        (ADDERS.replace("a ^ b", "a % b"), "multiplier"),
    ],
    ids=["latch", "product", "product with a constant", "remainder"],
)
def test_latches_and_multipliers_are_refused(text, what, target):
    with pytest.raises(CheckFailed, match=f"synthesis: module part: a {what} "):
        synth.netlist_of({"top.v": text}, "top", target)


def test_defects_of_the_sources_are_no_findings():
    with pytest.raises(yosys.YosysError):
        synth.netlist_of({"top.v": ADDERS.replace("assign", "asign")}, "top")


def test_kept_until_a_source_changes():
    synth.netlist_of({"top.v": ADDERS}, "top")
    assert synth.netlist_of({"top.v": ADDERS}, "top")[1]
    changed = ADDERS.replace("a ^ b", "a + b")
    netlist, cached = synth.netlist_of({"top.v": changed}, "top")
    assert not cached
    assert netlist.resources.carry == 4


@pytest.mark.slow
@pytest.mark.parametrize("target", IN_TEST)
def test_network_by_layer(network, plan, target):
    report = synth.synthesise(emit.emit(design(network, plan)), target)
    assert report["target"] == target
    names = [layer["name"] for layer in report["layers"]]
    assert names == [node.name for node in network.graph.nodes[1:]] + [synth.REST]
    for key in ("lut", "ff", "ram_bits", "ram_blocks", "dsp", "carry"):
        assert report[key] == sum(layer[key] for layer in report["layers"]), key
    assert report["dsp"] == 0
    by_name = {layer["name"]: layer for layer in report["layers"]}
    # Every layer was found under its name, and hardly anything lies outside of all.
    assert all(by_name[node.name]["lut"] > 10 for node in network.graph.nodes[1:])
    assert by_name[synth.REST]["lut"] < 0.1 * report["lut"]
    # The window's 64 beats are the only memory of more than 32 words.
    assert (report["ram_blocks"], by_name["stem/conv"]["ram_blocks"]) == (1, 1)


@pytest.mark.slow
@pytest.mark.parametrize("target", IN_TEST)
def test_memories_lie_in_block_ram_where_asked(network, plan, target):
    """The stem's window, its program and its digits; two FIFOs of more than 32 beats."""
    layers = {**plan.layers, "stem/conv": LayerPlan("barrel", 1, 64, "block")}
    plan = dataclasses.replace(plan, layers=layers, fifos={"cell0/node2": (33, 33)})
    report = synth.synthesise(emit.emit(design(network, plan)), target)
    blocks = {layer["name"]: layer["ram_blocks"] for layer in report["layers"]}
    assert {name: count for name, count in blocks.items() if count} == {
        "stem/conv": 3, "cell0/node2": 2,
    }  # fmt: skip
    assert report["ram_bits"] == 5 * {"ice40": 4096}.get(target, 18432)


def test_rom_contents_in_files_are_found(network, plan, tmp_path):
    rtl_folder.write(emit.emit(design(network, plan), "hex"), tmp_path)
    with_files = synth.synthesise(rtl_folder.read(tmp_path))
    inline = synth.synthesise(emit.emit(design(network, plan)))
    assert with_files["digest"] != inline["digest"]
    # LUTs depend a little on line numbers, which are in Yosys' names.
    for key in ("ff", "ram_blocks", "carry"):
        assert with_files[key] == inline[key]
    assert with_files["lut"] == pytest.approx(inline["lut"], rel=0.02)


def test_same_netlist_in_another_folder(network, plan, monkeypatch, tmp_path):
    sources = {"shiftnas_top.v": emit.emit(design(network, plan)).verilog}
    first, _ = synth.netlist_of(sources, emit.TOP)
    for name in ("cache", "tmp"):
        (tmp_path / "elsewhere" / name).mkdir(parents=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere" / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "elsewhere" / "tmp"))
    second, cached = synth.netlist_of(sources, emit.TOP)
    assert not cached
    assert second.dump() == first.dump()
