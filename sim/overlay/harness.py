"""Generates the SystemVerilog around an overlay: agents on its ports, a log of its data memory.

What they send is in files, and how much of it when is in a script (`sim.overlay.script`): one model
serves all programs. Nothing in here depends on a network.
"""

from dataclasses import dataclass
from pathlib import Path

from hw.overlay.banks import depths
from hw.overlay.hardware import Overlay
from hw.overlay.registers import ADDRESS_BITS
from hw.overlay.rtl.micro_op import LOAD_TO_ADD, READ_TO_LOAD, TAKE_TO_WRITE
from sim.harness import AXI_LITE, SETTLE, STILL

TOP = "overlay_harness"

RUNNING, DONE, HUNG, SURPLUS, REFUSED, LEAKED = range(6)
"""Values of `stop`: still running; script and logits are through; nothing moved, or it took too
long; a logit too many; an answer of a register that was not expected; a stream that moved in a
reset by the register."""

PROGRAM, IMAGES, PROGRAM_SENT, IMAGES_SENT, LOGITS, CALM, PUSH, PAUSE = range(3, 11)
"""Orders of a script: so many beats more of programs or of images may be sent; wait until all that
may have been; until so many logits have left; from now on programs do not pause, or do as the
run's pauses say; every stream is pushed, in a reset, where none may move; wait for so many
cycles."""

RESET_ACCESSES = 1 << 20
"""Number of the first access of a reset by the register."""

AGENTS = Path(__file__).parents[1] / "rtl" / "overlay.sv"

CAPTURE, RESET = 1, 2
"""Flags of a record of the data memory's log."""

STORE = 1 << 31
"""In the first word of a row: it is written. Its lower half is the address."""

CAPTURE_TO_WRITE = 1 + READ_TO_LOAD + LOAD_TO_ADD + TAKE_TO_WRITE + 1
"""Cycles from a capture's step in `Issue` to its write: the micro-operation's register, the
array's, and the leaf of the control at the memory."""

WRITES, BATCHES, LOADS, SINK = "writes.bin", "batches.txt", "loads.txt", "sink.txt"
LOGIT_FILES = {"FILE": "logits.bin", "CUT": "logits_cut.bin", "RUNS": "logits_runs.txt",
               "REPORT": "logits_broken.txt"}  # fmt: skip
PROGRAM_FILE, IMAGE_FILE, SCRIPT, SCRIPT_RESULT, RESET_SCRIPT = (
    "program.bin", "images.bin", "script.txt", "script_result.txt", "script_reset.txt",
)  # fmt: skip
RESET_LIST, RESET_LOG = "resets.txt", "reset_log.txt"


@dataclass(frozen=True)
class Harness:
    """The generated text and what its files mean.

    Parameters
    ----------
    text: SystemVerilog; top module `TOP`
    overlay: that is inside
    record_words: of 32 bits, of a record of the data memory's log: flags; for each row its address
        and whether it is written; for each row the columns that are; half a word for each pixel
    logit_words: of 32 bits, of a logit's beat: its value, `tlast` above it
    inside: whether there is such a log
    """

    text: str
    overlay: Overlay
    record_words: int
    logit_words: int
    inside: bool


def logit_width(overlay: Overlay) -> int:
    """Bits of a logit's data, padded to bytes."""
    return -(-overlay.logit_bits // 8) * 8


def column_words(overlay: Overlay) -> int:
    """Words of 32 bits that say which columns of a row are written."""
    return -(-overlay.columns // 32)


def generate(overlay: Overlay, module: str, *, inside: bool = True) -> Harness:
    """The harness of an overlay whose module is called `module`.

    inside: look at its data memory; not where the hierarchy is gone
    """
    rows, columns = overlay.rows, overlay.columns
    pixel_words = -(-rows * columns // 2)
    width = 32 * (rows + rows * column_words(overlay) + pixel_words)
    bits = logit_width(overlay) + 1
    names = [(name, size or ADDRESS_BITS + 2) for name, size in AXI_LITE.items()]
    text = _HARNESS.format(
        top=TOP,
        module=f"\\{module} " if "." in module else module,
        settle=SETTLE,
        still=STILL,
        address=ADDRESS_BITS + 2,
        declared="".join(f"  bit [{size - 1}:0] axil_{name};\n" for name, size in names),
        joined=", ".join(f".{name}(axil_{name})" for name, _ in names),
        ports=", ".join(f".s_axil_{name}(axil_{name})" for name, _ in names),
        logit_bits=bits,
        logit_words=-(-bits // 32),
        width=width,
        words=1 + width // 32,
        what=_what(overlay, pixel_words) if inside else f"{width}'d0",
        store=_any_store(overlay) if inside else "1'b0",
        captures="!dut.core.sequencer.write_ready" if inside else "1'b0",
        batch="dut.core.batch" if inside else "1'b0",
        waiting="dut.core.waiting" if inside else "1'b0",
        running="dut.core.running" if inside else "1'b0",
        delay=CAPTURE_TO_WRITE,
        logit_files=", ".join(f'.{name}("{file}")' for name, file in LOGIT_FILES.items()),
        program_file=PROGRAM_FILE,
        image_file=IMAGE_FILE,
        script=SCRIPT,
        script_result=SCRIPT_RESULT,
        reset_script=RESET_SCRIPT,
        RESET_ACCESSES=RESET_ACCESSES,
        writes=WRITES,
        batches=BATCHES,
        loads=LOADS,
        sink=SINK,
        list=RESET_LIST,
        log=RESET_LOG,
        PROGRAM=PROGRAM,
        IMAGES=IMAGES,
        PROGRAM_SENT=PROGRAM_SENT,
        IMAGES_SENT=IMAGES_SENT,
        LOGITS=LOGITS,
        CALM=CALM,
        PUSH=PUSH,
        HUNG=HUNG,
        REFUSED=REFUSED,
        LEAKED=LEAKED,
    )
    return Harness(text, overlay, 1 + width // 32, -(-bits // 32), inside)


def _any_store(overlay: Overlay) -> str:
    banks = range(len(depths(overlay.words)))
    return " | ".join(
        f"dut.core.array.memory{row}.store{bank}" for row in range(overlay.rows) for bank in banks
    )


def _what(overlay: Overlay, pixel_words: int) -> str:
    """The bits of a record behind its flags, highest first."""
    array, sizes = "dut.core.array", depths(overlay.words)
    places, enables = [], []
    spare = 32 * column_words(overlay) - overlay.columns
    for row in range(overlay.rows):
        memory = f"{array}.memory{row}"
        bits = [(size - 1).bit_length() for size in sizes]
        addresses = [f"{{{16 - b}'d0, {memory}.write{n}}}" for n, b in enumerate(bits)]
        address, store = addresses[0], f"{memory}.store0"
        if len(sizes) > 1:
            address = f"({memory}.store1 ? {addresses[1]} + 16'd{sizes[0]} : {address})"
            store = f"({store} | {memory}.store1)"
        places.append(f"{{{store}, 15'd0, {address}}}")
        enables.append(f"{{{spare}'d0, {memory}.enable}}" if spare else f"{memory}.enable")
    pixels = [
        f"{{{16 - overlay.data_bits}'d0, {array}.lane{row}_{column}.pixel}}"
        if overlay.data_bits < 16
        else f"{array}.lane{row}_{column}.pixel"
        for row in range(overlay.rows)
        for column in range(overlay.columns)
    ]
    if len(pixels) < 2 * pixel_words:
        pixels.append("16'd0")
    return "{" + ",\n      ".join(reversed([*places, *enables, *pixels])) + "}"


_HARNESS = """\
// Generated: agents around the overlay under test.
module {top};
  bit clk, go, rst = 1, flush;
  int stall_from, pattern, patience, expected, idle, quiet, longest_idle, stop;
  int resets, resets_done, most_cycles;
  bit [16:0] stall;
  bit [31:0] seed;
  longint cycle;
  bit broken, unknown;

  // Before the run proper, `resets` others are cut off; each is told when by a line of a file:
  // the cycle since the first program was granted, what is held back from then on (1 logits,
  // 2 programs and images), whether it stalls, and whether the reset is by the register. Then it is
  // applied `aside` from the script, agents are `halted` meanwhile, and `pushed` streams must stand
  // still.
  int moments, log, code, cut_at, hold, stalled, by_register, since;
  bit read, aside, halted, pushed;
  wire applied, returned, failed;
  wire off = rst || halted;
  // From before the reset begins: its first cycle counts as well, in which the write is answered.
  wire pushing = pushed || halted && applied;
  wire cutting = resets_done < resets;
  wire due = cutting && since != 0 && since >= cut_at;
  wire again = !off && !aside && due && (hold == 0 || idle >= {still});
  wire ends = aside ? applied && !halted : again && by_register == 0;
  wire [31:0] stalls = !cutting ? stall_from : stalled != 0 ? 0 : 32'h7FFFFFFF;

  // What may be sent, and what has been.
  int program_granted, program_sent, image_granted, image_sent, logits_taken, paused;
  bit finished, ordering, ordered, calm;
  int order;
  bit [31:0] argument;
{declared}
  wire program_valid, program_ready, image_valid, image_ready, logit_valid, logit_ready, logit_last;
  wire [16:0] program_payload;
  wire [8:0] image_payload;
  wire [{logit_bits}-2:0] logit_data;
  wire [{logit_bits}-1:0] logit_payload = {{logit_last, logit_data}};

  {module} dut (
      .clk(clk), .rst(rst),
      .s_axis_program_tvalid(program_valid | pushing), .s_axis_program_tready(program_ready),
      .s_axis_program_tdata(program_payload[15:0]), .s_axis_program_tlast(program_payload[16]),
      .s_axis_tvalid(image_valid | pushing), .s_axis_tready(image_ready),
      .s_axis_tdata(image_payload[7:0]), .s_axis_tlast(image_payload[8]),
      .m_axis_tvalid(logit_valid), .m_axis_tready(logit_ready | pushing), .m_axis_tdata(logit_data),
      .m_axis_tlast(logit_last),
      {ports});

  axil_master #(.ADDRESS({address}), .FILE("{script}"), .RESULT("{script_result}"), .AGAIN(1),
      .ASIDE("{reset_script}"), .ASIDE_FROM({RESET_ACCESSES}), .PATIENCE(5000))
  master (
      .clk, .rst, .seed, .done(finished), .failed, .aside, .applied, .returned,
      .ordering, .order, .argument, .ordered,
      {joined});

  overlay_source #(.ID(1), .WIDTH(17), .BYTES(4), .ALWAYS(1), .FILE("{program_file}")) programs (
      .clk, .rst(off), .granted(program_granted),
      .stall_from(calm ? 32'h7FFFFFFF : stalls), .pattern, .stall, .seed, .idle,
      .block(due && hold == 2), .ready(program_ready), .valid(program_valid),
      .payload(program_payload), .delivered(program_sent));
  overlay_source #(.ID(2), .FILE("{image_file}")) images (
      .clk, .rst(off), .granted(image_granted), .stall_from(stalls), .pattern, .stall, .seed, .idle,
      .block(due && hold == 2), .ready(image_ready), .valid(image_valid), .payload(image_payload),
      .delivered(image_sent));
  overlay_sink #(.ID(3), .FILE("{sink}")) sink (
      .clk, .rst(off), .stall_from(stalls), .pattern, .stall, .seed, .idle,
      .block(due && hold == 1), .cycle, .valid(logit_valid), .last(logit_last),
      .ready(logit_ready), .taken(logits_taken));
  stream_tap #(.WIDTH({logit_bits}), .WORDS({logit_words}), {logit_files}) tap (
      .clk, .rst(off), .cutting, .frames(expected), .flush, .cycle, .valid(logit_valid),
      .ready(logit_ready), .payload(logit_payload), .complete(), .broken);

  // Captures on their way to the memory.
  bit [{delay}:0] captures;
  wire store = {store};
  wire [{width}-1:0] what = {what};
  always @(posedge clk) captures <= off ? 0 : {{captures[{delay}-1:0], {captures}}};
  overlay_writes #(.WIDTH({width}), .WORDS({words}), .FILE("{writes}")) writes (
      .clk, .rst(off), .flush, .capture(captures[{delay}-1]), .store, .what, .unknown);

  // Batches: the run, the cycle in which the last word is decoded, the cycles that the batch took
  // without those that it waited for images, and these. Beside them, when a program may begin.
  int batches, batch_cycles, waited, loads;
  bit ran;
  initial begin
    batches = $fopen("{batches}", "w");
    loads = $fopen("{loads}", "w");
  end
  always @(posedge clk) begin
    ran <= !off && {running};
    if (!off && {running} && !ran) begin
      $fwrite(loads, "%0d %0d\\n", resets_done, cycle);
      $fflush(loads);
    end
    batch_cycles <= off || !{running} || {batch} ? 1 : batch_cycles + ({waiting} ? 0 : 1);
    waited <= off || !{running} || {batch} ? 0 : waited + ({waiting} ? 1 : 0);
    if (!off && {batch}) begin
      $fwrite(batches, "%0d %0d %0d %0d\\n", resets_done, cycle, batch_cycles, waited);
      $fflush(batches);
    end
  end

  always @(posedge clk) begin
    ordered <= 0;
    paused <= ordering && !ordered ? paused + 1 : 0;
    if (rst || ends) begin
      program_granted <= 0;
      image_granted <= 0;
      calm <= 0;
      pushed <= 0;
    end else if (ordering && !ordered) begin
      case (order)
        {PROGRAM}: begin
          program_granted <= program_granted + argument;
          ordered <= 1;
        end
        {IMAGES}: begin
          image_granted <= image_granted + argument;
          ordered <= 1;
        end
        {CALM}: begin
          calm <= argument != 0;
          ordered <= 1;
        end
        {PUSH}: begin
          pushed <= argument != 0;
          ordered <= 1;
        end
        {PROGRAM_SENT}: ordered <= program_sent == program_granted;
        {IMAGES_SENT}: ordered <= image_sent == image_granted;
        {LOGITS}: ordered <= {{32'd0, logits_taken}} >= {{32'd0, argument}};
        default: ordered <= {{32'd0, paused}} >= {{32'd0, argument}};
      endcase
    end
  end

  initial begin
    moments = $fopen("{list}", "r");
    log = $fopen("{log}", "w");
  end

  always @(posedge clk) begin
    rst <= !go || again && by_register == 0;
    aside <= !returned && (aside || again && by_register != 0);
    halted <= !returned && (halted || applied);
    if (ends) begin
      resets_done <= resets_done + 1;
      $fwrite(log, "%0d %0d %0d %0d %0d\\n", cycle, program_sent, image_sent, logits_taken, hold);
      $fflush(log);
    end
    if (!off) read <= 0;
    else if (go && cutting && !read) begin
      code = $fscanf(moments, "%d %d %d %d\\n", cut_at, hold, stalled, by_register);
      read <= 1;
    end
  end

  wire moves = program_valid && program_ready || image_valid && image_ready
      || logit_valid && logit_ready;

  always @(posedge clk) begin
    flush <= 0;
    since <= off || since == 0 && program_granted == 0 ? 0 : since + 1;
    if (off) begin
      cycle <= 0;
      idle <= 0;
      quiet <= 0;
    end
    if (rst) stop <= 0;
    else if (stop == 0 && failed) begin
      stop <= {REFUSED};
      flush <= 1;
    end else if (stop == 0 && (pushed || pushing && axil_bvalid)
        && (program_ready || image_ready || logit_valid)) begin
      stop <= {LEAKED};
      flush <= 1;
    end else if (!off) begin
      cycle <= cycle + 1;
      idle <= moves ? 0 : idle + 1;
      quiet <= moves || store ? 0 : quiet + 1;
      if (stop == 0) begin
        if (quiet > longest_idle && !finished) longest_idle <= quiet;
        if (!cutting && logits_taken > expected) stop <= 3;
        else if (finished && idle >= {settle} && !cutting && logits_taken == expected) stop <= 1;
        else if (!cutting && quiet >= patience || cycle >= {{32'd0, most_cycles}}) stop <= 2;
        if (!cutting && (logits_taken > expected
            || finished && idle >= {settle} && logits_taken == expected || quiet >= patience)
            || cycle >= {{32'd0, most_cycles}}) flush <= 1;
      end
    end
  end
endmodule
"""
