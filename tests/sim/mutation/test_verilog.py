"""Emitted Verilog read as statements."""

from sim.mutation.verilog import live, names, read

TEXT = """\
module top(
  input clk,
  input rst,
  input [3:0] i,
  output reg [3:0] o = 4'h0
);
  wire [4:0] add1;
  wire unread;
  reg signed [7:0] \\q.x ;
  reg [3:0] rom [1:0];
  reg [3:0] ram [1:0];
  initial begin
    rom[0] = 4'h1;
    rom[1] = 4'h2;
  end
  integer word;
  initial
    for (word = 0; word < 2; word = word + 1)
      ram[word] = 4'h0;
  always @(posedge clk) begin
    if (i[0])
      ram[i[1]] <= i;
  end
  assign add1 = ram[0] + i;
  assign unread = i[0];
  \\top.part  part (
    .a(add1[3:0]),
    .b(\\q.x )
  );
  always @(posedge clk) begin
    if (i[1]) begin
      o <= \\q.x [3:0];
    end else if (i[2]) begin
      o <= rom[i[0]];
    end
    if (rst) begin
      o <= 4'h0;
    end
  end
endmodule
module \\top.part (
  input [3:0] a,
  output [7:0] b
);
  assign b = { 4'h0, a };
endmodule
"""


def test_statements_widths_and_memories():
    modules = read(TEXT)
    assert list(modules) == ["top", "top.part"]
    top = modules["top"]
    found = [(s.line + 1, s.kind, s.target, s.part, s.value) for s in top.statements]
    assert found == [
        (13, "word", "rom", "[0]", "4'h1"),
        (14, "word", "rom", "[1]", "4'h2"),
        (21, "if", "ram", "", "i[0]"),
        (22, "clocked", "ram", "[i[1]]", "i"),
        (24, "assign", "add1", "", "ram[0] + i"),
        (25, "assign", "unread", "", "i[0]"),
        (31, "if", "o", "", "i[1]"),
        (32, "clocked", "o", "", "\\q.x [3:0]"),
        (33, "if", "o", "", "i[2]"),
        (34, "clocked", "o", "", "rom[i[0]]"),
        (36, "if", "o", "", "rst"),
        (37, "clocked", "o", "", "4'h0"),
    ]
    assert all(s.clocked for s in top.statements if s.kind == "if")
    assert top.widths["q.x"] == 8
    assert (top.words, top.written_memories) == ({"rom", "ram"}, {"ram"})
    assert modules["top.part"].directions == {"a": "input", "b": "output"}


def test_signals_that_nothing_reads_are_not_live():
    found = live(read(TEXT), "top")
    assert ("top", "unread") not in found
    for place in [("top", "o"), ("top", "add1"), ("top", "ram"), ("top", "rom"), ("top.part", "a")]:
        assert place in found


def test_every_assignment_of_an_emission_is_read(hardware):
    text = hardware.emission.verilog
    read_lines = {s.line for module in read(text).values() for s in module.statements}
    for number, line in enumerate(text.split("\n")):
        if line.startswith("  assign ") or (line.startswith("    ") and " <= " in line):
            assert number in read_lines, line


def test_names():
    assert names("\\a.b [3] + c_1 - 4'hf") == {"a.b", "c_1"}
