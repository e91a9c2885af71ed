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
