"""The file of assertions: what is bound, and that each statement fires."""

import re
import subprocess

import pytest
from cell_bugs import small_cell
from loadable_cases import loadable

from hw.dataflow.design.design import design
from hw.verilog import emit
from hw.verilog.assertions import assertions


def binds(text: str) -> list[tuple[str, str, str, str]]:
    """Module, checker, instance and connections of each bind."""
    pattern = r"^bind (?:\\(\S+) |(\w+)) (\w+)(?: #\(.*?\))? (sva__\w+) \(\n    (.*)\);$"
    found = re.findall(pattern, text, re.M)
    assert len(found) == text.count("\nbind ")
    return [(escaped or plain, *rest) for escaped, plain, *rest in found]


@pytest.fixture(scope="module")
def cell():
    _, built = small_cell()
    emission = emit.emit(built, name="cell_net")
    return emission, assertions(emission)


def test_every_stream_of_every_layer_is_bound(cell):
    emission, text = cell
    bound = {(module, instance) for module, _, instance, _ in binds(text)}
    for layer in emission.manifest["layers"]:
        module = f"cell_net.{layer['path']}"
        join = layer["kind"] in ("Add", "Concat")
        for k in range(len(layer["inputs"])):
            assert (module, f"sva__i{k}" if join else "sva__i") in bound, module
        assert (module, "sva__o") in bound
    for stream in ("s_axis", "m_axis"):
        assert ("cell_net", f"sva__{stream}") in bound
    assert ("cell_net.cell0.fork_stem_conv", "sva__o1") in bound
    assert ("cell_net.stem.conv.window", "sva__o") in bound
    assert ("cell_net.cell0.fork_stem_conv", "sva__branch1") in bound
    assert len(bound) == len(binds(text))


def test_every_fifo_has_its_depth(cell):
    emission, text = cell
    depths = re.findall(
        r"^bind \\cell_net\.(\S+)  cell_net_sva_fifo #\(\.DEPTH\((\d+)\), ", text, re.M
    )
    paths = {layer["name"]: layer["path"] for layer in emission.manifest["layers"]}
    assert dict((path, int(depth)) for path, depth in depths) == {
        f"{paths[name]}.fifo{k}": fifo["depth"]
        for name, fifos in emission.manifest["fifos"].items()
        for k, fifo in enumerate(fifos)
    }


def test_counters_and_addresses_have_their_range(cell):
    _, text = cell
    ranges = {
        (module.removeprefix("cell_net").removeprefix("."), instance.removeprefix("sva__")):
        connections.rpartition("in_range(")[2].removesuffix(")")
        for module, checker, instance, connections in binds(text)
        if checker.endswith("range")
    }  # fmt: skip
    dw1 = "cell0.edge0_sep_conv_3x3.dw1"
    assert ranges["", "beat"] == "beat <= 2'd2"
    assert ranges[f"{dw1}.window", "oy"] == "oy <= 2'd2"
    assert ranges[f"{dw1}.window", "level"] == "level <= 9'sd128"
    assert ranges[f"{dw1}.window", "program_pc"] == "pc <= 5'd25"
    assert ranges["stem.conv.window", "ox"] == "ox <= 3'd6"
    assert ranges["cell0.concat.fifo0.queue", "level"] == "level <= 3'd4"
    assert ranges["global_pool.elements", "pixel"] == "pixel <= 4'd11"
    # Four columns: two bits hold nothing else.
    assert (f"{dw1}.window", "ox") not in ranges


def test_loading_is_reset(network, plan):
    text = assertions(emit.emit(design(network, loadable(network, plan))))
    inside = [c for module, _, _, c in binds(text) if module.startswith("shiftnas_top.stem.conv")]
    assert len(inside) > 4 and all(".rst(rst || halted)" in connections for connections in inside)


UNKNOWN = """\
module unknown;
  reg clk = 0, rst = 1;
  reg valid = 0, ready = 1;
  reg [3:0] payload = 0;
  cell_net_sva_stream #(.WIDTH(4)) watch(clk, rst, valid, ready, payload);
  integer step;
  initial begin
    payload = 4'b01x0;
    for (step = 0; step < 8; step = step + 1) begin
      if (step == 1) rst = 0;
      if (step == 3) valid = 1;
      if (step == 4) valid = 0;
      if (step == 5) ready = 1'bx;
      #1 clk = 1;
      #1 clk = 0;
      $display("step %0d", step);
    end
  end
endmodule
"""


@pytest.mark.icarus
def test_unknown_values_are_found(cell, tmp_path):
    """In Icarus, which knows X: payload while valid, valid and ready always, nothing in reset."""
    (tmp_path / "sva.sv").write_text(cell[1])
    (tmp_path / "unknown.sv").write_text(UNKNOWN)
    subprocess.run(
        ["iverilog", "-g2012", "-s", "unknown", "-o", "x", "unknown.sv", "sva.sv"],
        cwd=tmp_path, check=True,
    )  # fmt: skip
    said = subprocess.run(["vvp", "-n", "x"], cwd=tmp_path, capture_output=True, text=True).stdout
    found = [
        (int(number), "payload" if "payload is unknown: 01x0" in before else "ready")
        for before, number in re.findall(r"((?:ERROR.*\n.*\n)+)step (\d)", said)
    ]
    assert found == [(3, "payload"), (5, "ready"), (6, "ready"), (7, "ready")], said
