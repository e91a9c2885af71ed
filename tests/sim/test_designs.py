"""Parts of a network taken out of emitted Verilog, edited or not."""

import dataclasses

import pytest
from mutant_cases import adder_of

from hw.errors import CheckFailed, InputError
from sim.cosim import Subject, cosim
from sim.mutation import schemata
from sim.stimuli import Stimuli, random_images

EDGE = "cell0/edge0_sep_conv_3x3"


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
