"""Bits that nothing can change: found where they are, nowhere else."""

import pytest

from hw.errors import CheckFailed
from hw.verilog.rtl_folder import Emission
from hw.verilog.statements import names, read
from sim.code_coverage import constants
from sim.code_coverage.points import Kind, Point

COUNTER = """\
module top (
  input clk,
  input rst,
  input step,
  output [3:0] count
);
  wire [4:0] next;
  \\top.four  four (
    .clk(clk),
    .rst(rst),
    .step(step),
    .next(next)
  );
  assign count = next[4:1];
endmodule

module \\top.four  (
  input clk,
  input rst,
  input step,
  output [4:0] next
);
  reg [3:0] count = 4'h0;
  reg stuck = 1'h1;
  reg armed = 1'h0;
  wire fire;
  wire [1:0] both;
  wire [1:0] \\both[0] ;
  assign next = { count, 1'h0 };
  assign fire = armed & step;
  assign \\both[0]  = { fire, rst };
  assign both = { rst, fire };
  always @(posedge clk) begin
    if (step) begin
      count <= count + 4'h1;
      stuck <= stuck | step;
      armed <= fire;
    end
    if (rst) begin
      count <= 4'h0;
    end
  end
endmodule
"""
EMISSION = Emission({"top.v": COUNTER}, {"top": "top"})


def bits(module, name, width):
    """The changes of a signal's bits, named as Verilator does, in the line that declares it."""
    lines = COUNTER.split("\n")
    first = read(COUNTER)[module].first
    line = next(n for n in range(first, len(lines)) if name in names(lines[n]))
    return [
        Point("top.v", module, line + 1, 1, Kind.TOGGLE, f"{name}{index}:{way}")
        for index in ([f"[{n}]" for n in range(width)] if width > 1 else [""])
        for way in ("0->1", "1->0")
    ]


POINTS = [
    *bits("top", "next", 5), *bits("top.four", "next", 5), *bits("top.four", "count", 4),
    *bits("top.four", "stuck", 1), *bits("top.four", "armed", 1), *bits("top.four", "fire", 1),
    *bits("top.four", "both", 2), *bits("top.four", "both[0]", 2), 
    *bits("top.four", "step", 1), *bits("top", "rst", 1),
]  # fmt: skip


def test_bits_that_nothing_can_change(monkeypatch, tmp_path):
    """Wired to 0, registers that keep what they begin with, and what follows from these."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    block = Point("top.v", "top.four", 25, 3, Kind.LINE, "block", "25")
    found = constants.excluded(EMISSION, dict.fromkeys([*POINTS, block], 0))
    assert {(point.module, point.what.rpartition(":")[0]) for point in found} == {
        ("top", "next[0]"), ("top.four", "next[0]"), ("top.four", "stuck"),
        ("top.four", "armed"), ("top.four", "fire"), ("top.four", "both[0]"),
        ("top.four", "both[0][1]"),
    }  # fmt: skip
    assert len(found) == 14 and set(found.values()) == {constants.REASON}


def test_a_constant_that_was_counted_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    counts = dict.fromkeys(POINTS, 0)
    wired = next(point for point in POINTS if point.what == "next[0]:0->1")
    counts[wired] = 1
    with pytest.raises(CheckFailed, match=r"next\[0\]:0->1: was counted, but is proved impossible"):
        constants.excluded(EMISSION, counts)


def test_instances_by_module():
    text = "module top (\n);\n  \\sub  a (\n  );\n  \\x.y  b (\n  );\nendmodule\n"
    text += "module \\x.y  (\n);\n  \\sub  c (\n  );\nendmodule\nmodule \\sub  (\n);\nendmodule\n"
    assert constants.instances(text, "top") == {"top": [""], "sub": ["a", "b.c"], "x.y": ["b"]}
