"""A testbench of an overlay with a network's program that needs no Python: plain SystemVerilog,
vectors, scripts.

RTL/testbench/NAME_tb.sv            the testbench
RTL/testbench/NAME_tb_program.hex   the program's packet, a beat a line: `tlast` above its 16 bits
RTL/testbench/NAME_tb_images.hex    images, a byte a line
RTL/testbench/NAME_tb_logits.hex    what the integer reference makes of them, a logit a line
RTL/testbench/ecp5_*.v              models of the cells, if the overlay instantiates them
RTL/testbench/NAME_tb.vlt           Verilator's control file, for -Wall
RTL/testbench/*.sh                  a script a simulator, see `hw.verilog.scripts`
"""

from math import prod

import numpy as np

from hw.errors import InputError
from hw.ir import reference
from hw.ir.network import Network
from hw.overlay import isa
from hw.overlay.cycles import cycles
from hw.overlay.header import CRC_WORDS, Status
from hw.overlay.packet import batch, opening
from hw.overlay.program import Program
from hw.overlay.registers import ADDRESS_BITS, FLUSH, IDENTITY, RESET, VERSION, Register
from hw.verilog import arguments, ecp5_cells, random_numbers, scripts, waivers
from hw.verilog.rtl_folder import Emission
from hw.verilog.testbench import FOLDER, LEAST_FRAMES, MODULE_SUFFIX

LAST = 1 << isa.WORD_BITS
"""Bit of a line of the packet: its last word."""


def files(
    emission: Emission, network: Network, program: Program, images: np.ndarray, seed: int
) -> dict[str, str]:
    """The files by name, below the RTL folder.

    Parameters
    ----------
    emission: the overlay's RTL; program: for it, of the network
    images: uint8 (N, H, W, C)
    seed: of the stalls and of the moments of the resets, until a run is told another one

    Raises
    ------
    InputError: fewer images than `LEAST_FRAMES`, or of another shape
    """
    reference.check_images(network, images)
    if len(images) < LEAST_FRAMES:
        raise InputError(f"frames: {len(images)}; a testbench takes {LEAST_FRAMES} or more")
    module = emission.top + MODULE_SUFFIX
    logits = reference.run(network, images)[network.graph.output.name]
    ports = {port["name"]: port for port in emission.manifest["ports"]}
    width = ports["m_axis_tdata"]["width"]
    digits, mask = -(-width // 4), (1 << width) - 1
    control = module + waivers.SUFFIX
    head, words = opening(program), _packet(program, len(images))
    low, high = (int(word) for word in head[-CRC_WORDS:])
    found = cycles(program)
    # A byte of an image has a cycle to itself, and as many are left for captures.
    timed = 2 * images[0].size < int(found.prefix.sum(1).min())
    cells = ecp5_cells.models() if emission.manifest["cells"] else {}
    short = len(images) % program.images != 0
    made = {
        f"{module}.sv": _BENCH.format(
            licence=emission.manifest["licence"],
            step=random_numbers.STEP,
            argument=arguments.FUNCTION,
            read_arguments=arguments.READ,
            top=emission.top,
            module=module,
            frames=len(images),
            bytes=prod(network.graph.input.shape),
            logits=logits[0].size,
            width=width,
            words=len(words),
            opening=len(head),
            memory=program.hardware.words,
            batch=found.batch,
            cycles=found.batch if timed and not short else 0,
            flush=int(short and not program.streamed),
            way="streamed" if program.streamed else "stored",
            address=ADDRESS_BITS + 2,
            seed=seed % (1 << 31),
            ports=",\n".join(f"      .{name}({name})" for name in ports),
            identity=f"{IDENTITY:08x}",
            version=f"{VERSION << 16 | isa.VERSION:08x}",
            fingerprint=f"{program.hardware.fingerprint:08x}",
            crc=f"{high << 16 | low:08x}",
            RESET=RESET,
            FLUSH=FLUSH,
            READY=int(Status.READY),
            DAMAGED=int(Status.DAMAGED),
            **{f"{one.name}_AT": 4 * one for one in Register},
        ),
        f"{module}_program.hex": "".join(f"{word:05x}\n" for word in words),
        f"{module}_images.hex": "".join(f"{byte:02x}\n" for byte in images.ravel()),
        f"{module}_logits.hex": "".join(
            f"{int(logit) & mask:0{digits}x}\n" for logit in logits.ravel()
        ),
        **cells,
        control: waivers.control_file(f"{module}.sv", _WAIVED) + (_OF_CELLS if cells else ""),
        **scripts.files(emission.top, (module,), control, models=[*cells]),
    }
    return {f"{FOLDER}/{name}": text for name, text in made.items()}


def _packet(program: Program, images: int) -> list[int]:
    """The beats of a packet for so many images; of one that is streamed with all its batches."""
    sections = [opening(program)]
    if program.streamed:
        for first in range(0, images, program.images):
            sections.append(batch(program, min(program.images, images - first)))
    words = np.concatenate(sections).tolist()
    words[-1] |= LAST
    return words


_WAIVED = {"PROCASSINIT": ("Reset is on from the start.",)}
"""Rules of Verilator's that are waived in the testbench, each with its reason."""

_OF_CELLS = """\

// Models of cells are for every use of them: ports that stay open, widths, several in a file.
lint_off -file "*ecp5_*.v"
lint_off -rule PINMISSING -file "*.v"
// A block RAM's ports are seen as wholes, whose bits depend on each other: no loop.
lint_off -rule UNOPTFLAT -file "*.v"
"""


_BENCH = """\
// SPDX-License-Identifier: {licence}
//
// Testbench of {top}, an overlay, with a network's program: plain SystemVerilog, no Python, no
// library.
//
//   sh icarus.sh, sh verilator.sh                             these are tried
//   sh questa.sh, sh vcs.sh, sh xcelium.sh, sh xsim.sh        untried: we do not have these tools
//
// The program ({module}_program.hex: a beat of s_axis_program a line, tlast above its
// 16 bits) comes, {way}, and {frames} images go through it ({module}_images.hex: a
// byte a line, in the order of the stream); every logit is compared with the one that the integer
// reference computes ({module}_logits.hex: a line a logit, as m_axis_tdata has it).
// The first runs are cut off by a reset, in turn while the program comes, while images are done,
// between two logits, with the logits held back; four by rst, the next four by CONTROL, half of
// each under stalls. Then a packet that is damaged is refused, all images go through at full speed,
// then twice under stalls, the program once more before the second time. Sources and sink pause as
// a linear-feedback shift register says.
//
// Checked: every logit and its tlast; valid that is held and a payload that is stable until it is
// taken; nothing unknown at the ports (where the simulator knows X); no logit before its frame,
// none too many; what the registers say, the cycles of the last batch at full speed where it does
// not wait for images; that nothing moves in a reset by CONTROL; a watchdog. It ends with a line
// `PASS: ...` and $finish, or at the first difference with a line `FAIL: ...` and $fatal. Arguments
// of the simulation: +seed=N for other stalls and moments of resets, +resets=N for the number of
// runs that are cut off; a value that is no whole number ends it. Names that it does not know are
// the scripts' to find.

`timescale 1ns / 1ps

module {module};
  localparam bit [31:0] FRAMES = {frames};
  localparam bit [31:0] BYTES = {bytes};  // of an image
  localparam bit [31:0] LOGITS = {logits};
  localparam int WIDTH = {width};  // of m_axis_tdata
  localparam bit [31:0] WORDS = {words};  // of the packet
  localparam bit [31:0] OPENING = {opening};  // of them before any image is done
  localparam bit [31:0] BATCH = {batch};  // cycles
  localparam bit [31:0] CYCLES = {cycles};  // that the register says at full speed; 0: not known
  localparam bit FLUSHED = {flush};  // the last batch is short, and the program does not say so
  localparam bit [31:0] LOAD = 2 * OPENING + {memory};  // cycles until images are taken, about
  localparam bit [31:0] STILL = 64;  // cycles without a beat in which all that can be is full
  localparam bit [31:0] SETTLE = 1000;  // cycles watched after the last logit
  localparam bit [31:0] PATIENCE = 20000 + 4 * BATCH + LOAD;  // cycles without a beat: it hangs

  bit clk;
  bit rst = 1;
  bit [15:0] s_axis_program_tdata;
  bit s_axis_program_tvalid, s_axis_program_tlast;
  wire s_axis_program_tready;
  bit [7:0] s_axis_tdata;
  bit s_axis_tvalid, s_axis_tlast;
  wire s_axis_tready;
  wire [WIDTH-1:0] m_axis_tdata;
  wire m_axis_tvalid, m_axis_tlast;
  bit m_axis_tready;
  bit [{address}-1:0] s_axil_awaddr, s_axil_araddr;
  bit s_axil_awvalid, s_axil_wvalid, s_axil_bready, s_axil_arvalid, s_axil_rready;
  bit [31:0] s_axil_wdata;
  bit [3:0] s_axil_wstrb;
  wire s_axil_awready, s_axil_wready, s_axil_bvalid, s_axil_arready, s_axil_rvalid;
  wire [1:0] s_axil_bresp, s_axil_rresp;
  wire [31:0] s_axil_rdata;

  {top} dut (
{ports}
  );

  always #5 clk = !clk;

  reg [16:0] packet[0:WORDS-1];
  reg [7:0] images[0:FRAMES*BYTES-1];
  reg [WIDTH-1:0] expected[0:FRAMES*LOGITS-1];

  bit [31:0] seed = {seed};
  bit [31:0] resets = 8;
  bit [31:0] random;

{argument}
  // Marsaglia's xorshift: a linear-feedback shift register, many steps at once.
{step}
  // --- The run: what the first process below says, and how far it is

  bit off = 1;  // sources and sink are still
  bit pushed;  // they push, in a reset by CONTROL
  bit stalled, blocked, damaged;  // they pause; no logit is taken; the packet's CRC is a wrong one
  bit [31:0] passes, first;  // of packets and all images; number of the first image
  bit [31:0] run;
  bit over;

  bit [31:0] words_offered, words_sent, offered, sent, taken, cycle, idle;
  bit [31:0] word_at, image_at, logit_at;  // where the next ones stand
  bit [2:0] begun;  // the pass's first word was taken so many cycles ago, 3 at most
  bit [31:0] image_pass;  // passes whose images have been taken
  longint cycles, compared;
  wire [31:0] frame = taken / LOGITS;

  task automatic fail(input string what);
    if (!over) begin
      over = 1;
      $display("FAIL: frame %0d (image %0d), logit %0d: %0s (run %0d, cycle %0d, %0s)", frame,
               (first + frame) % FRAMES, taken % LOGITS, what, run, cycle,
               stalled ? "under stalls" : "at full speed");
      $fatal(1);
    end
  endtask

  // --- Sources and sink

  bit [1:0] word_mood, image_mood;
  bit [2:0] sink_mood;
  bit [15:0] word_left, image_left, sink_left;
  wire still = idle >= STILL;

  // Seldom, often, or a beat each time that all stands still.
  function automatic bit hold(input bit [1:0] mood, input bit [2:0] bits, input bit quiet);
    hold = mood == 1 ? bits[0] : mood == 2 ? bits != 0 : mood == 3 && !quiet;
  endfunction

  wire hold_word = stalled && hold(word_mood, random[2:0], still);
  wire hold_image = stalled && hold(image_mood, random[5:3], still);
  wire follows = sink_mood == 4 || sink_mood == 5;
  wire hold_sink = blocked || stalled && (
      follows ? !m_axis_tvalid || m_axis_tready  // ready only after valid
      : sink_mood == 6 ? m_axis_tready  // every other cycle
      : sink_mood != 7 && hold(sink_mood[1:0], random[8:6], still));

  always @(posedge clk) begin
    random <= step(random);
    word_left <= word_left - 1;
    image_left <= image_left - 1;
    sink_left <= sink_left - 1;
    if (word_left == 0) begin
      word_mood <= random[10:9];
      word_left <= 16'd16 << random[13:11];
    end
    if (image_left == 0) begin
      image_mood <= random[15:14];
      image_left <= 16'd16 << random[18:16];
    end
    if (sink_left == 0) begin
      sink_mood <= random[21:19];
      sink_left <= 16'd16 << random[24:22];
    end
  end

  // A packet comes when the images of the one before it have been taken, and its own images when
  // its first word was: what comes earlier belongs to the program before.
  wire [31:0] pass = words_offered / WORDS;
  wire more_words = pass < passes && pass <= image_pass && !hold_word;
  wire wrong = damaged && word_at == OPENING - 1;
  wire [31:0] here = words_sent == 0 ? 0 : (words_sent - 1) / WORDS;  // the packet of the last word
  wire more_bytes = words_sent != 0 && begun == 3 && here == image_pass && !damaged
      && offered < (image_pass + 1) * FRAMES * BYTES && !hold_image;

  always @(posedge clk) begin
    if (off) begin
      s_axis_program_tvalid <= pushed;
      s_axis_tvalid <= pushed;
      m_axis_tready <= pushed;
      words_offered <= 0;
      word_at <= 0;
      offered <= 0;
      image_at <= first * BYTES;
    end else begin
      m_axis_tready <= !hold_sink;
      // A beat that is offered stays until it is taken.
      if (!s_axis_program_tvalid || s_axis_program_tready) begin
        s_axis_program_tvalid <= more_words;
        if (more_words) begin
          s_axis_program_tdata <= packet[word_at][15:0] ^ {{15'd0, wrong}};
          s_axis_program_tlast <= packet[word_at][16];
          words_offered <= words_offered + 1;
          word_at <= word_at == WORDS - 1 ? 0 : word_at + 1;
        end
      end
      if (!s_axis_tvalid || s_axis_tready) begin
        s_axis_tvalid <= more_bytes;
        if (more_bytes) begin
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
  wire surplus = taken == passes * FRAMES * LOGITS && m_axis_tvalid;
  wire early = sent <= frame * BYTES;

  always @(posedge clk) begin
    cycles <= cycles + 1;
    if (off) begin
      cycle <= 0;
      idle <= 0;
      words_sent <= 0;
      begun <= 0;
      image_pass <= 0;
      sent <= 0;
      taken <= 0;
      waiting <= 0;
      logit_at <= first * LOGITS;
      if (pushed && s_axis_program_tvalid
          && (s_axis_program_tready || s_axis_tready || m_axis_tvalid))
        fail("a stream moves in a reset by CONTROL");
    end else begin
      cycle <= cycle + 1;
      idle <= idle + 1;
      waiting <= m_axis_tvalid && !m_axis_tready;
      waiting_data <= m_axis_tdata;
      waiting_last <= m_axis_tlast;
      if (^{{s_axis_tready, s_axis_program_tready, m_axis_tvalid}} === 1'bx)
        fail("tvalid or tready is unknown");
      if (m_axis_tvalid && ^{{m_axis_tdata, m_axis_tlast}} === 1'bx)
        fail($sformatf("tdata or tlast is unknown: %b, %b", m_axis_tdata, m_axis_tlast));
      if (waiting && !m_axis_tvalid) fail("tvalid withdrawn before the logit was taken");
      if (waiting && (m_axis_tdata != waiting_data || m_axis_tlast != waiting_last))
        fail($sformatf("tdata or tlast changed from %h, %b to %h, %b before it was taken",
                       waiting_data, waiting_last, m_axis_tdata, m_axis_tlast));
      if (surplus) fail("all frames have come, and more follows");
      else if (m_axis_tvalid && early) fail("it comes before its frame");
      if (begun != 0 && begun != 3) begun <= begun + 1;
      if (s_axis_program_tvalid && s_axis_program_tready) begin
        words_sent <= words_sent + 1;
        idle <= 0;
        if (words_sent % WORDS == 0) begun <= 1;
      end
      if (s_axis_tvalid && s_axis_tready) begin
        sent <= sent + 1;
        idle <= 0;
        if (sent + 1 == (image_pass + 1) * FRAMES * BYTES) image_pass <= image_pass + 1;
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
        fail($sformatf("hang: %0d cycles without a beat, %0d words and %0d bytes taken", idle,
                       words_sent, sent));
    end
  end

  // --- Registers

  bit address_taken, data_taken;
  bit [31:0] answer, tries;

  task automatic write(input bit [{address}-1:0] address, input bit [31:0] data);
    s_axil_awaddr <= address;
    s_axil_wdata <= data;
    s_axil_wstrb <= 4'hf;
    s_axil_awvalid <= 1;
    s_axil_wvalid <= 1;
    s_axil_bready <= 1;
    address_taken = 0;
    data_taken = 0;
    tries = 0;
    while (!(address_taken && data_taken && s_axil_bvalid)) begin
      @(posedge clk);
      if (s_axil_awvalid && s_axil_awready) begin
        address_taken = 1;
        s_axil_awvalid <= 0;
      end
      if (s_axil_wvalid && s_axil_wready) begin
        data_taken = 1;
        s_axil_wvalid <= 0;
      end
      tries = tries + 1;
      if (tries == 1000) fail($sformatf("register 0x%0h: a write is not answered", address));
    end
    if (s_axil_bresp != 0) fail($sformatf("register 0x%0h: a write is refused", address));
    s_axil_bready <= 0;
    @(posedge clk);
  endtask

  task automatic read(input bit [{address}-1:0] address);
    s_axil_araddr <= address;
    s_axil_arvalid <= 1;
    s_axil_rready <= 1;
    address_taken = 0;
    tries = 0;
    while (!(address_taken && s_axil_rvalid)) begin
      @(posedge clk);
      if (s_axil_arvalid && s_axil_arready) begin
        address_taken = 1;
        s_axil_arvalid <= 0;
      end
      tries = tries + 1;
      if (tries == 1000) fail($sformatf("register 0x%0h: a read is not answered", address));
    end
    answer = s_axil_rdata;
    if (s_axil_rresp != 0) fail($sformatf("register 0x%0h: a read is refused", address));
    s_axil_rready <= 0;
    @(posedge clk);
  endtask

  task automatic require(input bit [{address}-1:0] address, input bit [31:0] value);
    read(address);
    if (answer !== value)
      fail($sformatf("register 0x%0h: expected 0x%08h, got 0x%08h", address, value, answer));
  endtask

  task automatic fresh;
    require({IDENTITY_AT}, 32'h{identity});
    require({VERSION_AT}, 32'h{version});
    require({FINGERPRINT_AT}, 32'h{fingerprint});
    require({CONTROL_AT}, 0);
    require({STATUS_AT}, 0);
    require({CYCLES_AT}, 0);
    require({FRAMES_AT}, 0);
  endtask

  // --- Resets

  task automatic reset(input bit by_register);
    off <= 1;
    blocked <= 0;
    if (by_register) begin
      write({CONTROL_AT}, {RESET});
      pushed <= 1;
      repeat (12) @(posedge clk);
      require({CONTROL_AT}, {RESET});
      require({STATUS_AT}, 0);
      require({FRAMES_AT}, 0);
      pushed <= 0;
      repeat (2) @(posedge clk);
      write({CONTROL_AT}, 0);
    end else begin
      rst <= 1;
      @(posedge clk);
      rst <= 0;
      @(posedge clk);
    end
    fresh();
  endtask

  task automatic start(input bit [31:0] some, input bit pauses);
    passes <= some;
    stalled <= pauses;
    @(posedge clk);
    off <= 0;
    @(posedge clk);
  endtask

  // --- From the first run to the last

  bit [31:0] left;
  bit flushes;

  initial begin
    $readmemh("{module}_program.hex", packet);
    $readmemh("{module}_images.hex", images);
    $readmemh("{module}_logits.hex", expected);
    if (^packet[WORDS-1] === 1'bx || ^images[FRAMES*BYTES-1] === 1'bx
        || ^expected[FRAMES*LOGITS-1] === 1'bx) begin
      $display("FAIL: {module}_program.hex, _images.hex or _logits.hex: not found or cut short");
      $fatal(1);
    end
{read_arguments}    random = step(step((seed + 1) * 32'h9E3779B9 | 1));
  end

  always begin
    repeat (2) @(posedge clk);
    reset(0);
    while (run < resets) begin
      first <= run % FRAMES;
      start(1, run[0] != run[2]);
      flushes = 0;
      left = 1 + random % (run % 4 == 0 ? OPENING : LOAD + 2 * BATCH);
      blocked <= run % 4 == 3;
      while (taken != FRAMES * LOGITS && (
             run % 4 == 2 ? taken == 0 || (LOGITS > 1 && taken % LOGITS == 0)
             : run % 4 == 3 ? !(m_axis_tvalid && still) : left != 0)) begin
        @(posedge clk);
        if (left != 0) left = left - 1;
        if (FLUSHED && !flushes && sent == FRAMES * BYTES) begin
          flushes = 1;
          write({CONTROL_AT}, {FLUSH});
        end
      end
      run <= run + 1;
      reset(run[2]);
    end
    first <= 0;
    damaged <= 1;
    start(1, 0);
    while (words_sent != WORDS) @(posedge clk);
    repeat (16) @(posedge clk);
    require({STATUS_AT}, {DAMAGED});
    off <= 1;
    damaged <= 0;
    @(posedge clk);
    for (int pace = 0; pace < 2; pace = pace + 1) begin
      if (pace == 1) begin
        off <= 1;
        run <= run + 1;
        @(posedge clk);
      end
      start(pace == 1 ? 2 : 1, pace == 1);
      while (words_sent < OPENING) @(posedge clk);
      repeat (16) @(posedge clk);
      read({STATUS_AT});
      if (answer[3:0] != {READY})
        fail($sformatf("register 0x{STATUS_AT:x}: 0x%08h, not ready", answer));
      require({PROGRAM_AT}, 32'h{crc});
      while (sent != passes * FRAMES * BYTES) @(posedge clk);
      if (FLUSHED) write({CONTROL_AT}, {FLUSH});
      while (taken != passes * FRAMES * LOGITS) @(posedge clk);
      while (idle < SETTLE) @(posedge clk);
      if (FLUSHED) write({CONTROL_AT}, 0);
      require({STATUS_AT}, {READY});
      if (pace == 0 && CYCLES != 0) require({CYCLES_AT}, CYCLES);
      require({FRAMES_AT}, (pace == 0 ? FRAMES : 3 * FRAMES) & 32'hffff);
    end
    if (!over) begin
      $write("PASS: %0d frames at full speed, twice under stalls, %0d resets, ", FRAMES, resets);
      $display("%0d logits equal, %0d cycles", compared, cycles);
    end
    $finish;
  end
endmodule
"""
