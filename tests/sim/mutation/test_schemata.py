"""Mutants in the text: one in place, or all behind a number."""

from hw.verilog import rtl_folder
from sim.mutation import campaign, schemata
from sim.mutation.sites import Mutant

LAYER = "cell0/edge0_sep_conv_3x3/dw1"


def test_mutant_is_a_whole_rtl_folder_again(hardware, tmp_path):
    mutant = campaign.choose(hardware.emission, 1, 1, LAYER)[0]
    changed = schemata.mutated(hardware.emission, mutant)
    before, after = (e.verilog.split("\n") for e in (hardware.emission, changed))
    lines = [k for k, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
    assert lines == [mutant.line]
    assert (before[mutant.line].strip(), after[mutant.line].strip()) == (
        mutant.before,
        mutant.after,
    )
    rtl_folder.write(changed, tmp_path)
    assert rtl_folder.read(tmp_path) == changed


def test_diff_names_the_line(hardware):
    mutant = campaign.choose(hardware.emission, 1, 1, LAYER)[0]
    diff = schemata.difference(hardware.emission.verilog, mutant, "shiftnas_top.v")
    changed = [line for line in diff.split("\n") if line[:1] in ("-", "+")][2:]
    assert [line[1:].strip() for line in changed] == [mutant.before, mutant.after]
    assert f"@@ -{mutant.line + 1 - 3}," in diff


TEXT = """\
module top(
  input clk,
  input [3:0] i,
  output [3:0] o
);
  reg [3:0] rom [1:0];
  reg [3:0] r;
  initial begin
    rom[0] = 4'h1;
  end
  assign o[2:1] = i[1:0] + r;
  always @(posedge clk) begin
    if (i[0]) begin
      r <= rom[0];
    end
  end
endmodule
"""


def test_all_forms_behind_a_number():
    def mutant(line: int, before: str, after: str) -> Mutant:
        return Mutant("any", "top", line - 1, before, after)

    found = schemata.combine(
        TEXT,
        [
            mutant(9, "rom[0] = 4'h1;", "rom[0] = 4'h3;"),
            mutant(11, "assign o[2:1] = i[1:0] + r;", "assign o[2:1] = i[1:0] - r;"),
            mutant(13, "if (i[0]) begin", "if (!(i[0])) begin"),
            mutant(14, "r <= rom[0];", "r <= (rom[0]) | 4'h2;"),
        ],
    )
    expected = TEXT.split("\n")
    which = "mutants::select == 32'd"
    expected[8] = f"    begin if ({which}1) rom[0] = 4'h3; else rom[0] = 4'h1; end"
    expected[10:11] = [
        "  wire [1:0] mutant2_before = i[1:0] + r;",
        "  wire [1:0] mutant2_after = i[1:0] - r;",
        f"  assign o[2:1] = {which}2 ? mutant2_after : mutant2_before;",
    ]
    expected[14] = f"    if ({which}3 ? (!(i[0])) : (i[0])) begin"
    expected[15] = f"      begin if ({which}4) r <= (rom[0]) | 4'h2; else r <= rom[0]; end"
    assert found.split("\n") == expected
