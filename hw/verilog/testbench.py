"""A testbench beside the Verilog that needs no Python: plain SystemVerilog, vectors, scripts.

RTL/testbench/NAME_tb.sv            the testbench of the network
RTL/testbench/NAME_tb_images.hex    images, a byte a line
RTL/testbench/NAME_tb_logits.hex    what the integer reference makes of them, a logit a line
RTL/testbench/NAME_layers_tb*       that of its layers, see `hw.verilog.layer_testbench`
RTL/testbench/NAME_tb.vlt           Verilator's control file, for -Wall
RTL/testbench/NAME_sva.sv           assertions to bind, see `hw.verilog.assertions`
RTL/testbench/*.sh                  a script a simulator, see `hw.verilog.scripts`
"""

from collections.abc import Mapping
from math import prod
from pathlib import Path

import numpy as np

from hw.errors import InputError
from hw.ir import reference
from hw.ir.network import Network
from hw.verilog import (
    arguments,
    assertions,
    layer_testbench,
    random_numbers,
    scripts,
    waivers,
)
from hw.verilog.rtl_folder import Emission

FOLDER = "testbench"
"""Folder of these files in the RTL folder."""

LEAST_FRAMES = 2
"""A reset in mid-frame comes when a frame has left and another one is inside."""

MODULE_SUFFIX = "_tb"


def files(emission: Emission, network: Network, images: np.ndarray, seed: int) -> dict[str, str]:
    """The files by name, below the RTL folder.

    Parameters
    ----------
    emission: the RTL
    network: that it computes
    images: uint8 (N, H, W, C)
    seed: of the stalls and of the moments of the resets, until a run is told another one

    Raises
    ------
    InputError: fewer images than `LEAST_FRAMES`, or of another shape
    """
    reference.check_images(network, images)
    if len(images) < LEAST_FRAMES:
        raise InputError(
            f"frames: {len(images)}; a testbench takes {LEAST_FRAMES} or more: one is cut off by "
            "a reset"
        )
    module = emission.top + MODULE_SUFFIX
    logits = reference.run(network, images)[network.graph.output.name]
    ports = {port["name"]: port for port in emission.manifest["ports"]}
    width = ports["m_axis_tdata"]["width"]
    digits, mask = -(-width // 4), (1 << width) - 1
    control = module + waivers.SUFFIX
    layers = emission.top + layer_testbench.MODULE_SUFFIX
    asserted = emission.top + assertions.SUFFIX
    made = {
        f"{module}.sv": _BENCH.format(
            licence=emission.manifest["licence"],
            step=random_numbers.STEP,
            argument=arguments.FUNCTION,
            read_arguments=arguments.READ,
            top=emission.top,
            module=module,
            weights=_weights(emission),
            frames=len(images),
            bytes=prod(network.graph.input.shape),
            logits=logits[0].size,
            width=width,
            latency=emission.manifest["latency_cycles"],
            period=max(1, round(emission.manifest["cycles_per_frame"])),
            seed=seed % (1 << 31),
            ports=_connections(ports),
        ),
        f"{module}_images.hex": "".join(f"{byte:02x}\n" for byte in images.ravel()),
        f"{module}_logits.hex": "".join(
            f"{int(logit) & mask:0{digits}x}\n" for logit in logits.ravel()
        ),
        **layer_testbench.files(emission, network, seed),
        asserted: assertions.assertions(emission),
        control: waivers.control_file(f"{emission.top}_*.sv", _WAIVED),
        **scripts.files(emission.top, (module, layers), control, asserted),
    }
    return {f"{FOLDER}/{name}": text for name, text in made.items()}


def write(files: Mapping[str, str], folder: Path) -> None:
    """Write the files below the RTL folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(text.encode())


_WAIVED = {
    "DECLFILENAME": ("The assertions' modules are in one file: it cannot be named after each.",),
    "PROCASSINIT": ("Reset is on from the start.",),
    "UNUSEDSIGNAL": ("A layer on its own may have no use for a bit of its input.",),
    "PINCONNECTEMPTY": ("Nothing is loaded: nobody looks at what the AXI4-Lite port says.",),
}  # fmt: skip
"""Rules of Verilator's that are waived in the testbench, each with its reason."""


def _weights(emission: Emission) -> str:
    if "load" not in emission.manifest:
        return ""
    return (
        "// Nothing is loaded through s_axil: the weights are those that the device has after\n"
        "// configuration.\n//\n"
    )


def _connections(ports: dict[str, dict]) -> str:
    """Connections of all ports; inputs of the AXI4-Lite port are 0, its outputs stay open."""
    lines = []
    for name, port in ports.items():
        if not name.startswith("s_axil_"):
            lines.append(f".{name}({name})")
        elif port["direction"] == "in":
            lines.append(f".{name}({port['width']}'d0)")
        else:
            lines.append(f".{name}()")
    return ",\n".join(f"      {line}" for line in lines)


_BENCH = """\
// SPDX-License-Identifier: {licence}
//
// Testbench of {top}: plain SystemVerilog, no Python, no library.
//
//   sh icarus.sh, sh verilator.sh                             these are tried
//   sh questa.sh, sh vcs.sh, sh xcelium.sh, sh xsim.sh        untried: we do not have these tools
//
// {frames} images ({module}_images.hex: a byte a line, in the order of the stream) go through, and
// every logit is compared with the one that the integer reference computes
// ({module}_logits.hex: a line a logit, as m_axis_tdata has it). Every run begins with a
// reset of one cycle. The first ones are cut off by it in mid-frame, the very first before a logit
// has come, the others when a frame has left, every third one between two logits; every other one
// is under stalls. Then all images go through at full speed, then twice under stalls. Source
// and sink pause as a linear-feedback shift register says, in moods that change.
//
{weights}// Checked: every logit and its tlast; valid that is held and a payload that is stable
// until it is taken; nothing unknown on the streams (where the simulator knows X); no logit before
// its frame, none too many; a watchdog. It ends with a line `PASS: ...` and $finish, or at the
// first difference with a line `FAIL: ...` and $fatal. Arguments of the simulation: +seed=N for
// other stalls and moments of resets, +resets=N for the number of runs that are cut off; a value
// that is no whole number ends it. Names that it does not know are the scripts' to find.

`timescale 1ns / 1ps

module {module};
  localparam bit [31:0] FRAMES = {frames};
  localparam bit [31:0] BYTES = {bytes};  // of an image
  localparam bit [31:0] LOGITS = {logits};
  localparam int WIDTH = {width};  // of m_axis_tdata
  localparam bit [31:0] LATENCY = {latency};  // cycles from the first byte to the last logit, about
  localparam bit [31:0] PERIOD = {period};  // cycles a frame takes at full speed
  localparam bit [31:0] STILL = 64 + PERIOD / 4;  // cycles without a beat: all that can be is full
  localparam bit [31:0] SETTLE = 1000;  // cycles watched after the last logit
  localparam bit [31:0] PATIENCE = 20000 + 2 * LATENCY;  // cycles without a beat: it hangs

  bit clk;
  bit rst = 1;
  bit [7:0] s_axis_tdata;
  bit s_axis_tvalid, s_axis_tlast;
  wire s_axis_tready;
  wire [WIDTH-1:0] m_axis_tdata;
  wire m_axis_tvalid, m_axis_tlast;
  bit m_axis_tready;

  {top} dut (
{ports}
  );

  always #5 clk = !clk;

  reg [7:0] images[0:FRAMES*BYTES-1];
  reg [WIDTH-1:0] expected[0:FRAMES*LOGITS-1];

  bit [31:0] seed = {seed};
  bit [31:0] resets = 6;
  bit [31:0] random;

{argument}
  // Marsaglia's xorshift: a linear-feedback shift register, many steps at once.
{step}
  initial begin
    $readmemh("{module}_images.hex", images);
    $readmemh("{module}_logits.hex", expected);
    if (^images[FRAMES*BYTES-1] === 1'bx || ^expected[FRAMES*LOGITS-1] === 1'bx) begin
      $display("FAIL: {module}_images.hex or {module}_logits.hex: not found or cut short");
      $fatal(1);
    end
{read_arguments}    random = step(step((seed + 1) * 32'h9E3779B9 | 1));
  end

  // --- The run: how far it is, and when a reset cuts it off

  bit [31:0] run, cycle, idle;
  bit [31:0] offered, sent, taken;  // beats of this run, at the source, at both ports
  bit [31:0] image_at, logit_at;  // where the next ones stand
  bit [31:0] cut_in;  // cycles until the reset; 0: not yet known
  bit over;
  longint cycles, compared;

  wire cut = run < resets;
  wire between = cut && run % 3 == 2 && LOGITS > 1;  // cut off between two logits of a frame
  wire stalled = cut ? run[0] : run != resets;
  wire [31:0] frames = cut ? 32'hffffffff / BYTES : stalled ? 2 * FRAMES : FRAMES;
  wire complete = !cut && taken == frames * LOGITS;
  wire [31:0] frame = taken / LOGITS;

  // --- Stalls

  bit [1:0] source_mood;
  bit [2:0] sink_mood;
  bit [15:0] source_left, sink_left;  // of the mood: cycles, or logits where it waits for them
  wire still = idle >= STILL;
  wire fills = sink_mood == 2 || sink_mood == 3;
  wire follows = sink_mood == 4 || sink_mood == 5;

  // While the sink lets all fill up, the source does not pause.
  wire hold_source = stalled && !fills && (
      source_mood == 0 ? 1'b0
      : source_mood == 1 ? random[0]
      : source_mood == 2 ? random[2:0] != 0
      : !still);  // a byte each time that all stands still
  wire hold_sink = stalled && (
      sink_mood == 0 ? random[4]
      : sink_mood == 1 ? random[6:4] != 0
      : fills ? !still  // a logit each time that all is full
      : follows ? !m_axis_tvalid || m_axis_tready  // ready only after valid
      : sink_mood == 6 && m_axis_tready);  // every other cycle

  always @(posedge clk) begin
    source_left <= source_left - 1;
    if (source_left == 0) begin
      source_mood <= random[9:8];
      source_left <= 16'd16 << random[12:10];
    end
    if (!(fills || follows) || (m_axis_tvalid && m_axis_tready)) sink_left <= sink_left - 1;
    if (rst) begin
      // At first all fills up.
      sink_mood <= 2;
      sink_left <= 4;
    end else if (sink_left == 0) begin
      sink_mood <= random[16:14];
      sink_left <= random[16:14] >= 2 && random[16:14] <= 5 ? 16'd1 + {{14'd0, random[18:17]}}
          : 16'd16 << random[19:17];
    end
  end

  // --- Source and sink

  wire more = offered < frames * BYTES && !hold_source;

  always @(posedge clk) begin
    random <= step(random);
    if (rst) begin
      s_axis_tvalid <= 0;
      m_axis_tready <= 0;
      offered <= 0;
      image_at <= run % FRAMES * BYTES;
    end else begin
      m_axis_tready <= !hold_sink;
      // A beat that is offered stays until it is taken.
      if (!s_axis_tvalid || s_axis_tready) begin
        s_axis_tvalid <= more;
        if (more) begin
          s_axis_tdata <= images[image_at];
          s_axis_tlast <= offered % BYTES == BYTES - 1;
          offered <= offered + 1;
          image_at <= image_at == FRAMES * BYTES - 1 ? 0 : image_at + 1;
        end
      end
    end
  end

  // --- What comes out

  bit waiting, waiting_last;
  bit [WIDTH-1:0] waiting_data;
  wire surplus = complete && m_axis_tvalid;
  wire early = sent <= frame * BYTES;

  task automatic fail(input string what);
    if (!over) begin
      over = 1;
      $display("FAIL: frame %0d (image %0d), logit %0d: %0s (run %0d, cycle %0d, %0s)", frame,
               (run + frame) % FRAMES, taken % LOGITS, what, run, cycle,
               stalled ? "under stalls" : "at full speed");
      $fatal(1);
    end
  endtask

  always @(posedge clk) begin
    if (rst) begin
      cycle <= 0;
      idle <= 0;
      sent <= 0;
      taken <= 0;
      waiting <= 0;
      logit_at <= run % FRAMES * LOGITS;
      cut_in <= cut && run == 0 ? 1 + random % LATENCY : 0;
    end else begin
      cycle <= cycle + 1;
      cycles <= cycles + 1;
      idle <= idle + 1;
      waiting <= m_axis_tvalid && !m_axis_tready;
      waiting_data <= m_axis_tdata;
      waiting_last <= m_axis_tlast;
      if (^{{s_axis_tready, m_axis_tvalid}} === 1'bx) fail("tvalid or tready is unknown");
      if (m_axis_tvalid && ^{{m_axis_tdata, m_axis_tlast}} === 1'bx)
        fail($sformatf("tdata or tlast is unknown: %b, %b", m_axis_tdata, m_axis_tlast));
      if (waiting && !m_axis_tvalid) fail("tvalid withdrawn before the logit was taken");
      if (waiting && (m_axis_tdata != waiting_data || m_axis_tlast != waiting_last))
        fail($sformatf("tdata or tlast changed from %h, %b to %h, %b before it was taken",
                       waiting_data, waiting_last, m_axis_tdata, m_axis_tlast));
      if (surplus) fail($sformatf("%0d frames have come, and more follows", frames));
      else if (m_axis_tvalid && early) fail("it comes before its frame");
      if (s_axis_tvalid && s_axis_tready) begin
        sent <= sent + 1;
        idle <= 0;
      end
      if (m_axis_tvalid && m_axis_tready && !surplus) begin
        idle <= 0;
        if (m_axis_tdata != expected[logit_at])
          fail($sformatf("expected %0d, got %0d", $signed(expected[logit_at]),
                         $signed(m_axis_tdata)));
        if (m_axis_tlast != (taken % LOGITS == LOGITS - 1))
          fail($sformatf("tlast is %b", m_axis_tlast));
        compared <= compared + 1;
        taken <= taken + 1;
        logit_at <= logit_at == FRAMES * LOGITS - 1 ? 0 : logit_at + 1;
      end
      if (idle >= PATIENCE)
        fail($sformatf("hang: %0d cycles without a beat, %0d bytes taken, offered %0d", idle, sent,
                       offered));
      if (cut_in != 0) cut_in <= cut_in - 1;
      else if (cut && !between && taken >= LOGITS) cut_in <= 1 + random % PERIOD;
    end
  end

  // --- The next run

  wire done = complete && idle >= SETTLE;
  wire cut_off = cut_in == 1 || (between && taken > LOGITS && taken % LOGITS != 0);

  always @(posedge clk) begin
    rst <= 0;
    if (!rst && !over && (done || cut_off)) begin
      if (done && stalled) begin
        $write("PASS: %0d frames at full speed, twice under stalls, ", FRAMES);
        $display("%0d resets in mid-frame, %0d logits equal, %0d cycles", resets, compared, cycles);
        $finish;
      end
      rst <= 1;
      run <= run + 1;
    end
  end
endmodule
"""
