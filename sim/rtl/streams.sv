// Agents of a co-simulation: they run beside the design without any call into Python, which is what
// makes it fast. All are passive or drive top-level ports only; nothing inside the design is
// touched.

package agents;
  // Marsaglia's xorshift32: one step.
  function automatic bit [31:0] step(bit [31:0] x);
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return x;
  endfunction

  // A start that differs for each agent and is never zero.
  function automatic bit [31:0] start(bit [31:0] seed, int id);
    return step(step(((seed + 32'(id) + 1) * 32'h9E3779B9) | 1));
  endfunction
endpackage

// When an agent holds back, from frame `stall_from` on: in every other frame in each cycle by itself,
// with probability stall / 65536; in the frames between for 1 to 1024 cycles on end, which fills
// every FIFO, then flows for as long.
module stream_pauses #(
    int ID = 0
) (
    input bit clk,
    input bit rst,
    input int frame,
    input int stall_from,
    input bit [16:0] stall,
    input bit [31:0] seed,
    output bit pause
);
  bit [31:0] random;
  bit [9:0] left;
  bit resting;
  wire [31:0] stalled = 32'(frame - stall_from);

  assign pause = frame >= stall_from && stall != 0 &&
      (stalled[0] ? resting : {1'b0, random[15:0]} < stall);

  always @(posedge clk) begin
    random <= rst ? agents::start(seed, ID) : agents::step(random);
    left <= left - 1;
    if (left == 0) begin
      resting <= !resting;
      // Short ones are as likely as long ones.
      left <= random[25:16] >> random[29:26];
    end
    if (rst) begin
      left <= 0;
      resting <= 0;
    end
  end
endmodule

// Offers the beats of a file (BYTES bytes each, little-endian), `frames` frames of BEATS beats.
// It pauses before a beat as `stream_pauses` says. A beat once offered stays until it is taken. After
// a reset it starts again.
module stream_source #(
    int ID = 0,
    int WIDTH = 8,
    int BYTES = 1,
    int BEATS = 1,
    string FILE = ""
) (
    input bit clk,
    input bit rst,
    input int frames,
    input int stall_from,
    input bit [16:0] stall,
    input bit [31:0] seed,
    input bit ready,
    output bit valid,
    output bit last,
    output bit [WIDTH-1:0] payload
);
  int file, frame, beat;
  bit pause;
  bit [8*BYTES-1:0] word;

  stream_pauses #(.ID(ID)) pauses (.*);

  initial file = $fopen(FILE, "rb");

  always @(posedge clk) begin
    if (rst) begin
      valid <= 0;
      frame <= 0;
      beat  <= 0;
      void'($rewind(file));
    end else if (!valid || ready) begin
      valid <= 0;
      if (frame < frames && !pause) begin
        for (int k = 0; k < BYTES; k++) word[8*k+:8] = 8'($fgetc(file));
        valid <= 1;
        last <= beat == BEATS - 1;
        payload <= WIDTH'(word);
        beat <= beat == BEATS - 1 ? 0 : beat + 1;
        if (beat == BEATS - 1) frame <= frame + 1;
      end
    end
  end
endmodule

// Takes beats but where `stream_pauses` says not to. Writes the cycle in which each frame ends, one a
// line; after a reset from the start.
module stream_sink #(
    int ID = 0,
    int BEATS = 1,
    string FILE = ""
) (
    input bit clk,
    input bit rst,
    input int stall_from,
    input bit [16:0] stall,
    input bit [31:0] seed,
    input longint cycle,
    input bit valid,
    output bit ready
);
  int file, frame, beat;
  bit pause;

  stream_pauses #(.ID(ID)) pauses (.*);

  initial file = $fopen(FILE, "w");

  always @(posedge clk) begin
    if (rst) begin
      ready <= 0;
      frame <= 0;
      beat  <= 0;
      if (frame != 0) begin
        $fclose(file);
        file = $fopen(FILE, "w");
      end
    end else begin
      ready <= !pause;
      if (valid && ready) begin
        beat <= beat == BEATS - 1 ? 0 : beat + 1;
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
// sign-extended where SIGNED), and checks that valid is not withdrawn and that the payload does not
// change before it is taken. After a reset it starts again.
module stream_tap #(
    int WIDTH = 8,
    int WORDS = 1,
    bit SIGNED = 0,
    int BEATS = 1,
    string FILE = ""
) (
    input bit clk,
    input bit rst,
    input int frames,
    input bit flush,
    input bit valid,
    input bit ready,
    input bit [WIDTH-1:0] payload,
    output bit complete,
    output bit broken
);
  int file, count;
  bit waiting;
  bit [WIDTH-1:0] offered;
  bit [32*WORDS-1:0] word;
  // Beats are written sixteen at a time: a call costs more than the words it writes.
  localparam int CHUNK = 16;
  bit [32*WORDS*CHUNK-1:0] buffer;
  bit [3:0] fill;

  initial file = $fopen(FILE, "wb");

  always @(posedge clk) begin
    if (rst) begin
      count <= 0;
      complete <= 0;
      waiting <= 0;
      fill = 0;
      if (count != 0) begin
        $fclose(file);
        file = $fopen(FILE, "wb");
      end
    end else begin
      waiting <= valid && !ready;
      if (valid) offered <= payload;
      if (waiting && (!valid || payload != offered)) broken <= 1;
      if (valid && ready) begin
        word = SIGNED ? (32*WORDS)'($signed(payload)) : (32*WORDS)'(payload);
        buffer[32*WORDS*int'(fill)+:32*WORDS] = word;
        fill = fill + 1;
        if (fill == 0) $fwrite(file, "%u", buffer);
        count <= count + 1;
        complete <= count + 1 >= BEATS * frames;
      end
    end
    if (flush) begin
      for (int k = 0; k < WORDS * int'(fill); k++) $fwrite(file, "%u", buffer[32*k+:32]);
      fill = 0;
      $fflush(file);
    end
  end
endmodule
