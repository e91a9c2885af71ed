"""Modules taken out of emitted Verilog, by their text."""

import numpy as np
import pytest

from hw.errors import InputError
from hw.verilog.cut import as_carried, carried, takes_all, wrapper
from hw.verilog.statements import read

NARROW = """\
module \\top.layer (
  input clk,
  input i__valid,
  output i__ready,
  input [3:0] i__payload_5_2,
  input i__payload_0,
  output o__valid,
  input o__ready,
  output [5:0] o__payload_5_0,
  input halted,
  input load__en
);
  wire signed [7:0] o__payload;
  assign o__payload = { o__payload_5_0[5], o__payload_5_0[5], o__payload_5_0 };
endmodule
"""

STREAMS = {"i": 8}, {"o": 8}


def test_all_signals_of_the_streams_are_there_again():
    lines = wrapper("dut0", read(NARROW)["top.layer"], *STREAMS).splitlines()
    for line in (
        "    .\\clk (clk),", "    .\\i__payload_5_2 (i__payload[5:2]),",
        "    .\\i__payload_0 (i__payload[0]),", "    .\\halted (0),", "    .\\load__en (0)",
        "  input [7:0] i__payload,", "  output [7:0] o__payload,",
        "  assign o__payload = part.o__payload;", "    .\\o__payload_5_0 (),",
    ):  # fmt: skip
        assert line.rstrip(",") in [one.rstrip(",") for one in lines]


def test_values_arrive_as_the_ports_carry_them():
    """Of the input bit 1 is missing, so all above it; whole ports and unread ones take all."""
    module = read(NARROW.replace("  input halted", "  input [7:0] i1__payload,\n  input halted"))
    layer = module["top.layer"]
    layer.widths["i__payload"] = 8
    assert (carried(layer, "i__payload"), carried(layer, "i1__payload")) == (1, None)
    assert not takes_all(layer)
    values = np.array([-128, -5, -4, 3, 4, 127])
    assert as_carried(values, 3).tolist() == [0, 3, -4, 3, -4, -1]
    assert as_carried(values, None) is values


def test_what_no_stream_explains_is_one_line():
    module = read(NARROW.replace("halted", "mode"))["top.layer"]
    with pytest.raises(InputError, match=r"rtl: top.layer: mode is no signal of its streams"):
        wrapper("dut0", module, *STREAMS)
