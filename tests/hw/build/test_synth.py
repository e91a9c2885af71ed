import pytest

from hw import emit
from hw.build import synth

ADDERS = """
module top(input clk, input [7:0] a, b, output reg [7:0] q);
  wire [7:0] s;
  part p(.a(a), .b(b), .s(s));
  always @(posedge clk) q <= s;
endmodule
module part(input [7:0] a, b, output [7:0] s);
  assign s = a * b;
endmodule
"""


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_products_take_no_dsp_block():
    netlist, cached = synth.netlist_of({"top.v": ADDERS}, "top")
    assert not cached
    assert netlist.resources.dsp == 0
    assert netlist.resources.lut > 20
    assert netlist.resources.ff == 8


def test_kept_until_a_source_changes():
    synth.netlist_of({"top.v": ADDERS}, "top")
    assert synth.netlist_of({"top.v": ADDERS}, "top")[1]
    changed = ADDERS.replace("a * b", "a + b")
    netlist, cached = synth.netlist_of({"top.v": changed}, "top")
    assert not cached
    assert netlist.resources.carry == 4


def test_network_by_layer(network, plan):
    report = synth.synthesise(emit.emit(network, plan))
    names = [layer["name"] for layer in report["layers"]]
    assert names == [node.name for node in network.graph.nodes[1:]] + [synth.REST]
    for key in ("lut", "ff", "ram_bits", "ram_blocks", "dsp", "carry"):
        assert report[key] == sum(layer[key] for layer in report["layers"]), key
    assert report["dsp"] == 0
    by_name = {layer["name"]: layer for layer in report["layers"]}
    # Every layer was found under its name, and hardly anything lies outside of all.
    assert all(by_name[node.name]["lut"] > 10 for node in network.graph.nodes[1:])
    assert by_name[synth.REST]["lut"] < 0.1 * report["lut"]
    assert report["target"] == "ecp5"


def test_same_netlist_in_another_folder(network, plan, monkeypatch, tmp_path):
    sources = {emit.VERILOG: emit.emit(network, plan).verilog}
    first, _ = synth.netlist_of(sources, emit.TOP)
    for name in ("cache", "tmp"):
        (tmp_path / "elsewhere" / name).mkdir(parents=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere" / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "elsewhere" / "tmp"))
    second, cached = synth.netlist_of(sources, emit.TOP)
    assert not cached
    assert second.dump() == first.dump()
