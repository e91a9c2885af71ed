"""Proofs that a mutant is no change, and none where it is one."""

import pytest

from sim.mutation.equivalence import proved
from sim.mutation.sites import Mutant

TEXT = """\
module \\top.part (
  input clk,
  input rst,
  input i__valid,
  input [3:0] i__payload,
  output reg o__valid = 1'h0,
  output reg [3:0] o__payload = 4'h0,
  output reg [2:0] count = 3'h0
);
  wire [3:0] add1;
  wire eq2;
  assign add1 = count + 1'h1;
  assign eq2 = count == 3'h5;
  always @(posedge clk) begin
    o__valid <= i__valid;
    if (rst) begin
      o__valid <= 1'h0;
    end
  end
  always @(posedge clk) begin
    o__payload <= i__payload;
    if (rst) begin
      o__payload <= 4'h0;
    end
  end
  always @(posedge clk) begin
    if (i__valid) begin
      count <= eq2 ? 3'h0 : add1[2:0];
    end
  end
endmodule
"""


@pytest.mark.parametrize(("line", "after", "equal"), [
    ("assign add1 = count + 1'h1;", "assign add1 = count - 1'h1;", False),
    ("assign add1 = count + 1'h1;", "assign add1 = 1'h1 + count;", True),
    # 6 and 7 are never reached: that takes an invariant.
    ("assign eq2 = count == 3'h5;", "assign eq2 = count >= 3'h5;", True),
    ("assign eq2 = count == 3'h5;", "assign eq2 = count == 3'h4;", False),
    # A payload counts while its valid is high.
    ("o__payload <= 4'h0;", "o__payload <= 4'h7;", True),
    ("o__payload <= i__payload;", "o__payload <= (i__payload) | 4'h1;", False),
    ("o__valid <= 1'h0;", "o__valid <= 1'h1;", False),
])  # fmt: skip
def test_proof(line, after, equal):
    number = [text.strip() for text in TEXT.split("\n")].index(line)
    mutant = Mutant("any", "top.part", number, line, after)
    assert proved(TEXT, mutant, [], 5) == ("top.part" if equal else None)


CELLS = """\
module \\top.part (
  input clk,
  input [1:0] i,
  output [1:0] o
);
  wire [1:0] held;
  wire more;
  assign more = i[0] | i[1];
  LUT4 #(
    .INIT(16'haaaa)
  ) same (
    .A(more),
    .B(1'h0),
    .C(i[0]),
    .D(1'h0),
    .Z(held[1])
  );
  TRELLIS_FF #(
    .CEMUX("1"),
    .CLKMUX("CLK"),
    .GSR("DISABLED"),
    .LSRMUX("LSR"),
    .REGSET("RESET")
  ) bit0 (
    .CLK(clk),
    .DI(held[1]),
    .LSR(1'h0),
    .Q(held[0])
  );
  assign o = held;
endmodule
"""


@pytest.mark.parametrize(("after", "equal"), [("i[1] | i[0]", True), ("i[0] & i[1]", False)])
def test_cells_of_a_family_are_looked_into(after, equal):
    line = "assign more = i[0] | i[1];"
    number = [text.strip() for text in CELLS.split("\n")].index(line)
    mutant = Mutant("any", "top.part", number, line, f"assign more = {after};")
    assert proved(CELLS, mutant, [], 5) == ("top.part" if equal else None)


OUTSIDE = """\
module top(
  input clk,
  input [7:0] i,
  output [7:0] o,
  output [3:0] more
);
  wire [7:0] part__b;
  wire [4:0] mux1;
  assign more = mux1[3:0];
  assign mux1 = i[0] ? 5'h00 : part__b[3:0];
  \\top.part  part (
    .a(i),
    .b(part__b)
  );
  assign o = part__b;
endmodule
module \\top.part (
  input [7:0] a,
  output [7:0] b
);
  assign b = a * a;
endmodule
"""


@pytest.mark.parametrize(("after", "equal"), [
    ("5'h10", True),
    ("5'h01", False),
])  # fmt: skip
def test_module_without_its_submodules(after, equal):
    line = "assign mux1 = i[0] ? 5'h00 : part__b[3:0];"
    after = line.replace("5'h00", after)
    number = [text.strip() for text in OUTSIDE.split("\n")].index(line)
    mutant = Mutant("any", "top", number, line, after)
    assert proved(OUTSIDE, mutant, ["top.part"], 5) == ("top" if equal else None)
