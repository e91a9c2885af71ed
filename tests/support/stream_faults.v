// Passes an AXI4-Stream through one register; `fault` makes it wrong in one way. `stuck` stands for
// a signal that is unknown where the simulator knows X.
module stream_faults (
    input wire clk, input wire rst, input wire [3:0] fault,
    input wire [7:0] s_axis_tdata, input wire s_axis_tvalid, output wire s_axis_tready,
    input wire s_axis_tlast,
    output wire [7:0] m_axis_tdata, output wire m_axis_tvalid, input wire m_axis_tready,
    output wire m_axis_tlast, output wire [1:0] m_axis_tuser
);
  localparam WITHDRAWS = 1, CHANGES = 2, LAST_CHANGES = 3, LAST_LATE = 4, UNKNOWN_VALID = 5,
      UNKNOWN_DATA = 6, UNKNOWN_LAST = 7, LOUD_IN_RESET = 8, DROPS = 9, REPEATS = 10, WRONG = 11,
      WAITS = 12, OVERWRITES = 13, USER_CHANGES = 14;
  reg full, last, last_before;
  reg [7:0] data, count, waited;
  reg stuck;
  wire waits = full && !m_axis_tready;
  wire at = count == 9;
  assign s_axis_tready = !full || (m_axis_tvalid && m_axis_tready)
      || (fault == OVERWRITES && waited == 3);
  assign m_axis_tvalid = fault == UNKNOWN_VALID && at ? stuck
      : fault == WAITS ? full && m_axis_tready
      : full && !(fault == WITHDRAWS && waited == 1) || (fault == LOUD_IN_RESET && rst);
  assign m_axis_tdata = fault == UNKNOWN_DATA && at ? {8{stuck}}
      : data ^ {7'b0, fault == WRONG && count == 17} ^ {6'b0, fault == CHANGES && waited == 2, 1'b0};
  assign m_axis_tlast = fault == UNKNOWN_LAST && at ? stuck
      : fault == LAST_LATE ? last_before : last ^ (fault == LAST_CHANGES && waited == 1);
  assign m_axis_tuser = {1'b0, last ^ (fault == USER_CHANGES && waited == 1)};
  always @(posedge clk) begin
    waited <= waits ? waited + 1 : 0;
    if (m_axis_tvalid && m_axis_tready) begin
      full <= fault == REPEATS && at;
      count <= count + 1;
    end
    if (s_axis_tvalid && s_axis_tready && !(fault == REPEATS && at && full)) begin
      full <= !(fault == DROPS && at);
      if (fault == DROPS && at) count <= count + 1;
      data <= s_axis_tdata;
      last <= s_axis_tlast;
      last_before <= last;
    end
    if (rst) begin
      full <= 0;
      last <= 0;
      count <= 0;
      waited <= 0;
    end
  end
endmodule
