// Behaviour of the ECP5's block RAM, as far as Yosys' maps of memories use it; Yosys has only an
// empty box for it.
//
// 1024 words of 18 bits, two ports. A port is 1, 2, 4, 9 or 18 bits wide: its address counts bits,
// 8 (9) of which are a byte; 1, 2 and 4 wide, the ninth bit of a byte is out of reach. 18 wide,
// address bits 1 and 0 enable the bytes of a write. 36 wide, A only writes (data in DIB:DIA,
// address bits 3 to 0 enable the bytes) and B only reads (data out DOB:DOA). With REGMODE "OUTREG"
// the outputs are registered once more; that of port B is then the register of a wide word. An
// output keeps its value while its clock enable (OCE for the second register) is low.
//
// Both ports are in one clock domain here. A bit that one port writes while the other reads it is
// undefined on the chip: here it reads as the complement of what was stored, so that a design that
// relies on it fails. What is not modelled (reset, inverted clocks, chip selects) ends the simulation.
module DP16KD #(
    parameter integer DATA_WIDTH_A = 18,
    parameter integer DATA_WIDTH_B = 18,
    parameter WRITEMODE_A = "NORMAL",
    parameter WRITEMODE_B = "NORMAL",
    parameter REGMODE_A = "NOREG",
    parameter REGMODE_B = "NOREG",
    parameter CLKAMUX = "CLKA",
    parameter CLKBMUX = "CLKB",
    parameter CSDECODE_A = "0b000",
    parameter CSDECODE_B = "0b000",
    parameter RESETMODE = "SYNC",
    parameter ASYNC_RESET_RELEASE = "SYNC",
    parameter GSR = "ENABLED",
    parameter [319:0]
    INITVAL_00 = 320'h0,
    INITVAL_01 = 320'h0,
    INITVAL_02 = 320'h0,
    INITVAL_03 = 320'h0,
    INITVAL_04 = 320'h0,
    INITVAL_05 = 320'h0,
    INITVAL_06 = 320'h0,
    INITVAL_07 = 320'h0,
    INITVAL_08 = 320'h0,
    INITVAL_09 = 320'h0,
    INITVAL_0A = 320'h0,
    INITVAL_0B = 320'h0,
    INITVAL_0C = 320'h0,
    INITVAL_0D = 320'h0,
    INITVAL_0E = 320'h0,
    INITVAL_0F = 320'h0,
    INITVAL_10 = 320'h0,
    INITVAL_11 = 320'h0,
    INITVAL_12 = 320'h0,
    INITVAL_13 = 320'h0,
    INITVAL_14 = 320'h0,
    INITVAL_15 = 320'h0,
    INITVAL_16 = 320'h0,
    INITVAL_17 = 320'h0,
    INITVAL_18 = 320'h0,
    INITVAL_19 = 320'h0,
    INITVAL_1A = 320'h0,
    INITVAL_1B = 320'h0,
    INITVAL_1C = 320'h0,
    INITVAL_1D = 320'h0,
    INITVAL_1E = 320'h0,
    INITVAL_1F = 320'h0,
    INITVAL_20 = 320'h0,
    INITVAL_21 = 320'h0,
    INITVAL_22 = 320'h0,
    INITVAL_23 = 320'h0,
    INITVAL_24 = 320'h0,
    INITVAL_25 = 320'h0,
    INITVAL_26 = 320'h0,
    INITVAL_27 = 320'h0,
    INITVAL_28 = 320'h0,
    INITVAL_29 = 320'h0,
    INITVAL_2A = 320'h0,
    INITVAL_2B = 320'h0,
    INITVAL_2C = 320'h0,
    INITVAL_2D = 320'h0,
    INITVAL_2E = 320'h0,
    INITVAL_2F = 320'h0,
    INITVAL_30 = 320'h0,
    INITVAL_31 = 320'h0,
    INITVAL_32 = 320'h0,
    INITVAL_33 = 320'h0,
    INITVAL_34 = 320'h0,
    INITVAL_35 = 320'h0,
    INITVAL_36 = 320'h0,
    INITVAL_37 = 320'h0,
    INITVAL_38 = 320'h0,
    INITVAL_39 = 320'h0,
    INITVAL_3A = 320'h0,
    INITVAL_3B = 320'h0,
    INITVAL_3C = 320'h0,
    INITVAL_3D = 320'h0,
    INITVAL_3E = 320'h0,
    INITVAL_3F = 320'h0
) (
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4,
    DIA3, DIA2, DIA1, DIA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input CLKA, CEA, OCEA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4,
    DOA3, DOA2, DOA1, DOA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4,
    DIB3, DIB2, DIB1, DIB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input CLKB, CEB, OCEB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4,
    DOB3, DOB2, DOB1, DOB0
);
  // Sixteen words a parameter, each in the lower 18 of 20 bits.
  localparam [64*320-1:0] INIT = {INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B,
                                  INITVAL_3A, INITVAL_39, INITVAL_38, INITVAL_37, INITVAL_36,
                                  INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31,
                                  INITVAL_30, INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C,
                                  INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28, INITVAL_27,
                                  INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22,
                                  INITVAL_21, INITVAL_20, INITVAL_1F, INITVAL_1E, INITVAL_1D,
                                  INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
                                  INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13,
                                  INITVAL_12, INITVAL_11, INITVAL_10, INITVAL_0F, INITVAL_0E,
                                  INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09,
                                  INITVAL_08, INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04,
                                  INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00};

  localparam wide_write = DATA_WIDTH_A == 36;
  localparam wide_read = DATA_WIDTH_B == 36;

  reg [17:0] words[0:1023];
  integer position;
  initial begin
    for (position = 0; position < 1024; position = position + 1)
      words[position] = INIT[20*position+:18];
    if (CLKAMUX != "CLKA" || CLKBMUX != "CLKB" ||
        CSDECODE_A != "0b000" || CSDECODE_B != "0b000")
      $fatal(1, "DP16KD: a parameter that is not modelled");
  end

  wire [13:0] address_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3,
                           ADA2, ADA1, ADA0};
  wire [13:0] address_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3,
                           ADB2, ADB1, ADB0};
  wire [17:0] data_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7,
                        DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
  wire [17:0] data_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7,
                        DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
  reg [17:0] out_a = 0, out_b = 0, out_high = 0;

  // Position in a word of the lowest bit that an address means.
  function [4:0] offset(input integer width, input [13:0] address);
    case (width)
      1: offset = (address[3] ? 5'd9 : 5'd0) + {2'd0, address[2:0]};
      2: offset = (address[3] ? 5'd9 : 5'd0) + {2'd0, address[2:1], 1'b0};
      4: offset = (address[3] ? 5'd9 : 5'd0) + {2'd0, address[2], 2'b00};
      9: offset = address[3] ? 5'd9 : 5'd0;
      default: offset = 0;
    endcase
  endfunction

  // The bits of a word that a write changes.
  function [17:0] mask(input integer width, input [13:0] address);
    case (width)
      1, 2, 4, 9: mask = ((18'd1 << width) - 18'd1) << offset(width, address);
      default: mask = {{9{address[1]}}, {9{address[0]}}};
    endcase
  endfunction

  wire writes_a = CEA & WEA;
  wire writes_b = CEB & WEB;
  wire [9:0] word_a = wide_write ? {address_a[13:5], 1'b0} : address_a[13:4];
  wire [9:0] word_b = wide_read ? {address_b[13:5], 1'b0} : address_b[13:4];
  wire [9:0] high_a = {word_a[9:1], 1'b1};
  wire [9:0] high_b = {word_b[9:1], 1'b1};
  wire [17:0] mask_a = mask(DATA_WIDTH_A, address_a);
  wire [17:0] mask_b = mask(DATA_WIDTH_B, address_b);
  wire [17:0] mask_high = {{9{address_a[3]}}, {9{address_a[2]}}};
  wire [17:0] in_a = data_a << offset(DATA_WIDTH_A, address_a);
  wire [17:0] in_b = data_b << offset(DATA_WIDTH_B, address_b);

  // A word as a port reads it while the other port may be writing.
  wire [17:0] read_a = words[word_a] ^ (writes_b && word_b == word_a ? mask_b : 18'd0);
  wire [17:0] read_b = words[word_b] ^ (writes_a && word_b == word_a ? mask_a : 18'd0) ^
      (writes_a && wide_write && word_b == high_a ? mask_high : 18'd0);
  wire [17:0] read_high = words[high_b] ^ (writes_a && high_b == word_a ? mask_a : 18'd0) ^
      (writes_a && wide_write && high_b == high_a ? mask_high : 18'd0);

  always @(posedge CLKA) begin
    if (CEA && !wide_write) begin
      if (!WEA || WRITEMODE_A == "READBEFOREWRITE")
        out_a <= read_a >> offset(DATA_WIDTH_A, address_a);
      else if (WRITEMODE_A == "WRITETHROUGH")
        out_a <= ((read_a & ~mask_a) | (in_a & mask_a)) >> offset(DATA_WIDTH_A, address_a);
    end
    if (writes_a) words[word_a] <= (words[word_a] & ~mask_a) | (in_a & mask_a);
    if (writes_a && wide_write)
      words[high_a] <= (words[high_a] & ~mask_high) | (data_b & mask_high);
    if (RSTA) $fatal(1, "DP16KD: a reset, which is not modelled");
  end

  always @(posedge CLKB) begin
    if (CEB) begin
      if (!WEB || WRITEMODE_B == "READBEFOREWRITE")
        out_b <= read_b >> offset(DATA_WIDTH_B, address_b);
      else if (WRITEMODE_B == "WRITETHROUGH")
        out_b <= ((read_b & ~mask_b) | (in_b & mask_b)) >> offset(DATA_WIDTH_B, address_b);
      if (wide_read) out_high <= read_high;
    end
    if (writes_b) words[word_b] <= (words[word_b] & ~mask_b) | (in_b & mask_b);
    if (RSTB) $fatal(1, "DP16KD: a reset, which is not modelled");
  end

  reg [17:0] again_a = 0, again_b = 0, again_high = 0;
  always @(posedge CLKA) if (OCEA) again_a <= out_a;
  always @(posedge CLKB) if (OCEB) begin
    again_b <= out_b;
    again_high <= out_high;
  end
  wire [17:0] shown_a = REGMODE_A == "OUTREG" ? again_a : out_a;
  wire [17:0] shown_b = REGMODE_B == "OUTREG" ? again_b : out_b;
  wire [17:0] shown_high = REGMODE_B == "OUTREG" ? again_high : out_high;

  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
          DOA4, DOA3, DOA2, DOA1, DOA0} =
      wide_read ? shown_b : shown_a;
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
          DOB4, DOB3, DOB2, DOB1, DOB0} =
      wide_read ? shown_high : shown_b;
endmodule
