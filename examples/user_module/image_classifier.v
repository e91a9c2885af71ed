// A module of your own around a generated network: dark-on-light images are inverted before it, its
// logits become the number of the largest one behind it. AXI4-Stream in and out, one beat a class.
module image_classifier #(
    parameter CLASSES = 3,
    parameter LOGIT_BITS = 16
) (
    input wire clk,
    input wire rst,
    input wire [7:0] s_axis_tdata,
    input wire s_axis_tvalid,
    output wire s_axis_tready,
    input wire s_axis_tlast,
    output wire [7:0] m_axis_tdata,
    output wire m_axis_tvalid,
    input wire m_axis_tready,
    output wire m_axis_tlast
);
  wire [LOGIT_BITS-1:0] logit_tdata;
  wire logit_tvalid, logit_tready, logit_tlast;

  shiftnas_top network (
      .clk(clk),
      .rst(rst),
      .s_axis_tdata(8'd255 - s_axis_tdata),
      .s_axis_tvalid(s_axis_tvalid),
      .s_axis_tready(s_axis_tready),
      .s_axis_tlast(s_axis_tlast),
      .m_axis_tdata(logit_tdata),
      .m_axis_tvalid(logit_tvalid),
      .m_axis_tready(logit_tready),
      .m_axis_tlast(logit_tlast)
  );

  argmax #(
      .WIDTH(LOGIT_BITS)
  ) argmax (
      .clk(clk),
      .rst(rst),
      .s_axis_tdata(logit_tdata),
      .s_axis_tvalid(logit_tvalid),
      .s_axis_tready(logit_tready),
      .s_axis_tlast(logit_tlast),
      .m_axis_tdata(m_axis_tdata),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready),
      .m_axis_tlast(m_axis_tlast)
  );
endmodule

// The number of a frame's largest beat, the first one of equals.
module argmax #(
    parameter WIDTH = 16
) (
    input wire clk,
    input wire rst,
    input wire signed [WIDTH-1:0] s_axis_tdata,
    input wire s_axis_tvalid,
    output wire s_axis_tready,
    input wire s_axis_tlast,
    output reg [7:0] m_axis_tdata,
    output reg m_axis_tvalid,
    input wire m_axis_tready,
    output wire m_axis_tlast
);
  reg signed [WIDTH-1:0] largest;
  reg [7:0] number, place;
  wire larger = place == 0 || s_axis_tdata > largest;

  assign s_axis_tready = !m_axis_tvalid || m_axis_tready;
  assign m_axis_tlast = 1'b1;

  always @(posedge clk) begin
    if (m_axis_tready) m_axis_tvalid <= 1'b0;
    if (s_axis_tvalid && s_axis_tready) begin
      place <= s_axis_tlast ? 8'd0 : place + 8'd1;
      if (larger) begin
        largest <= s_axis_tdata;
        number <= place;
      end
      if (s_axis_tlast) begin
        m_axis_tvalid <= 1'b1;
        m_axis_tdata <= larger ? place : number;
      end
    end
    if (rst) begin
      m_axis_tvalid <= 1'b0;
      place <= 8'd0;
    end
  end
endmodule
