// An AXI4-Lite slave of four words, wrong on demand (+fault=N), and the master of `sim/rtl/axil.sv`.
module axil_bench;
  bit clk, rst = 1;
  int fault;
  wire done;
  wire [3:0] awaddr, araddr;
  wire awvalid, wvalid, bready, arvalid, rready;
  wire [31:0] wdata;
  wire [3:0] wstrb;

  bit [31:0] words[0:3];
  bit writing, reading, again;
  bit [1:0] place;
  int waited;
  // With fault 1 an answer comes for the address alone, with 2 for no address at all.
  wire late = waited == 2;
  wire bvalid = writing && !(fault == 3 && late) || fault == 1 && awvalid || fault == 9 && again;
  wire rvalid = reading && !(fault == 4 && late) || fault == 2 && !reading;
  wire [1:0] bresp = fault == 5 && late ? 2 : 0, rresp = fault == 7 && late ? 2 : 0;
  wire [31:0] rdata = words[place] ^ (fault == 6 && late ? 4 : 0);
  wire take = awvalid && wvalid && !writing && !reading;
  wire ask = arvalid && !take && !writing && !reading;

  axil_master #(.ADDRESS(4)) master (
      .clk(clk), .rst(rst), .seed(32'd3), .done(done),
      .awaddr(awaddr), .awvalid(awvalid), .awready(take),
      .wdata(wdata), .wstrb(wstrb), .wvalid(wvalid), .wready(take),
      .bresp(bresp), .bvalid(bvalid), .bready(bready),
      .araddr(araddr), .arvalid(arvalid), .arready(ask),
      .rdata(rdata), .rresp(rresp), .rvalid(rvalid), .rready(rready));

  initial begin
    if (!$value$plusargs("fault=%d", fault)) fault = 0;
    repeat (6) #1 clk = !clk;
    rst = 0;
    while (!done && $time < 100000) #1 clk = !clk;
    $finish;
  end

  always @(posedge clk)
    if (!rst) begin
      waited <= (writing && !bready) || (reading && !rready) ? waited + 1 : 0;
      again <= writing && bready;
      if (take) begin
        words[awaddr[3:2]] <= wdata;
        writing <= 1;
      end else if (ask) begin
        place <= araddr[3:2];
        reading <= 1;
      end
      if (writing && bvalid && bready) writing <= 0;
      if (reading && rvalid && rready) reading <= 0;
    end
endmodule
