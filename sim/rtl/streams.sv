// Agents of a co-simulation: they run beside the design without any call into Python, which is what
// makes it fast. All are passive or drive top-level ports only; nothing inside the design is
// touched. Written in what Verilator and Icarus 11 both take.

package agents;
  // Stall patterns, numbered as sim.stalls.PATTERNS lists them.
  localparam int NEVER = 0, ALWAYS_THEN_BURST = 1, BERNOULLI = 2, BURSTS = 3, AFTER_VALID = 4,
      ADVERSARIAL = 5;
  // One frame with each, in turn; the harness knows it beside those.
  localparam int MIXED = 6;
  // Moods of the adversarial pattern.
  localparam int SNAP = 0, BRIM = 1, BORDERS = 2, ALTERNATE = 3, FLOW = 4;
  // Cycles in which nothing moves anywhere: what can be full is full, what can be empty is empty.
  localparam int STILL = 32;

  // Marsaglia's xorshift32: one step.
  function automatic bit [31:0] step(input bit [31:0] x);
    bit [31:0] y;
    y = x ^ (x << 13);
    y = y ^ (y >> 17);
    step = y ^ (y << 5);
  endfunction

  // A start that differs for each agent and is never zero.
  function automatic bit [31:0] start(input bit [31:0] seed, input bit [31:0] id);
    start = step(step(((seed + id + 1) * 32'h9E3779B9) | 1));
  endfunction
endpackage

// Whether an agent holds back in the coming cycle: in frames from `stall_from` on, as `pattern` says.
//
// `other` is what the far side of the handshake does now, `mine` what this agent does; `border` is
// set where the beat in hand is the first or the last one of a row; `idle` counts the cycles in which
// nothing has moved in the whole design, so that no pattern waits for ever. `reluctant` asks a sink
// to be ready only where valid has been seen.
module stream_pauses #(
    parameter int ID = 0
) (
    input bit clk,
    input bit rst,
    input int frame,
    input int stall_from,
    input int pattern,
    input bit [16:0] stall,
    input bit [31:0] seed,
    input int idle,
    input bit mine,
    input bit other,
    input bit border,
    output bit hold,
    output bit reluctant
);
  bit [31:0] random;
  bit paused;
  bit [9:0] left, mood_left;
  int mood;
  wire [31:0] drawn = agents::step(random);
  wire still = idle >= agents::STILL;
  // Short runs are as likely as long ones.
  wire [9:0] run_length = random[25:16] >> random[29:26];
  wire [31:0] kind = pattern == agents::MIXED ? (frame - stall_from) % 5 + 1 : pattern;
  wire active = frame >= stall_from;
  wire seldom = random[1:0] != 0;

  assign reluctant = active && kind == agents::AFTER_VALID;
  assign hold = active && (
      kind == agents::BERNOULLI ? {1'b0, random[15:0]} < stall
      : kind == agents::ALWAYS_THEN_BURST || kind == agents::BURSTS ? paused
      : kind != agents::ADVERSARIAL ? 1'b0
      // Gives up just when the other side comes forward, and seldom meets it.
      : mood == agents::SNAP ? (other || mine) && seldom
      // One beat each time that everything has come to a stop.
      : mood == agents::BRIM ? !still || mine
      : mood == agents::BORDERS ? left != 0
      : mood == agents::ALTERNATE && mine);

  always @(posedge clk) begin
    random <= rst ? agents::start(seed, ID) : drawn;
    if (rst || !active) begin
      paused <= 1;
      left <= 0;
      mood <= agents::FLOW;
      mood_left <= 0;
    end else if (kind == agents::ALWAYS_THEN_BURST) begin
      if (left != 0) left <= left - 1;
      else if (paused == still) begin
        paused <= !still;
        left <= still ? {2'b0, random[15:8]} : 10'd0;
      end
    end else if (kind == agents::ADVERSARIAL) begin
      if (mood_left != 0) mood_left <= mood_left - 1;
      else begin
        mood <= {29'b0, random[18:16]} % 5;
        mood_left <= 10'd16 << random[21:20];
      end
      // A pause once begun is counted down.
      if (left != 0) left <= left - 1;
      else if (mood == agents::BORDERS && border && random[7]) left <= run_length >> 4;
    end else begin
      if (left != 0) left <= left - 1;
      else begin
        paused <= !paused;
        left <= run_length;
      end
    end
  end
endmodule

// Offers the beats of a file (BYTES bytes each, little-endian), `frames` frames of BEATS beats, ROW
// beats a row. It pauses before a beat as `stream_pauses` says, and while `block` is set. A beat once
// offered stays until it is taken. After a reset it starts again.
module stream_source #(
    parameter int ID = 0,
    parameter int WIDTH = 8,
    parameter int BYTES = 1,
    parameter int BEATS = 1,
    parameter int ROW = 1,
    parameter FILE = ""
) (
    input bit clk,
    input bit rst,
    input int frames,
    input int stall_from,
    input int pattern,
    input bit [16:0] stall,
    input bit [31:0] seed,
    input int idle,
    input bit block,
    input bit ready,
    output bit valid,
    output bit last,
    output bit [WIDTH-1:0] payload
);
  int file, code, frame, beat, column;
  bit [8*BYTES-1:0] word;
  wire hold;

  stream_pauses #(
      .ID(ID)
  ) pauses (
      .clk(clk), .rst(rst), .frame(frame), .stall_from(stall_from), .pattern(pattern),
      .stall(stall), .seed(seed), .idle(idle), .mine(valid), .other(ready),
      .border(column == 0 || column == ROW - 1), .hold(hold), .reluctant());

  initial file = $fopen(FILE, "rb");

  always @(posedge clk) begin
    if (rst) begin
      valid  <= 0;
      frame  <= 0;
      beat   <= 0;
      column <= 0;
      code = $rewind(file);
    end else if (!valid || ready) begin
      valid <= 0;
      if (frame < frames && !hold && !block) begin
        for (int k = 0; k < BYTES; k = k + 1) word[8*k+:8] = $fgetc(file) & 8'hFF;
        valid <= 1;
        last <= beat == BEATS - 1;
        payload <= word[WIDTH-1:0];
        beat <= beat == BEATS - 1 ? 0 : beat + 1;
        column <= column == ROW - 1 ? 0 : column + 1;
        if (beat == BEATS - 1) frame <= frame + 1;
      end
    end
  end
endmodule

// Takes beats but where `stream_pauses` says not to, or `block`. Writes the cycle in which each frame ends, one a
// line; after a reset from the start.
module stream_sink #(
    parameter int ID = 0,
    parameter int BEATS = 1,
    parameter int ROW = 1,
    parameter FILE = ""
) (
    input bit clk,
    input bit rst,
    input int stall_from,
    input int pattern,
    input bit [16:0] stall,
    input bit [31:0] seed,
    input int idle,
    input bit block,
    input longint cycle,
    input bit valid,
    output bit ready
);
  int file, frame, beat, column;
  wire hold, reluctant;

  stream_pauses #(
      .ID(ID)
  ) pauses (
      .clk(clk), .rst(rst), .frame(frame), .stall_from(stall_from), .pattern(pattern),
      .stall(stall), .seed(seed), .idle(idle), .mine(ready), .other(valid),
      .border(column == 0 || column == ROW - 1), .hold(hold), .reluctant(reluctant));

  initial file = $fopen(FILE, "w");

  always @(posedge clk) begin
    if (rst) begin
      ready  <= 0;
      frame  <= 0;
      beat   <= 0;
      column <= 0;
      if (frame != 0) begin
        $fclose(file);
        file = $fopen(FILE, "w");
      end
    end else begin
      // Where reluctant, ready rises once valid is seen and falls with the beat, so that a design
      // whose valid waits for ready hangs.
      ready <= !block && (reluctant ? valid && !ready : !hold);
      if (valid && ready) begin
        beat   <= beat == BEATS - 1 ? 0 : beat + 1;
        column <= column == ROW - 1 ? 0 : column + 1;
        if (beat == BEATS - 1) begin
          frame <= frame + 1;
          $fwrite(file, "%0d\n", cycle);
          $fflush(file);
        end
      end
    end
  end
endmodule

// Writes every beat of one stream to a file (WORDS words of 32 bits each, little-endian,
// sign-extended where SIGNED), and checks the stream's rules: valid is not withdrawn, the payload
// does not change before it is taken, no signal is unknown (where the simulator knows X). The first
// breach is written to REPORT as: rule, beat, payload offered, payload now (hexadecimal), cycle.
// After a reset it starts again, but a breach stays one. The beats of runs that are to be cut off go to
// CUT instead, one run after the other, and the number of each run's to a line of RUNS.
module stream_tap #(
    parameter int WIDTH = 8,
    parameter int WORDS = 1,
    parameter bit SIGNED = 0,
    parameter int BEATS = 1,
    parameter FILE = "",
    parameter CUT = "",
    parameter RUNS = "",
    parameter REPORT = ""
) (
    input bit clk,
    input bit rst,
    input bit cutting,
    input int frames,
    input bit flush,
    input longint cycle,
    input logic valid,
    input logic ready,
    input logic [WIDTH-1:0] payload,
    output bit complete,
    output bit broken
);
  int file, report, runs, count;
  bit waiting, running;
  bit [WIDTH-1:0] offered;
  // Beats are written sixteen at a time: a call costs more than the words it writes.
  localparam int CHUNK = 16;
  bit [32*WORDS-1:0] word;
  bit [32*WORDS*CHUNK-1:0] buffer;
  bit [3:0] fill;

`ifdef VERILATOR
  wire unknown = 0;
`else
  wire unknown = ^{valid, ready, valid & ^payload} === 1'bx;
`endif

  // Files of an earlier run in the same folder are emptied; one of the two is open at a time.
  initial begin
    file = $fopen(CUT, "wb");
    $fclose(file);
    runs = $fopen(RUNS, "w");
    $fclose(runs);
    file = $fopen(FILE, "wb");
  end

  always @(posedge clk) begin
    if (rst) begin
      count <= 0;
      complete <= 0;
      waiting <= 0;
      running <= 0;
      if (running) begin
        runs = $fopen(RUNS, "a");
        $fwrite(runs, "%0d\n", count);
        $fclose(runs);
      end
    end else begin
      running <= 1;
      if (!running) begin
        $fclose(file);
        if (cutting) file = $fopen(CUT, "ab");
        else file = $fopen(FILE, "wb");
      end
      waiting <= valid && !ready;
      if (valid) offered <= payload;
      if (!broken && (unknown || waiting && (!valid || payload != offered))) begin
        broken <= 1;
        report = $fopen(REPORT, "w");
        $fwrite(report, "%0s %0d %0h %0h %0d\n", unknown ? "unknown" : !valid ? "withdrawn" :
                "changed", count, offered, payload, cycle);
        $fclose(report);
      end
      if (valid && ready) begin
        word = {32 * WORDS{SIGNED && payload[WIDTH-1]}};
        word[WIDTH-1:0] = payload;
        buffer[32*WORDS*fill+:32*WORDS] = word;
        fill = fill + 1;
        if (fill == 0) $fwrite(file, "%u", buffer);
        count <= count + 1;
        complete <= count + 1 >= BEATS * frames;
      end
    end
    if (flush || rst && running) begin
      for (int k = 0; k < WORDS * fill; k = k + 1) $fwrite(file, "%u", buffer[32*k+:32]);
      fill = 0;
      $fflush(file);
    end
  end
endmodule

// Checks that tlast comes with the last beat of each frame and with no other, in every cycle in which
// the beat is on offer: like the payload it may neither come late nor wait for ready. The first breach
// is written to REPORT as: beat in its frame, frame, tlast, tlast expected, whether the beat is held
// back, cycle. `seen`: last beats were held back, were taken in the cycle in which they were
// offered.
module stream_last #(
    parameter int BEATS = 1,
    parameter REPORT = ""
) (
    input bit clk,
    input bit rst,
    input longint cycle,
    input bit valid,
    input bit ready,
    input logic last,
    output bit wrong,
    output bit [1:0] seen
);
  int report, beat, frame;
  bit waiting;
  wire due = beat == BEATS - 1;

  always @(posedge clk) begin
    waiting <= !rst && valid && !ready;
    if (rst) seen <= 0;
    else if (valid && due) seen <= seen | {ready && !waiting, !ready};
    if (rst) begin
      beat  <= 0;
      frame <= 0;
    end else if (valid) begin
      if (ready) begin
        beat <= due ? 0 : beat + 1;
        if (due) frame <= frame + 1;
      end
      // An unknown level is wrong as well, where the simulator knows X.
      if (!wrong && last !== due) begin
        wrong  <= 1;
        report = $fopen(REPORT, "w");
        $fwrite(report, "%0d %0d %b %b %b %0d\n", beat, frame, last, due, !ready, cycle);
        $fclose(report);
      end
    end
  end
endmodule

// Checks that a FIFO holds the beats it should: never more, and it refuses one only when it has them
// all. (In block RAM a beat takes some cycles from its place to the output.)
module fifo_watch #(
    parameter int DEPTH = 2
) (
    input bit clk,
    input bit rst,
    input bit i_valid,
    input bit i_ready,
    input bit o_valid,
    input bit o_ready,
    output bit wrong
);
  int fill, refused;

  always @(posedge clk) begin
    if (rst) begin
      fill <= 0;
      refused <= 0;
    end else begin
      fill <= fill + (i_valid && i_ready ? 1 : 0) - (o_valid && o_ready ? 1 : 0);
      refused <= i_ready ? 0 : refused + 1;
      if (fill > DEPTH || (!i_ready && refused > 3 && fill < DEPTH)) wrong <= 1;
    end
  end
endmodule
