"""Cases on overlays: a fixed dozen, all on one model; drawn ones; shrinking, reproducing."""

import json

import pytest
from formal_support import mutate

from hw.ir import reference
from hw.ir.parameters import Rounding
from hw.networks import genotypes
from hw.overlay.compiler import compile as compiler
from hw.overlay.compiler.compile import compile_network
from hw.overlay.rtl.capture import Capture
from hw.overlay.rtl.sequencer import Sequencer
from hw.verilog.emit_overlay import emit
from hw.verilog.rtl_folder import OVERLAY
from sim.fuzz import case as cases
from sim.fuzz import images, overlays
from sim.fuzz.case import Case
from sim.fuzz.cells import Cells
from sim.fuzz.draw import draw
from sim.fuzz.grids import OVERLAYS, PLAIN
from sim.fuzz.models import Model
from sim.fuzz.overlays import Unfit
from sim.fuzz.run import run
from sim.fuzz.shrink import shrink
from sim.fuzz.tally import axes
from sim.overlay import run as runs
from sim.overlay.cosim import Hardware, Job, Subject, script_of
from sim.overlay.judge import judge
from sim.overlay.run import Pauses
from sim.stimuli import Stimuli


def cells(name: str, **settings) -> Case:
    net = Cells(genotypes.to_mapping(genotypes.get(name)), "cifar", channels=2, cells=2)
    plain = {"image": (6, 6, 1), "classes": 3, "scale_terms": 1, "overlay": PLAIN}
    return Case(net, **(plain | settings))


def model(name: str, width: float, kept: int, **settings) -> Case:
    plain = {"image": (8, 6, 1), "classes": 2, "scale_terms": 1, "overlay": PLAIN}
    return Case(Model(name, "cifar", width, kept), **(plain | settings))


DOZEN = {
    "a batch and a half": cells("DARTS_V1", frames=("noise",) * 3, image=(8, 8, 1)),
    "three terms": cells("DARTS_V2", scale_terms=3),
    "floor": cells("GDAS_V1", rounding=Rounding.FLOOR, frames=("extremes",)),
    "rectangular": cells("ShiftNAS_C10", image=(5, 7, 2), frames=("full", "noise")),
    "five bits": cells("PDARTS", act_bits=5, image=(4, 5, 1)),
    "one row": cells("NASNet", image=(1, 9, 1)),
    "exact guard": cells("DOTS_C10", guard=15, frames=("checkerboard",)),
    "negative scales": cells("AmoebaNet", negative=1.0, image=(5, 5, 1)),
    "widths mixed": cells("ShiftNAS_C100", mixed=True, image=(4, 4, 3)),
    "residual": model("resnet20", 1 / 16, 9, frames=("noise", "zeros")),
    "relu6": model("mobilenet_v2", 1 / 32, 9),
    "clip and pools": model("googlenet", 1 / 64, 12),
}


def test_the_fixed_dozen(tmp_path):
    """Reference, executable model and RTL; twelve programs one after the other, twice."""
    jobs = []
    for case in DOZEN.values():
        network = cases.network_of(case)
        made = images.make(case.frames, network.graph.input.shape, case.seed)
        compiled = compile_network(network, OVERLAYS[PLAIN])
        jobs.append(Job(network, compiled, made, reference.run(network, made)))
    stimuli = Stimuli(jobs[0].images, 0.3, resets=0)
    script, expected = script_of(jobs, stimuli, Subject(modelled=True))
    hardware = overlays.hardware(PLAIN)
    model = runs.build(hardware.overlay, hardware.sources, hardware.module)
    free = sum(len(job.images) for job in jobs)
    ran = model.run(script, tmp_path, Pauses(free, "mixed", 0.3))
    judged = judge(script, expected, ran, model.built, free=free)
    assert len(judged.compared) > 12 * 20
    assert all(one.beats == one.expected_beats for one in judged.compared)


@pytest.mark.parametrize("number", range(8))
def test_drawn_cases_are_plain_and_suit_their_overlay(number):
    case = draw(1, number, style=OVERLAY)
    assert case.overlay in OVERLAYS
    assert case.act_bits < OVERLAYS[case.overlay].data_bits
    assert not case.paper and not case.loaded
    assert cases.from_dict(json.loads(json.dumps(cases.as_dict(case)))) == case
    like = draw(1, number)
    assert (case.net, case.image, case.stall) == (like.net, like.image, like.stall)


def test_parts_are_drawn_where_images_can_feed_them():
    drawn = [draw(1, number, style=OVERLAY) for number in range(200)]
    parts = [case for case in drawn if case.level != "network"]
    assert parts and all(case.act_bits <= 8 for case in parts)
    assert any(case.act_bits > 8 for case in drawn)


def test_all_overlays_are_drawn():
    drawn = {draw(1, number, style=OVERLAY).overlay for number in range(60)}
    assert drawn == set(OVERLAYS)
    assert set(axes()["overlay"]) == {"none", *OVERLAYS}


def test_what_does_not_fit_is_drawn_again():
    case = cells("DARTS_V1", image=(60, 60, 1))
    network = cases.network_of(case)
    with pytest.raises(Unfit, match=r"do not fit|cycles; at most"):
        overlays.simulate(case, network)


def test_a_fault_of_the_compiler_is_found_and_shrunk(monkeypatch):
    """Planted: an odd constant of a sum is one too large."""
    right = compiler.compile_network

    def wrong(network, hardware):
        found = right(network, hardware)
        words = found.program.prefix
        spots = (words >> 9 == 0x48) & (words & 1 == 1)
        words[spots] ^= 2
        return found

    monkeypatch.setattr(overlays, "compile_network", wrong)
    outcome = run(cells("DARTS_V1", stall=0.2, frames=("noise", "full")))
    assert outcome.failure is not None
    assert outcome.failure.kind == "mismatch"
    small, tried = shrink(outcome, 15)
    assert tried
    assert len(cases.graph_of(small.case)) <= len(cases.graph_of(outcome.case))
    assert small.case.stall == 0.0


PLANTED = {
    "lane": (Capture.elaborate, "(~opposite).replicate", "opposite.replicate"),
    "sequencer": (Sequencer._request, "word[:8] + inclusive", "word[:8]"),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "part",
    [
        pytest.param(name, marks=pytest.mark.thorough if name == "sequencer" else ())
        for name in PLANTED
    ],
)
def test_a_fault_of_the_hardware_is_found_and_shrunk(part, monkeypatch):
    mutate(monkeypatch, *PLANTED[part])
    wrong = Hardware.of(emit(overlays.plan(cells("DARTS_V1"))))
    monkeypatch.setattr(overlays, "hardware", lambda name: wrong)
    outcome = run(cells("DARTS_V1", stall=0.2, frames=("extremes", "full")))
    assert outcome.failure is not None
    small, tried = shrink(outcome, 20)
    assert tried
    assert len(cases.graph_of(small.case)) < len(cases.graph_of(outcome.case))
