"""The checks around a design: surplus beats, broken streams, a tlast in the wrong place."""

import json

import numpy as np
import pytest

from hw.errors import CheckFailed
from sim import harness, resets, runner, scoreboard
from sim.harness import Dut, Stream
from sim.resets import Moment
from sim.tb_network import FIFOS_SHOWN, stuck

SHAPE = (1, 3, 2)
BEATS = 6
FRAMES = 3

DESIGN = """\
// Passes a stream through one register, with a fault after beat 8.
module top(
    input wire clk, input wire rst,
    input wire [7:0] s_axis_tdata, input wire s_axis_tvalid, output wire s_axis_tready,
    input wire s_axis_tlast,
    output reg [7:0] m_axis_tdata, output wire m_axis_tvalid, input wire m_axis_tready,
    output wire m_axis_tlast);
  reg full, last, slow, warm = 0;
  reg [7:0] count;
  reg [7:0] waited;
  wire late = count > 8;
  assign s_axis_tready = ({gate}) && (!full || (m_axis_tvalid && m_axis_tready));
  assign m_axis_tvalid = {valid};
  assign m_axis_tlast = {last};
  always @(posedge clk) begin
    waited <= m_axis_tvalid && !m_axis_tready ? waited + 1 : 0;
    if (m_axis_tvalid && m_axis_tready) begin
      full <= {full};
      count <= count + 1;
    end
    if (s_axis_tvalid && s_axis_tready) begin
      full <= 1;
      last <= s_axis_tlast;
      m_axis_tdata <= s_axis_tdata;
    end
    if (waited == 2 && !m_axis_tready) m_axis_tdata <= {data};
    slow <= !slow;
    if (full) warm <= 1;
    if (rst) begin
      slow <= 0;
      full <= {reset};
      count <= 0;
      waited <= 0;
    end
  end
endmodule
"""

RIGHT = {"valid": "full", "last": "last", "full": "0", "data": "m_axis_tdata",
         "reset": "0", "gate": "1"}  # fmt: skip


def run(folder, **faults):
    streams = [Stream("x", f"{port}_axis", 8, False, SHAPE) for port in "sm"]
    built = harness.generate([Dut("dut", "top", streams[:1], streams[1:], [], [])])
    model = runner.build(
        {
            "top.v": DESIGN.format(**RIGHT | faults),
            "harness.sv": built.text,
            "agents.sv": harness.AGENTS.read_text(),
        },
        harness.TOP,
        public=harness.CONTROLS,
        visible=harness.REPORTS,
    )
    values = np.arange(FRAMES * BEATS)
    (folder / "source_0.bin").write_bytes(scoreboard.to_bytes(values, 1))
    scoreboard.to_words(values, 1).tofile(folder / "expected_0.bin")
    tap = {"layer": "x", "words": 1, "expected": "expected_0.bin", "passes": 1, "shape": SHAPE,
           "signed": False, "sources": []}  # fmt: skip
    case = {"frames": FRAMES, "stall_from": 0, "corners": 0, "pattern": 2, "stall": 40000,
            "seed": 3, "patience": 1000, "resets": 2, "taps": [tap], "order": [0],
            "fifos": [], "engines": []}  # fmt: skip
    cuts = [Moment(stalled=False, tap=0, beats=5), Moment(stalled=False, tap=0, beats=9)]
    (folder / resets.LIST).write_text("".join(moment.line for moment in cuts))
    (folder / "case.json").write_text(json.dumps(case))
    runner.run(model, "sim.tb_network", folder, env={"SHIFTNAS_CASE": str(folder / "case.json")})
    return json.loads((folder / "result.json").read_text())


def test_right_design_passes(tmp_path):
    result = run(tmp_path)
    assert result["layers"][0]["beats"] == FRAMES * BEATS
    assert result["failure"] is None


@pytest.mark.parametrize(("faults", "message"), [
    ({"last": "last && !late"},
     r"m_axis: frame 1, beat 5: tlast is 0, expected 1, while .* \(cycle \d+\)"),
    ({"last": "last && m_axis_tready"},
     r"m_axis: frame 0, beat 5: tlast is 0, expected 1, while the beat waits to be taken"),
    ({"last": "last && (m_axis_tready || waited != 0)"},
     r"m_axis: frame 0, beat 5: tlast is 0, expected 1, while the beat waits to be taken"),
    ({"last": "last || waited == 1"},
     r"m_axis: frame \d, beat [0-4]: tlast is 1, expected 0(, while the beat waits to be taken)?"),
    ({"valid": "full && waited != 2"}, r"x: beat \d+: valid withdrawn before .* \(offered 0x\w+\)"),
    ({"full": "count == 17"}, "x: a beat more than the frames have"),
    ({"data": "m_axis_tdata ^ 8'd4"}, r"x: frame \d, pixel \(0, \d\), channel \d: expected"),
    ({"reset": "full"}, r"x: frame 0, pixel \(0, 0\), channel 0: expected 0, got"),
    ({"gate": "s_axis_tvalid"}, "s_axis: tready is low though all is done .* it waits for tvalid"),
    ({"gate": "slow || warm"}, "reset: after a reset in mid-frame the streams do not look as from"),
    ({"valid": "full && !late"}, r"hang: nothing moved .* x \(9 of 18\); .* layers blocked: 0"),
])  # fmt: skip
def test_fault_is_found(tmp_path, faults, message):
    with pytest.raises(CheckFailed, match=message):
        run(tmp_path, **faults)


def test_a_hang_is_told_one_fifo_a_line():
    """A join that has a full and an empty one first; no more lines than can be read."""
    fifos = ["a input 0 (x)", "a input 1 (y)", "b input 0 (x)", "b input 1 (z)"]
    lines = stuck(fifos, {fifos[0], fifos[3]}, {fifos[2]}, ["c"])
    assert lines == (
        "empty FIFO: b input 0 (x)",
        "full FIFO: b input 1 (z)",
        "full FIFO: a input 0 (x)",
        "blocked layer: c",
    )
    many = [f"j{n} input 0 (x)" for n in range(FIFOS_SHOWN + 5)]
    lines = stuck(many, set(many), set(), [])
    assert (len(lines), lines[-1]) == (FIFOS_SHOWN + 1, "… and 5 more")
