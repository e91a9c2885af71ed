"""One overlay for every family of FPGAs: no DSP block, no multiplier, no latch."""

import pytest

from hw.build import synth
from hw.build.families import FAMILIES
from hw.overlay.hardware import Overlay
from hw.overlay.rtl.top import Top
from hw.verilog.convert import to_rtlil

TINY = Overlay(
    rows=1, columns=2, acc_bits=12, words=512, program_words=512, corner=1, logit_bits=12,
    fabric="generic",
)  # fmt: skip


@pytest.fixture(scope="module")
def text() -> str:
    return to_rtlil(Top(TINY), "top").text


@pytest.mark.parametrize("target", FAMILIES.values(), ids=lambda target: target.name)
def test_family_takes_the_generic_form(text, target):
    netlist, _ = synth.netlist_of({"top.il": text}, "top", target)
    assert netlist.resources.dsp == 0
    # Program and data are in block RAM, the rest is in logic.
    bits = 16 * TINY.program_words + 2 * 9 * TINY.words
    assert netlist.resources.ram_bits >= bits
    assert netlist.resources.ff < 4000


def test_the_form_for_an_ecp5_has_its_cells():
    text = to_rtlil(Top(TINY.resized(fabric="ecp5")), "top").text
    netlist, _ = synth.netlist_of({"top.il": text}, "top", mhz=150)
    assert netlist.resources.dsp == 0
    # A block for the pixels of both lanes, one for the program.
    assert netlist.resources.ram_blocks == 2
