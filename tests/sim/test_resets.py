"""Moments of resets: each kind in its turn, within what the designs are sent."""

import pytest

from sim.resets import MOST_CYCLES, Hold, moments


def test_each_kind_in_turn_and_the_first_run_never_stalled():
    found = moments(10, [30, 70], frames=4, seed=1)
    holds = [Hold.NOTHING, Hold.SINKS, Hold.NOTHING, Hold.SOURCES, Hold.NOTHING]
    assert [moment.hold for moment in found] == holds * 2
    assert [moment.stalled for moment in found] == [False, False, True, False, False] + [True] * 5
    assert found[1].beats == 0 and found[2].beats < 70
    assert found[4].beats == [30, 70][found[4].tap]
    assert {moment.most for moment in found} == {MOST_CYCLES, 6 * MOST_CYCLES}


@pytest.mark.parametrize("frames", [1, 2, 8])
@pytest.mark.parametrize("beats", [[1], [3, 1, 90]])
def test_every_awaited_beat_comes(frames, beats):
    for seed in range(20):
        for moment in moments(12, beats, frames, seed):
            assert 0 <= moment.beats <= max(1, frames * beats[moment.tap] - 1)
            assert moment.tap < len(beats)


def test_repeatable_and_none():
    assert moments(6, [8, 9], 2, seed=3) == moments(6, [8, 9], 2, seed=3)
    assert moments(6, [8, 9], 2, seed=3) != moments(6, [8, 9], 2, seed=4)
    assert moments(0, [8], 2, seed=3) == []


def test_the_line_that_the_harness_reads():
    first, second = moments(2, [30], frames=1, seed=1)
    assert first.line == f"0 0 {first.beats} 0 {first.delay} {MOST_CYCLES}\n"
    assert second.line.split()[3] == "1"
