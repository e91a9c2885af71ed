"""Mutants of an overlay: the sessions that they go through, and a campaign of a few."""

import pytest

from sim.mutation.overlays import Trial, session
from sim.overlay import run as runs
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
