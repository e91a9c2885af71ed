"""Moments of resets: each kind in its turn, within what the designs are sent."""

import pytest

from sim.resets import MOST_CYCLES, Hold, moments


def test_each_kind_in_turn_and_the_first_run_never_stalled():
    found = moments(10, [30, 70], frames=4, seed=1)
    holds = [Hold.NOTHING, Hold.NOTHING, Hold.SINKS, Hold.SOURCES, Hold.NOTHING]
    assert [moment.hold for moment in found] == holds * 2
    assert [moment.stalled for moment in found] == [
        *(False, True, False, False, False),
        *(True, True, False, False, True),
    ]
    frames = [moment.beats / [30, 70][moment.tap] for moment in found]
    assert found[0].tap == 0 and 0 < frames[0] < 1
    assert 2 < frames[1] < 3 and 2 < frames[3] < 3 and frames[4] == 2
    assert (found[2].tap, found[2].beats) == (0, 30)
    assert {moment.most for moment in found} == {MOST_CYCLES, 6 * MOST_CYCLES}


@pytest.mark.parametrize("frames", [1, 2, 8])
@pytest.mark.parametrize("beats", [[1], [3, 1, 90]])
def test_every_awaited_beat_comes(frames, beats):
    for seed in range(20):
        for moment in moments(12, beats, frames, seed):
            assert 0 <= moment.beats <= frames * beats[moment.tap]
            assert moment.tap < len(beats)


def test_repeatable_and_none():
    assert moments(6, [8, 9], 2, seed=3) == moments(6, [8, 9], 2, seed=3)
    assert moments(6, [8, 9], 2, seed=3) != moments(6, [8, 9], 2, seed=4)
    assert moments(0, [8], 2, seed=3) == []


def test_the_line_that_the_harness_reads():
    first, second, third = moments(3, [30], frames=1, seed=1)
    assert first.line == f"0 0 {first.beats} 0 {first.delay} {MOST_CYCLES}\n"
    assert second.line.startswith("1 0 ")
    assert third.line == f"0 0 0 1 {1 << 20} {6 * MOST_CYCLES}\n"
