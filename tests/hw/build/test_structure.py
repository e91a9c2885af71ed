"""The report on clocks, resets, latches, loops, drivers and paths: what is wrong is found."""

import pytest
from loadable_cases import loadable

from hw.build import structure
from hw.dataflow.design.design import design
from hw.errors import CheckFailed
from hw.verilog import emit

INNER = "assign y = ~a;"

SOUND = """
module top(
  input clk, input rst, input [3:0] s_axis_tdata, input s_axis_tvalid, output s_axis_tready,
  output reg [3:0] m_axis_tdata, output reg m_axis_tvalid, input m_axis_tready
);
  reg [3:0] table_ [3:0];
  initial begin table_[0] = 1; table_[1] = 2; table_[2] = 4; table_[3] = 8; end
  reg [3:0] looked_up;
  wire move = m_axis_tready | ~m_axis_tvalid;
  wire stop;
  part inner(.a(move), .y(stop));
  assign s_axis_tready = ~stop;
  always @(posedge clk) if (move) looked_up <= table_[s_axis_tdata[1:0]];
  always @(posedge clk) begin
    if (move) m_axis_tvalid <= s_axis_tvalid;
    if (move) m_axis_tdata <= s_axis_tdata ^ looked_up;
    if (rst) m_axis_tvalid <= 0;
    if (rst) m_axis_tdata <= 0;
  end
endmodule
module part(input a, output y);
  assign y = ~a;
endmodule
"""


def examined(text: str) -> structure.Structure:
    return structure.examine({"top.v": text}, "top")


def test_a_sound_design():
    found = examined(SOUND)
    assert found.findings == []
    assert found.clocks == {"clk, rising edge": 3}
    assert (found.reset_registers, found.free_registers) == (2, ["looked_up"])
    (passage,) = found.passages
    assert (passage.nets[0], passage.nets[-1]) == ("m_axis_tready", "s_axis_tready")
    assert "move" in passage.nets and passage.intended
    found.require_sound()


LOOK_UP = "always @(posedge clk) if (move)"
CLOCKED = "always @(posedge clk) begin\n    if (move) m_axis_tvalid"


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        (CLOCKED, CLOCKED.replace("posedge", "negedge"), "clock: clk, falling edge, not clk"),
        (CLOCKED, CLOCKED.replace("clk", "move"), "clock: move, rising edge, not clk"),
        (LOOK_UP, "always @(posedge clk or posedge rst) if (rst) looked_up <= 0; else if (move)",
         "asynchronous: looked_up"),
        (INNER, "reg q; assign y = q; always @* if (a) q = ~a;", "latch: stop"),
        (INNER, "wire q; assign q = q & a; assign y = q;", r"check: .*logic loop.*inner"),
        (INNER, "assign y = ~a; assign y = a;", "check: multiple conflicting drivers for"),
        (INNER, "wire q; assign y = a & q;", r"check: Wire top\.\\inner\.q is used but has"),
        ("part inner(.a(move)", "part inner(.a(s_axis_tvalid)",
         "path: s_axis_tvalid -> stop -> s_axis_tready"),
    ],
    ids=["falling edge", "made clock", "asynchronous reset", "latch", "loop", "two drivers",
         "no driver", "valid to ready"],
)  # fmt: skip
def test_what_is_wrong_is_found(old, new, finding):
    assert SOUND.count(old) == 1
    found = examined(SOUND.replace(old, new))
    assert any(structure.re.match(finding, line) for line in found.findings), found.findings
    with pytest.raises(CheckFailed, match=r"^structure: top: "):
        found.require_sound()
    for line in found.findings:
        what = line.partition(": ")[2].partition(",")[0]
        assert what in structure.report(found)


@pytest.mark.parametrize("kind", ["fixed", "loadable"])
def test_emitted_verilog_is_sound(network, plan, kind):
    made = emit.emit(design(network, plan if kind == "fixed" else loadable(network, plan)))
    found = structure.examine(made.files, made.top)
    assert found.findings == [], found.findings
    assert list(found.clocks) == ["clk, rising edge"] and found.reset_registers > 50
    outside = [name for name in found.free_registers if not name.endswith("_q")]
    assert (outside == []) == (kind == "fixed"), outside
