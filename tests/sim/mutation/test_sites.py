"""Every kind of mutant changes a line as it says."""

import pytest

from hw.verilog import yosys
from sim import runner
from sim.mutation import schemata
from sim.mutation.sites import KINDS, Mutant, role, sites

HEAD = """\
module top(
  input clk,
  input rst,
  input [3:0] i__payload,
  input i__valid,
  input o__ready,
  input s_axis_tvalid,
  output reg [3:0] o__payload,
  output o__valid,
  output w_rdy,
  output m_axis_tlast
);
  wire [4:0] net1;
  wire [2:0] add5;
  wire not9;
  wire [1:0] served;
  reg [1:0] w_port__addr = 2'h0;
  wire lane_overflow;
  reg [1:0] beat = 2'h0;
  reg [3:0] ram [3:0];
  reg [3:0] rom [1:0];
  initial begin
    rom[0] = 4'h6;
  end
"""
TAIL = """\
  assign o__payload = net1 + lane_overflow + beat + w_port__addr + rom[beat] + ram[beat];
endmodule
"""


def forms(line: str, kind: str, module: str = "top") -> list[str]:
    """What the kind makes of a line; an `if` or `<=` stands in a clocked block."""
    if line.startswith("assign"):
        body = f"  {line}\n"
    elif line.startswith("if"):
        body = f"  always @(posedge clk) begin\n    {line}\n      beat <= 2'h3;\n  end\n"
    elif line.endswith("h0;"):
        body = f"  always @(posedge clk) begin\n    if (rst) begin\n    {line}\n    end\n  end\n"
    else:
        body = f"  always @(posedge clk) begin\n    {line}\n  end\n"
    if line.startswith("rom"):
        body = ""
    if line.endswith(" :"):
        body = f"  assign net1 =\n    {line}\n    beat == 2'h3 ? i__payload :\n    4'h0;\n"
    text = f"{HEAD}{body}{TAIL}".replace("module top", f"module {module}")
    found = sites(text, module.strip("\\ "))
    return [form for s in found if s.kind == kind and s.before == line for form in s.after]


@pytest.mark.parametrize(("kind", "line", "expected"), [
    ("arithmetic operator", "assign net1 = beat + 1'h1;", ["assign net1 = beat - 1'h1;"]),
    ("logic operator", "assign net1 = i__payload & beat;", ["assign net1 = i__payload | beat;"]),
    ("logic operator", "assign net1 = ~ beat;", ["assign net1 = beat;"]),
    ("logic operator", "assign net1 = & beat;", ["assign net1 = | beat;"]),
    ("logic operator", "assign net1 = 4'h6 >> beat;", ["assign net1 = 4'h6 << beat;"]),
    ("relational operator", "assign net1 = $signed(beat) >= $signed({ 1'h0, net1 });",
     ["assign net1 = $signed(beat) > $signed({ 1'h0, net1 });"]),
    ("condition negated", "if (i__valid)", ["if (!(i__valid))"]),
    ("condition negated", "beat == 2'h1 ? { 2'h0, beat } :",
     ["!(beat == 2'h1) ? { 2'h0, beat } :"]),
    ("relational operator", "beat == 2'h1 ? 4'h2 :", ["beat != 2'h1 ? 4'h2 :"]),
    ("constant", "beat == 2'h1 ? 4'h2 :",
     ["beat == 2'h1 ? 4'h3 :", "beat == 2'h1 ? 4'h1 :", "beat == 2'h1 ? 4'h0 :",
      "beat == 2'h1 ? 4'h6 :", "beat == 2'h1 ? 4'ha :"]),
    ("wrong bits", "beat[0] ? { beat, i__payload[2:1] } :",
     ["beat[0] ? { beat, i__payload[3:2] } :", "beat[0] ? { beat, i__payload[1:0] } :"]),
    ("clock enable removed", "if (i__valid)", ["if (1'h1)"]),
    ("reset missing", "if (rst)", ["if (1'h0)"]),
    ("constant", "assign net1 = beat ? 2'h2 : { 1'h0, beat };",
     ["assign net1 = beat ? 2'h3 : { 1'h0, beat };", "assign net1 = beat ? 2'h1 : { 1'h0, beat };",
      "assign net1 = beat ? 2'h0 : { 1'h0, beat };"]),
    ("off by one", "assign net1 = beat == 2'h2;",
     ["assign net1 = beat == 2'h3;", "assign net1 = beat == 2'h1;"]),
    ("off by one", "assign net1 = beat + 1'h1;",
     ["assign net1 = beat + 2'h2;", "assign net1 = beat;"]),
    ("memory address", "assign net1 = rom[beat];",
     ["assign net1 = rom[beat + 1'h1];", "assign net1 = rom[beat - 1'h1];"]),
    ("memory address", "ram[beat][1:0] <= i__payload;",
     ["ram[beat + 1'h1][1:0] <= i__payload;", "ram[beat - 1'h1][1:0] <= i__payload;"]),
    ("memory address", "ram[{ 1'h0, beat[0] }] <= i__payload;",
     ["ram[{ 1'h0, beat[0] } + 1'h1] <= i__payload;",
      "ram[{ 1'h0, beat[0] } - 1'h1] <= i__payload;"]),
    ("ROM bit", "rom[0] = 4'h6;",
     ["rom[0] = 4'h7;", "rom[0] = 4'h4;", "rom[0] = 4'h2;", "rom[0] = 4'he;"]),
    ("wrong bits", "assign net1 = i__payload[2:1];",
     ["assign net1 = i__payload[3:2];", "assign net1 = i__payload[1:0];"]),
    ("stuck bit", "ram[beat][1:0] <= i__payload[1:0];",
     [f"ram[beat][1:0] <= (i__payload[1:0]) {how}2'h{b};"
      for b in (1, 2) for how in ("| ", "& ~")]),
    ("stuck bit", "beat[1] <= i__valid;",
     ["beat[1] <= (i__valid) | 1'h1;", "beat[1] <= (i__valid) & ~1'h1;"]),
    ("mux arms swapped", "assign net1 = beat ? i__payload : 4'h0;",
     ["assign net1 = beat ? 4'h0 : i__payload;"]),
    ("handshake", "assign net1 = i__valid & beat;",
     ["assign net1 = i__valid;", "assign net1 = beat;"]),
    ("saturation dropped", "assign net1 = lane_overflow ? 4'h7 : beat;", ["assign net1 = beat;"]),
    ("saturation dropped", "assign lane_overflow = beat[1] ? i__valid : o__ready;",
     ["assign lane_overflow = 1'h0;", "assign lane_overflow = i__valid;",
      "assign lane_overflow = o__ready;"]),
    ("left out of reset", "beat <= 2'h0;",
     ["beat <= (beat & 2'h1) | (2'h0 & ~2'h1);", "beat <= (beat & 2'h2) | (2'h0 & ~2'h2);"]),
    ("left out of reset", "beat <= 2'h3;", []),
    ("valid waits for ready", "assign o__valid = i__valid;",
     ["assign o__valid = (i__valid) & o__ready;"]),
    ("clamp wrong at one value",
     "assign net1 = lane_overflow ? { 1'h0, add5[2], not9 } : add5[2:0];",
     ["assign net1 = lane_overflow & (add5[2:0] != 3'h2) ? { 1'h0, add5[2], not9 } : add5[2:0];",
      "assign net1 = lane_overflow & (add5[2:0] != 3'h5) ? { 1'h0, add5[2], not9 } : add5[2:0];"]),
    ("tlast early at a burst's end", "assign m_axis_tlast = beat == 2'h2;",
     ["assign m_axis_tlast = s_axis_tvalid ? beat == 2'h2 : beat == 2'h1;"]),
    ("tlast misplaced", "assign m_axis_tlast = beat == 2'h2;",
     ["assign m_axis_tlast = beat == 2'h1;", "assign m_axis_tlast = 1'h0;",
      "assign m_axis_tlast = 1'h1;"]),
])  # fmt: skip
def test_forms(kind, line, expected):
    assert forms(line, kind) == expected


def test_kinds_of_some_modules_only():
    full = "assign net1 = beat != 2'h2;"
    fifo = "\\top.fifo0 "
    assert forms(full, "FIFO off by one", fifo) == [
        "assign net1 = beat != 2'h3;", "assign net1 = beat != 2'h1;"
    ]  # fmt: skip
    assert forms(full, "off by one", fifo) == []
    empty = "assign net1 = | beat;"
    assert forms(empty, "FIFO off by one", fifo) == ["assign net1 = beat > 1'h1;"]
    room = "assign w_rdy = beat != 2'h2;"
    assert forms(room, "FIFO off by one", fifo) == forms(room, "off by one", fifo) == []
    assert forms(room, "FIFO not as deep as its pointers", fifo) == [
        "assign w_rdy = beat != 2'h3;", "assign w_rdy = beat != 2'h1;"
    ]  # fmt: skip
    pointer = "assign net1 = w_port__addr + 2'h1;"
    assert forms(pointer, "FIFO not as deep as its pointers", fifo) == [
        "assign net1 = w_port__addr == 2'h2 ? 2'h0 : w_port__addr + 2'h1;"
    ]  # fmt: skip
    border = "assign net1 = 3'h6 >> beat;"
    assert forms(border, "mask of an odd side") == []
    assert forms(border, "mask of an odd side", "\\top.window ") == [
        "assign net1 = 3'h2 >> beat;", "assign net1 = 3'h4 >> beat;"
    ]  # fmt: skip
    assert forms(border.replace("3'h6", "4'h6"), "mask of an odd side", "\\top.window ") == []
    remembers = "assign net1 = o__ready ? 2'h0 : served;"
    assert forms(remembers, "fork's state") == []
    fork = forms(remembers, "fork's state", "\\top.fork_x ")
    assert fork[:3] == [
        "assign net1 = o__ready ? 2'h0 : 2'h0;",
        "assign net1 = o__ready ? 2'h0 : served & ~5'h1;",
        "assign net1 = o__ready ? served & 5'h1 : served;",
    ]
    rounding = "assign net1 = $signed(beat) + $signed(4'h4);"
    assert forms(rounding, "rounding dropped") == []
    assert forms(rounding, "rounding dropped", "\\top.requantise ") == [
        "assign net1 = $signed(beat);"
    ]


def test_an_emission_has_sites_of_every_kind_but_rounding(odd):
    found = sites(odd.verilog, odd.manifest["top"])
    assert {site.kind for site in found} >= set(KINDS) - {"rounding dropped"}
    lines = odd.verilog.split("\n")
    for site in found:
        assert lines[site.statement.line].strip() == site.before
        assert site.before not in site.after


NEW = (
    "valid waits for ready", "fork's state", "left out of reset", "mask of an odd side",
    "FIFO not as deep as its pointers", "clamp wrong at one value", "tlast early at a burst's end",
)  # fmt: skip
"""Kinds whose lines are longer than what they replace."""


def test_long_forms_are_verilog(odd, tmp_path):
    """Yosys reads one mutant of each kind in place, Verilator all at once behind a number."""
    found = sites(odd.verilog, odd.manifest["top"])
    mutants = []
    for kind in NEW:
        site = next(site for site in found if site.kind == kind)
        line = site.statement.line
        mutants.append(Mutant(kind, site.statement.module, line, site.before, site.after[-1]))
        text = schemata.apply(odd.verilog, mutants[-1])
        assert text != odd.verilog
        (tmp_path / "mutant.v").write_text(text)
        yosys.run(f"read_verilog mutant.v\nhierarchy -check -top {odd.top}\n", tmp_path)
    together = schemata.combine(odd.verilog, mutants)
    model = runner.build(schemata.BESIDE | {odd.verilog_name: together}, odd.top)
    assert model.folder.is_dir()


def test_sites_below_a_module(hardware):
    below = "shiftnas_top.cell0.edge0_sep_conv_3x3"
    found = sites(hardware.emission.verilog, "shiftnas_top", below)
    assert found
    assert all(site.statement.module.startswith(f"{below}.") for site in found)


def test_roles():
    assert [role(f"top.{name}") for name in ("fifo0", "fork_stem_conv", "node3", "window")] == [
        "fifo", "fork", "node", "window"
    ]  # fmt: skip
