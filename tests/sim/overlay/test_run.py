"""Resets by CONTROL and by the device's reset: each comes, and what either forgets is found."""

import pytest

from hw.ir import reference
from hw.networks.images import random_images
from hw.overlay.compiler.compile import compile_network
from sim.mutation import schemata
from sim.overlay import run
from sim.overlay.cosim import moments
from sim.overlay.covered import coverage
from sim.overlay.judge import judge
from sim.overlay.planes import Planes
from sim.overlay.run import Pauses
from sim.overlay.script import Phase, Script
from sim.simulation import RunFailed
from tests.support.overlay_cases import OVERLAY, hardware, network

STORE = """\
    .ready(store__ready),
    .reset(reset"""

BUGS = {
    "a program's word is taken in a reset": (
        "program_tready = core__program__ready & not1",
        "program_tready = not1 ? core__program__ready : mutants::select == 1",
        "reset",
        "a stream moves in a reset by CONTROL",
    ),
    "the program stays": (
        STORE,
        f"{STORE} & (mutants::select != 2)",
        "register",
        "registers: STATUS in its reset: expected 0x00000000",
    ),
    "frames are counted on": (
        "    if (reset) begin\n      frames <= 16'h0000;",
        "    if (reset & (mutants::select != 3)) begin\n      frames <= 16'h0000;",
        "register",
        "registers: FRAMES in its reset: expected 0x00000000",
    ),
    "reads keep a write out": (
        "write_next <= 1'h1",
        "write_next <= mutants::select != 4",
        "register",
        "registers: CONTROL: a read and a write that wait at once do not take turns",
    ),
}
"""What is put in place of what by `+mutant=N`, from 1; the check that fails, its words."""


@pytest.fixture(scope="module")
def model() -> run.Model:
    """An overlay with all of them."""
    (name, text), *_ = ((k, v) for k, v in hardware().sources.items() if k.endswith(".v"))
    for before, after, _, _ in BUGS.values():
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    return run.build(OVERLAY, schemata.BESIDE | {name: text}, hardware().module)


def session(model: run.Model, folder, number: int, resets: int):
    net = network(image=(5, 6, 1))
    compiled = compile_network(net, OVERLAY)
    images = random_images(net, compiled.program.images + 1, 1)
    script = Script([Phase.of(compiled.program, images)])
    cuts = moments(script, resets, 1)
    ran = model.run(
        script, folder, Pauses(pattern="mixed", stall=0.3), cuts, arguments=[f"+mutant={number}"]
    )
    planes = Planes(net, compiled, reference.run(net, images))
    judge(script, [[planes]], ran, model.built, resets=resets)
    return script, ran, cuts


def test_both_kinds_come_in_each_state(model, tmp_path):
    script, ran, cuts = session(model, tmp_path, 0, resets=10)
    run_ = coverage(script, [], ran, cuts, stalled=False).overlays["run"]
    resets = {name for name in run_.hits if name.startswith("reset")}
    assert len(resets) == 10
    assert resets & set(run_.missing()) == set()
    assert [cut.register for cut in cuts] == [False, True] * 5


@pytest.mark.parametrize("bug", BUGS)
def test_what_a_reset_by_control_forgets_is_found(bug, model, tmp_path):
    _, _, check, words = BUGS[bug]
    with pytest.raises(RunFailed, match=words) as error:
        session(model, tmp_path, 1 + list(BUGS).index(bug), resets=10)
    assert error.value.finding.check == check
