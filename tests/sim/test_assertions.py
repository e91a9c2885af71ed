"""Assertions in Verilator: each statement fires on its violation, none on a right stream.

Bound to a network they are silent in a co-simulation, and named where the Verilog is wrong.
"""

import dataclasses
import re
import subprocess
import sys

import pytest
from cell_bugs import small_cell

from hw.errors import CheckFailed, InputError
from hw.networks.images import random_images
from hw.verilog import emit
from hw.verilog.assertions import assertions
from sim.cosim import Subject, cosim
from sim.runner import Build, Simulator
from sim.stimuli import Stimuli

FAULTS = """\
module faults;
  bit clk;
  bit rst = 1;
  int which, cycle;
  bit held_in_reset;
  bit valid, put, get;
  bit ready = 1, room = 1, in_range = 1, offer = 1, wanted = 1;
  bit [3:0] payload;
  shiftnas_top_sva_stream #(.WIDTH(4)) stream (.*);
  shiftnas_top_sva_fifo #(.DEPTH(2)) fifo (
      .clk, .rst, .i_valid(put), .i_ready(room), .o_valid(get), .o_ready(1'b1));
  shiftnas_top_sva_fork fork_ (.clk, .rst, .valid(offer), .taken(!wanted), .offered(offer));
  shiftnas_top_sva_range range (.*);
  initial begin
    if (!$value$plusargs("case=%d", which)) $fatal(1);
    held_in_reset = $test$plusargs("reset");
  end
  initial forever #1 clk = !clk;
  wire now = cycle >= 5;
  always @(posedge clk) begin
    cycle <= cycle + 1;
    rst <= held_in_reset;
    case (which)
      // Held and stable while it waits, then taken and changed.
      0: begin
        valid <= cycle[1:0] != 0;
        ready <= cycle[1:0] == 3;
        payload <= cycle[5:2];
        put <= cycle == 1;
        get <= cycle == 3;
      end
      1: {valid, ready} <= {cycle == 5, 1'b0};
      2: {valid, ready, payload} <= {now, 1'b0, cycle[3:0]};
      3: put <= now;
      4: get <= cycle == 5;
      5: {put, room} <= {cycle == 2, !now};
      6: in_range <= !now;
      7: wanted <= !now;
      default: $fatal(1);
    endcase
    if (cycle == 16) $finish;
  end
endmodule
"""

SAYS = {
    "held": r"stream\.held: valid withdrawn before the beat was taken",
    "stable": r"stream\.stable: payload changed before it was taken, to",
    "bounded": r"fifo\.bounded: 3 beats in a FIFO of 2",
    "from_nothing": r"fifo\.from_nothing: a beat from an empty FIFO",
    "refused": r"fifo\.refused: not ready with 1 beats of 2",
    "counted": r"range\.counted: out of range",
    "waits_for_nothing": r"fork_\.waits_for_nothing: a beat is not offered",
}
"""Statement -> what it says, in the order of the cases from 1."""


@pytest.fixture(scope="module")
def cell():
    network, built = small_cell()
    return network, built, emit.emit(built)


@pytest.fixture(scope="module")
def program(cell, tmp_path_factory):
    """A program that breaks one rule, or none."""
    folder = tmp_path_factory.mktemp("faults")
    text = assertions(cell[2])
    checkers = text[: text.rindex("`ifndef __ICARUS__\nbind")]
    (folder / "sva.sv").write_text(checkers)
    (folder / "faults.sv").write_text(FAULTS)
    subprocess.run(
        [sys.executable, "-m", "shiftnas", "verilator", "--binary", "--assert", "--top-module",
         "faults", "-CFLAGS", "-O0", "faults.sv", "sva.sv"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder / "obj_dir" / "Vfaults"


def said(program, *arguments: str) -> tuple[int, str]:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_every_statement_is_among_the_cases(cell):
    assert set(re.findall(r"^  (\w+) :$", assertions(cell[2]), re.M)) == set(SAYS)


@pytest.mark.slow
def test_a_right_stream_breaks_nothing(program):
    code, text = said(program, "+case=0")
    assert code == 0 and "Error" not in text, text


@pytest.mark.slow
@pytest.mark.parametrize("name", SAYS)
def test_each_statement_fires(program, name):
    case = f"+case={1 + [*SAYS].index(name)}"
    code, text = said(program, case)
    assert code != 0 and re.search(SAYS[name], text), text
    # In reset nothing is asked of anybody.
    code, text = said(program, case, "+reset")
    assert code == 0 and "Error" not in text, text


@pytest.mark.slow
def test_a_right_network_passes(cell):
    network, built, emission = cell
    stimuli = Stimuli(random_images(network, 2, seed=1))
    result = cosim(network, built, stimuli, Subject(emission=emission, asserted=True))
    assert result.mismatches == 0 and result.stalled_frames == 2


@pytest.mark.slow
def test_a_wrong_fifo_is_named(cell):
    network, built, emission = cell
    wrong = emission.verilog.replace("w_rdy = level != 2'h2;", "w_rdy = level != 2'h3;")
    assert wrong != emission.verilog
    changed = dataclasses.replace(emission, files=emission.files | {emission.verilog_name: wrong})
    subject = Subject(emission=changed, asserted=True)
    message = r"^cosim: dut\.cell0\.node2\.fifo0\.\S+: 3 beats in a FIFO of 2$"
    with pytest.raises(CheckFailed, match=message):
        cosim(network, built, Stimuli(random_images(network, 5, seed=1)), subject)


def test_where_there_are_none(cell):
    network, built, _ = cell
    stimuli = Stimuli(random_images(network, 1, seed=1))
    with pytest.raises(InputError, match="assertions: are bound to the whole network"):
        cosim(network, built, stimuli, Subject("op", asserted=True))
    for subject, build in (
        (Subject(asserted=True), Build(Simulator.ICARUS)),
        (Subject(asserted=True, gates="flat"), Build()),
    ):
        with pytest.raises(InputError, match="assertions: are bound to the RTL, in verilator"):
            cosim(network, built, stimuli, subject, build)
