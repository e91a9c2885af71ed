"""Two versions of one network: the same text, proved equal, compared, different."""

import dataclasses

import pytest
from mutant_cases import adder_of

from hw.board.boards import device
from hw.dataflow.design.design import design
from hw.dataflow.planner import propose
from hw.errors import InputError
from hw.networks.images import full_range
from hw.verilog import emit, rtl_folder
from sim import equiv
from sim.mutation import schemata
from sim.stimuli import Stimuli

LAYER = "cell0/edge0_sep_conv_3x3/dw1"


def compare(one, two, **options):
    images = full_range(tuple(one.manifest["input_shape"]), 3, 1)
    return equiv.compare(one, two, Stimuli(images, resets=2), **options)


def changed(emission, before: str, after: str) -> rtl_folder.Emission:
    text = emission.verilog.replace(before, after, 1)
    assert text != emission.verilog
    return dataclasses.replace(emission, files=emission.files | {emission.verilog_name: text})


def test_the_same_text_under_another_name(hardware):
    other = emit.emit(hardware.design, name="net_b")
    assert compare(hardware.emission, other) == equiv.Verdict("text")
    first, second = (emit.emit(hardware.design, "hex", name) for name in ("net_a", "net_b"))
    assert compare(first, second).how == "text"
    commented = changed(hardware.emission, "endmodule", "// done\nendmodule")
    assert compare(commented, other).how == "text"


def test_another_way_to_write_a_module_is_proved(hardware):
    """Ready is high where a beat is taken or none is there: the same with a term more."""
    text = "  assign i__ready = or3 | o__ready;"
    other = changed(hardware.emission, text, "  assign i__ready = or3 | (o__ready & ~or3);")
    found = compare(hardware.emission, other, prove_seconds=20)
    assert (found.how, found.difference) == ("proof", "")
    (module,) = found.modules
    assert module.endswith(".elements")


@pytest.mark.slow
@pytest.mark.thorough
def test_a_changed_module_is_found_on_the_stimulus(hardware):
    mutant = schemata.mutated(hardware.emission, adder_of(hardware.emission, LAYER))
    found = compare(hardware.emission, mutant, prove_seconds=5)
    assert found.how == "stimulus"
    assert found.difference.startswith(f"{LAYER}: frame 0, pixel (")
    assert "layers differ, this is the first" in found.difference


@pytest.mark.slow
@pytest.mark.parametrize("loadable", [False, pytest.param(True, marks=pytest.mark.thorough)])
def test_another_plan_is_compared(hardware, loadable):
    """Not the same cycle by cycle, but beat by beat."""
    plan = hardware.plan
    emission = hardware.emission
    if loadable:
        plan = propose(hardware.network, device("ulx3s-85f"), loadable=True).plan
        emission = emit.emit(design(hardware.network, plan))
    layers = dict(plan.layers)
    first = layers[LAYER]
    layers[LAYER] = dataclasses.replace(first, store=2 * first.store)
    fifos = {name: tuple(depth + 3 for depth in depths) for name, depths in plan.fifos.items()}
    other = emit.emit(
        design(hardware.network, dataclasses.replace(plan, layers=layers, fifos=fifos))
    )
    found = compare(emission, other)
    assert (found.how, found.difference, found.frames) == ("stimulus", "", 6)
    assert found.beats > 0 and found.bits > found.beats and len(found.cycles) == 2


def test_what_cannot_be_compared(hardware, odd):
    with pytest.raises(
        InputError, match=r"manifest.json and .*manifest.json: network_digest: .* two netw"
    ):
        compare(hardware.emission, odd)
    manifest = hardware.emission.manifest
    ports = [port | {"width": port["width"] + 1} for port in manifest["ports"]]
    wide = dataclasses.replace(hardware.emission, manifest=manifest | {"ports": ports})
    with pytest.raises(InputError, match=r"manifest\.json: ports: clk: differs"):
        compare(hardware.emission, wide)
