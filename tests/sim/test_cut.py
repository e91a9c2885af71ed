"""Parts of a network taken out of emitted Verilog, edited or not."""

import dataclasses

import numpy as np
import pytest
from mutant_cases import adder_of

from hw.errors import CheckFailed, InputError
from sim.cosim import Subject, cosim
from sim.cut import as_carried, carried, takes_all, wrapper
from sim.harness import Stream
from sim.mutation import schemata
from sim.mutation.verilog import read
from sim.stimuli import Stimuli, random_images

EDGE = "cell0/edge0_sep_conv_3x3"

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

STREAMS = [Stream("x", "i", 8, True, (1, 1, 1))], [Stream("y", "o", 8, True, (1, 1, 1))]


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


@pytest.mark.parametrize("level", ["cell", "op", "pe"])
def test_parts_of_an_emission_are_right(hardware, level):
    only = ["cell0"] if level == "cell" else [f"{EDGE}/dw1", "classifier"]
    stimuli = Stimuli(random_images(hardware.network, 2, 1))
    result = cosim(hardware.network, None, stimuli, Subject(level, only, hardware.emission))
    assert result.beats > 0 and result.mismatches == 0


def test_it_is_the_module_in_the_text_that_runs(hardware):
    layer = f"{EDGE}/dw1"
    mutant = schemata.mutated(hardware.emission, adder_of(hardware.emission, layer))
    stimuli = Stimuli(random_images(hardware.network, 2, 1))
    with pytest.raises(CheckFailed, match=f"cosim: {layer}"):
        cosim(hardware.network, None, stimuli, Subject("pe", [layer], mutant))


def test_a_renamed_module_is_one_line(hardware):
    text = hardware.emission.verilog.replace(f".{EDGE.split('/')[1]}.dw1 ", ".other ")
    renamed = dataclasses.replace(
        hardware.emission, files=hardware.emission.files | {"shiftnas_top.v": text}
    )
    stimuli = Stimuli(random_images(hardware.network, 1, 1))
    subject = Subject("op", [f"{EDGE}/dw1"], renamed)
    with pytest.raises(InputError, match=r"rtl: the Verilog has no module shiftnas_top\.cell0"):
        cosim(hardware.network, None, stimuli, subject)
