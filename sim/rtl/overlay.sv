// Agents of an overlay's co-simulation: as those of streams.sv, but the lengths of what they send and
// take are told when they run, so that one model serves all programs.

// Offers the beats of a file (BYTES bytes each, little-endian, the highest bit of WIDTH tells a
// frame's or a packet's last), up to `granted` of them, counted from the reset. It pauses before a
// beat as `stream_pauses` says, and while `block` is set. After a reset it starts again.
module overlay_source #(
    parameter int ID = 0,
    parameter int WIDTH = 9,
    parameter int BYTES = 2,
    // Whether every beat counts as one of the frames that pause.
    parameter bit ALWAYS = 0,
    parameter FILE = ""
) (
    input bit clk,
    input bit rst,
    input int granted,
    input int stall_from,
    input int pattern,
    input bit [16:0] stall,
    input bit [31:0] seed,
    input int idle,
    input bit block,
    input bit ready,
    output bit valid,
    output bit [WIDTH-1:0] payload,
    output int delivered
);
  // Of `stall_from`: no frame pauses.
  localparam int NEVER = 32'h7FFFFFFF;
  int file, code, frame, offered;
  bit first;
  bit [8*BYTES-1:0] word;
  wire hold;
  wire taken = valid && ready;

  stream_pauses #(
      .ID(ID)
  ) pauses (
      .clk(clk), .rst(rst), .frame(ALWAYS && stall_from != NEVER ? stall_from + frame : frame),
      .stall_from(stall_from), .pattern(pattern), .stall(stall), .seed(seed), .idle(idle), .mine(valid), .other(ready),
      .border(first), .hold(hold), .reluctant());

  initial file = $fopen(FILE, "rb");

  always @(posedge clk) begin
    if (rst) begin
      valid <= 0;
      frame <= 0;
      offered <= 0;
      delivered <= 0;
      first <= 1;
      code = $rewind(file);
    end else begin
      if (taken) delivered <= delivered + 1;
      if (!valid || ready) begin
        valid <= 0;
        if (offered < granted && !hold && !block) begin
          for (int k = 0; k < BYTES; k = k + 1) word[8*k+:8] = $fgetc(file) & 8'hFF;
          valid <= 1;
          payload <= word[WIDTH-1:0];
          offered <= offered + 1;
          first <= word[WIDTH-1];
          if (word[WIDTH-1]) frame <= frame + 1;
        end
      end
    end
  end
endmodule

// Takes beats but where `stream_pauses` says not to, or `block`. Writes the cycle in which each frame
// ends, one a line; after a reset from the start.
module overlay_sink #(
    parameter int ID = 0,
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
    input bit last,
    output bit ready,
    output int taken
);
  int file, frame;
  bit first;
  wire hold, reluctant;

  stream_pauses #(
      .ID(ID)
  ) pauses (
      .clk(clk), .rst(rst), .frame(frame), .stall_from(stall_from), .pattern(pattern),
      .stall(stall), .seed(seed), .idle(idle), .mine(ready), .other(valid), .border(first),
      .hold(hold), .reluctant(reluctant));

  initial file = $fopen(FILE, "w");

  always @(posedge clk) begin
    if (rst) begin
      ready <= 0;
      taken <= 0;
      first <= 1;
      if (frame != 0) begin
        $fclose(file);
        file = $fopen(FILE, "w");
      end
      frame <= 0;
    end else begin
      // Where reluctant, ready rises once valid is seen and falls with the beat, so that a design
      // whose valid waits for ready hangs.
      ready <= !block && (reluctant ? valid && !ready : !hold);
      if (valid && ready) begin
        taken <= taken + 1;
        first <= last;
        if (last) begin
          frame <= frame + 1;
          $fwrite(file, "%0d\n", cycle);
          $fflush(file);
        end
      end
    end
  end
endmodule

// Writes what the data memory is written, WORDS words of 32 bits a record: first `flags`, then
// `what`. A reset, once something was written, is a record of its own: RESET in the flags.
module overlay_writes #(
    parameter int WIDTH = 32,
    parameter int WORDS = 2,
    parameter FILE = ""
) (
    input bit clk,
    input bit rst,
    input bit flush,
    input bit capture,
    input bit store,
    input logic [WIDTH-1:0] what,
    output bit unknown
);
  localparam int CAPTURE = 1, RESET = 2;
  int file;
  bit running;
  bit [31:0] flags;
  bit [32*WORDS-1:0] record;

  initial file = $fopen(FILE, "wb");

  always @(posedge clk) begin
    running <= !rst;
    flags = rst ? RESET : capture ? CAPTURE : 0;
    if (rst ? running : capture || store) begin
      record = 0;
      record[31:0] = flags;
      if (!rst) record[32+:WIDTH] = what;
`ifndef VERILATOR
      if (!rst && store && ^what === 1'bx) unknown <= 1;
`endif
      $fwrite(file, "%u", record);
    end
    if (flush || rst && running) $fflush(file);
  end
endmodule
