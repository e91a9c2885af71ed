// AXI4-Lite master of a co-simulation: does the accesses listed in FILE, one after the other, and
// says in RESULT what came of them.
//
// A line of FILE: kind, byte address, data, response. Kind 0 writes the data; 1 reads and compares;
// 2 reads again and again until the data are there; 11 writes the data and reads them, each four times
// and both at once; 16 and more write only the bytes that bits 3 to 0 of the kind say; any other is an order to the harness, which says when it is `ordered`. Without the file there is nothing to do. A reset goes back to the first line
// where AGAIN is set.
// `aside`: after the access under way come those of the file ASIDE, counted from ASIDE_FROM; the
// first one, a write, is `applied` from when the port has it all. Then it has `returned` to the first
// line of FILE.
// RESULT, which what went wrong first keeps: "ok", the accesses done and the cycles they took; or "bad", the number of the line (from
// 0), what was read and the response; or "rule", the number of the line and what a response has done
// against the rules: `bvalid_early`, `rvalid_early` (it came before the access was taken, or without
// one), `bvalid_withdrawn`, `rvalid_withdrawn`, `bresp_changed`, `rdata_changed` (before it was taken),
// `starved` (of both at once, one was kept out by the other).
module axil_master #(
    parameter int ADDRESS = 32,
    parameter FILE = "load.txt",
    parameter RESULT = "load_result.txt",
    parameter bit AGAIN = 0,
    parameter ASIDE = "",
    parameter int ASIDE_FROM = 0,
    // Cycles that an access, or waiting for a register, may take.
    parameter int PATIENCE = 100_000
) (
    input bit clk,
    input bit rst,
    input bit [31:0] seed,
    output bit done,
    output bit failed,
    input bit aside,
    output bit applied,
    output bit returned,
    output bit ordering,
    output int order,
    output bit [31:0] argument,
    input bit ordered,
    output bit [ADDRESS-1:0] awaddr,
    output bit awvalid,
    input bit awready,
    output bit [31:0] wdata,
    output bit [3:0] wstrb,
    output bit wvalid,
    input bit wready,
    input bit [1:0] bresp,
    input bit bvalid,
    output bit bready,
    output bit [ADDRESS-1:0] araddr,
    output bit arvalid,
    input bit arready,
    input bit [31:0] rdata,
    input bit [1:0] rresp,
    input bit rvalid,
    output bit rready
);
  typedef enum {
    NEXT,
    WRITE,
    READ,
    TOGETHER,
    ORDER
  } state_t;

  state_t state;
  localparam int ROUNDS = 4;
  int writes, reads;
  int file, aside_file, result, kind, number, response, fields;
  bit [31:0] address, data, random, polled;
  bit address_sent, data_sent, asked, away;
  // The last access was a write: of two at once it is the read's turn.
  bit wrote;
  // A response that was on offer in the last cycle and not taken, and what it said.
  bit answer_waits, read_waits;
  bit [1:0] answered;
  bit [33:0] shown;
  longint cycles;
  int idle;

  // Now and then it holds back: half of the channels' handshakes begin or end late.
  wire pause = random[0];

  initial begin
    file = $fopen(FILE, "r");
    if (ASIDE != "") aside_file = $fopen(ASIDE, "r");
    done = file == 0;
    wstrb = 4'hf;
  end

  task automatic finish(string verdict, bit [31:0] value, bit [1:0] answer);
    if (!failed) begin
      result = $fopen(RESULT, "w");
      if (verdict == "ok") $fdisplay(result, "ok %0d %0d", number, cycles);
      else $fdisplay(result, "bad %0d %08x %0d", number, value, answer);
      $fclose(result);
    end
    if (verdict != "ok") failed <= 1;
    done <= 1;
  endtask

  task automatic breach(string what);
    if (!failed) begin
      result = $fopen(RESULT, "w");
      $fdisplay(result, "rule %0d %0s", number, what);
      $fclose(result);
    end
    failed <= 1;
    done <= 1;
  endtask

  wire writing = state == WRITE || state == TOGETHER;
  wire reading = state == READ || state == TOGETHER;
  wire taken = writing && (address_sent || awvalid && awready) && (data_sent || wvalid && wready);
  assign applied = away && number == ASIDE_FROM && taken;

  always @(posedge clk)
    if (!rst && !done) begin
      answer_waits <= bvalid && !bready;
      read_waits <= rvalid && !rready;
      answered <= bresp;
      shown <= {rresp, rdata};
    end else if (AGAIN) {answer_waits, read_waits} <= 0;

  always @(posedge clk)
    if (rst) begin
      random <= agents::start(seed, 32'h4158);
      if (AGAIN) begin
        state <= NEXT;
        number <= 0;
        cycles <= 0;
        done <= file == 0 || failed;
        {awvalid, wvalid, bready, arvalid, rready, ordering, away} <= 0;
        if (file != 0) fields = $rewind(file);
      end
    end else if (done) begin
      if (aside && !failed) done <= 0;
    end else begin
      random <= agents::step(random);
      cycles <= cycles + 1;
      returned <= 0;
      idle <= state == NEXT ? 0 : idle + 1;
      if (state == NEXT) polled <= 0;
      if (idle == PATIENCE) finish("bad", polled, 0);
      if (bvalid && !taken) breach("bvalid_early");
      else if (rvalid && !(reading && (asked || arvalid && arready))) breach("rvalid_early");
      else if (answer_waits && !bvalid) breach("bvalid_withdrawn");
      else if (read_waits && !rvalid) breach("rvalid_withdrawn");
      else if (answer_waits && bresp != answered) breach("bresp_changed");
      else if (read_waits && {rresp, rdata} != shown) breach("rdata_changed");
      else case (state)
        NEXT:
        if (aside && !away && !returned) begin
          away <= 1;
          number <= ASIDE_FROM;
          fields = $rewind(aside_file);
        end else begin
          fields = $fscanf(away ? aside_file : file, "%d %h %h %d", kind, address, data, response);
          if (fields != 4 && away) begin
            away <= 0;
            returned <= 1;
            number <= 0;
            cycles <= 0;
            fields = $rewind(file);
          end else if (fields != 4) finish("ok", 0, 0);
          else begin
            if (kind == 11) begin
              awaddr <= address[ADDRESS-1:0];
              araddr <= address[ADDRESS-1:0];
              wdata <= data;
              wstrb <= 4'hf;
              {awvalid, wvalid, arvalid} <= 3'b111;
              {address_sent, data_sent, asked} <= 0;
              writes <= 0;
              reads <= 0;
              state <= TOGETHER;
            end else if (kind > 2 && kind < 16) begin
              ordering <= 1;
              order <= kind;
              argument <= data;
              state <= ORDER;
            end else if (kind == 0 || kind >= 16) begin
              wstrb <= kind == 0 ? 4'hf : kind[3:0];
              awaddr <= address[ADDRESS-1:0];
              wdata <= data;
              awvalid <= !pause;
              wvalid <= pause;
              address_sent <= 0;
              data_sent <= 0;
              state <= WRITE;
            end else begin
              araddr <= address[ADDRESS-1:0];
              arvalid <= 1;
              asked <= 0;
              state <= READ;
            end
          end
        end
        WRITE: begin
          if (awvalid && awready) begin
            awvalid <= 0;
            address_sent <= 1;
          end else if (!address_sent) awvalid <= awvalid || !pause;
          if (wvalid && wready) begin
            wvalid <= 0;
            data_sent <= 1;
          end else if (!data_sent) wvalid <= wvalid || !pause;
          bready <= !pause;
          if (bvalid && bready) begin
            bready <= 0;
            wrote <= 1;
            if (int'(bresp) != response) finish("bad", 0, bresp);
            number <= number + 1;
            state <= NEXT;
          end
        end
        READ: begin
          if (arvalid && arready) begin
            arvalid <= 0;
            asked <= 1;
          end
          rready <= !pause;
          if (rvalid && rready) begin
            rready <= 0;
            if (kind == 2 && rdata != data) begin
              polled <= rdata;
              arvalid <= 1;
              asked <= 0;
            end else begin
              if (rdata != data || int'(rresp) != response) finish("bad", rdata, rresp);
              wrote <= 0;
              number <= number + 1;
              state <= NEXT;
            end
          end
        end
        TOGETHER: begin
          if (awvalid && awready) begin
            awvalid <= 0;
            address_sent <= 1;
          end
          if (wvalid && wready) begin
            wvalid <= 0;
            data_sent <= 1;
          end
          if (arvalid && arready) begin
            arvalid <= 0;
            asked <= 1;
          end
          bready <= !pause;
          rready <= !pause;
          if (bvalid && bready) begin
            bready <= 0;
            if (int'(bresp) != response) finish("bad", 0, bresp);
            writes <= writes + 1;
            {address_sent, data_sent} <= 0;
            {awvalid, wvalid} <= {2{writes + 1 < ROUNDS}};
          end
          if (rvalid && rready) begin
            rready <= 0;
            if (rdata != data || int'(rresp) != response) finish("bad", rdata, rresp);
            reads <= reads + 1;
            asked <= 0;
            arvalid <= reads + 1 < ROUNDS;
          end
          // They take turns, and whose turn it is depends on the access before.
          if (wrote ? writes > reads || reads > writes + 1 : reads > writes || writes > reads + 1)
            breach("starved");
          else if (writes == ROUNDS && reads == ROUNDS) begin
            number <= number + 1;
            state <= NEXT;
          end
        end
        ORDER: begin
          idle <= 0;
          if (aside && !away) begin
            ordering <= 0;
            state <= NEXT;
          end else if (ordered) begin
            ordering <= 0;
            number <= number + 1;
            state <= NEXT;
          end
        end
        default: ;
      endcase
    end
endmodule
