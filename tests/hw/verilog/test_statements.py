"""Emitted Verilog read as statements."""

from cell_bugs import small_cell

from hw.verilog import emit
from hw.verilog.statements import live, names, read, subtree

TEXT = """\
module top(
  input clk,
  input rst,
  input [3:0] i,
  output reg [3:0] o = 4'h0
);
  wire [4:0] add1;
  wire unread;
  wire [1:0] \\chosen ;
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
  assign \\chosen [1:0] =
    i == 4'h2 && add1[0] ? \\q.x [1:0] :
    2'h3;
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
        (14, "word", "rom", "[0]", "4'h1"),
        (15, "word", "rom", "[1]", "4'h2"),
        (22, "if", "ram", "", "i[0]"),
        (23, "clocked", "ram", "[i[1]]", "i"),
        (25, "assign", "add1", "", "ram[0] + i"),
        (26, "assign", "unread", "", "i[0]"),
        (28, "condition", "chosen", "[1:0]", "i == 4'h2 && add1[0]"),
        (28, "arm", "chosen", "[1:0]", "\\q.x [1:0]"),
        (29, "arm", "chosen", "[1:0]", "2'h3"),
        (35, "if", "o", "", "i[1]"),
        (36, "clocked", "o", "", "\\q.x [3:0]"),
        (37, "if", "o", "", "i[2]"),
        (38, "clocked", "o", "", "rom[i[0]]"),
        (40, "if", "o", "", "rst"),
        (41, "clocked", "o", "", "4'h0"),
    ]
    assert top.widths["q.x"] == 8
    assert (top.words, top.written_memories) == ({"rom", "ram"}, {"ram"})
    assert modules["top.part"].directions == {"a": "input", "b": "output"}


def test_signals_that_nothing_reads_are_not_live():
    found = live(read(TEXT), "top")
    assert ("top", "unread") not in found
    for place in [("top", "o"), ("top", "add1"), ("top", "ram"), ("top", "rom"), ("top.part", "a")]:
        assert place in found


CELLS = """\
module top(
  input [1:0] a,
  input spare,
  output o
);
  wire net1;
  wire net2;
  assign net2 = spare;
  LUT4 #(
    .INIT(16'hca00)
  ) side (
    .A(1'h0),
    .B(a[0]),
    .C(a[1]),
    .D(1'h1),
    .Z(net1)
  );
  PFUMX both (
    .ALUT(net1),
    .BLUT(1'h0),
    .C0(a[1]),
    .Z(o)
  );
endmodule
"""


def test_cells_of_a_family_are_gone_through():
    found = live(read(CELLS), "top")
    assert found == {("top", name) for name in ("a", "net1", "o")}


SHARED = """\
module top(
  input i,
  output o
);
  \\top.b  b (
    .i(i),
    .o(o)
  );
endmodule
module \\top.a.leaf (
  input i,
  output o
);
  assign o = ~ i;
endmodule
module \\top.b (
  input i,
  output o
);
  \\top.a.leaf  leaf (
    .i(i),
    .o(o)
  );
endmodule
"""


def test_what_a_module_consists_of_may_be_called_after_another():
    modules = read(SHARED)
    assert [module.name for module in subtree(modules, "top.b")] == ["top.a.leaf", "top.b"]
    assert len(list(subtree(modules, "top"))) == 3


def test_every_assignment_of_an_emission_is_read():
    text = emit.emit(small_cell()[1]).verilog
    read_lines = {s.line for module in read(text).values() for s in module.statements}
    choices = []
    for number, line in enumerate(text.split("\n")):
        if line.startswith("  assign ") and line.endswith("="):
            choices.append(number)
        elif line.startswith("  assign ") or (line.startswith("    ") and " <= " in line):
            assert number in read_lines, line
    assert choices
    for number in choices:
        while not text.split("\n")[number].endswith(";"):
            number += 1
            assert number in read_lines


def test_names():
    assert names("\\a.b [3] + c_1 - 4'hf") == {"a.b", "c_1"}
