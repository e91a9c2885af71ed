"""Mutants of an overlay: the sessions that they go through, and a campaign of a few."""

import pytest

from sim.mutation.overlays import MANY_RESETS, Trial, cut_session, session, slow_session
from sim.overlay import run as runs
from sim.overlay.harness import RESET_LOG
from tests.support.overlay_cases import OVERLAY, hardware, network


@pytest.mark.parametrize("again", [False, True])
def test_the_design_without_a_mutant_passes(again, tmp_path):
    """Programs whose logits come faster than they leave among them, and some that are streamed."""
    chances = session(network(image=(5, 6, 1)), OVERLAY, 1, again=again)
    model = runs.build(OVERLAY, hardware().sources, hardware().module)
    trial = Trial(model, chances, tmp_path, 1)
    assert trial.cycles > chances.script.frames
    assert 0 in chances.bursts
    assert {program.streamed for program in chances.script.programs} == {False, True}


def test_many_resets_find_it_in_every_kind_of_state(tmp_path):
    """While the program comes, and while logits leave."""
    chances = cut_session(OVERLAY, 1)
    model = runs.build(OVERLAY, hardware().sources, hardware().module)
    Trial(model, chances, tmp_path, 1)
    lines = (tmp_path / "run0" / RESET_LOG).read_text(encoding="utf-8").splitlines()
    cuts = [[int(number) for number in line.split()] for line in lines]
    assert len(cuts) == MANY_RESETS
    (words,) = (len(phase.words) for phase in chances.script.phases if phase.words is not None)
    assert sum(sent < words for _, sent, *_ in cuts) >= 3
    assert sum(0 < taken < chances.script.beats for *_, taken, _ in cuts) >= 3


def test_slow_streams_are_waited_for(tmp_path):
    """Their words come later than they could be done."""
    chances = slow_session(OVERLAY, 1)
    assert all(program.streamed for program in chances.script.programs)
    model = runs.build(OVERLAY, hardware().sources, hardware().module)
    trial = Trial(model, chances, tmp_path, 1)
    words = sum(len(phase.words) for phase in chances.script.phases if phase.words is not None)
    assert trial.cycles > 4 * words
