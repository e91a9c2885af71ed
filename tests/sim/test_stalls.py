"""Stall patterns: their rates, their repeatability, what they react to."""

import itertools
import random

import pytest

from sim.stalls import BURST, PATTERNS, STILL, Adversary, View, holds


def taken(stall, seed=1, count=4000, **seen) -> list[bool]:
    hold = holds(stall, random.Random(seed))
    return [hold(View(is_sink=True, **seen)) for _ in range(count)]


def test_rates():
    assert not any(taken(0))
    assert not any(taken("never"))
    assert 0.27 < sum(taken(0.3)) / 4000 < 0.33
    assert 0.47 < sum(taken("bernoulli")) / 4000 < 0.53
    assert 0.3 < sum(taken("bursts")) / 4000 < 0.7


def test_bursts_come_in_runs_of_many_lengths():
    lengths = {len(list(run)) for _, run in itertools.groupby(taken("bursts"))}
    assert {1, 2, 3} < lengths
    assert 30 < max(lengths) <= 40


@pytest.mark.parametrize("stall", [0.3, "bernoulli", "bursts", "adversarial"])
def test_seed_decides(stall):
    seen = {"valid": True, "beats": 6, "row": 3}
    assert taken(stall, **seen) == taken(stall, **seen) != taken(stall, seed=2, **seen)


@pytest.mark.parametrize("stall", [1, -0.1, "sometimes"])
def test_what_is_no_stall(stall):
    with pytest.raises(ValueError, match="expected"):
        holds(stall, random.Random(1))


def test_always_then_burst_waits_until_everything_stands_still():
    hold = holds("always_then_burst", random.Random(1))
    assert all(hold(View(is_sink=True, idle=idle)) for idle in range(STILL))
    assert not hold(View(is_sink=True, idle=STILL))
    flow = list(itertools.takewhile(lambda held: not held, (hold(View(True)) for _ in range(999))))
    assert 0 < len(flow) <= BURST


def test_after_valid_rises_once_a_beat_is_seen_waiting():
    hold = holds("after_valid", random.Random(1))
    assert hold(View(True))
    assert not hold(View(True, valid=True))
    assert hold(View(True, valid=True, ready=True))
    assert not hold(View(False))


def test_iterable_and_function():
    assert taken([True, False, True], count=5) == [True, False, True, False, False]
    assert taken(lambda view: view.beat > 1, count=1, beat=2) == [True]


class Mood(random.Random):
    """Random numbers, but the mood is ours."""

    def __init__(self, mood: str):
        super().__init__(1)
        self.mood = mood

    def choice(self, moods):
        assert self.mood in moods
        return self.mood


def adversary(mood: str, views) -> list[bool]:
    hold = Adversary(Mood(mood))
    return [hold(view) for view in views]


def test_snap_holds_back_just_when_the_other_side_comes_forward():
    assert not any(adversary("snap", [View(True)] * 100))
    assert 60 < sum(adversary("snap", [View(True, valid=True)] * 100)) < 90
    assert 60 < sum(adversary("snap", [View(False, ready=True)] * 100)) < 90


def test_brim_lets_one_beat_through_each_time_that_all_stands_still():
    views = [View(True, idle=idle) for idle in [*range(STILL + 1)] * 3]
    held = adversary("brim", views)
    assert [n for n, hold in enumerate(held) if not hold] == [STILL, 2 * STILL + 1, 3 * STILL + 2]


def test_borders_pause_at_the_ends_of_rows_only():
    inner = [View(True, beat=1, beats=6, row=3)] * 50
    assert not any(adversary("borders", inner))
    for beat in (0, 2, 3, 5):
        assert any(adversary("borders", [View(True, beat=beat, beats=6, row=3)] * 50))


def test_alternate():
    assert adversary("alternate", [View(True)] * 4) == [True, False, True, False]


@pytest.mark.parametrize("stall", PATTERNS)
@pytest.mark.parametrize("is_sink", [True, False])
def test_no_pattern_holds_back_for_ever(stall, is_sink):
    """With a beat on offer (a sink) or asked for (a source), and nothing moving."""
    for seed in range(20):
        hold = holds(stall, random.Random(seed))
        idle, longest = 0, 0
        for _ in range(3000):
            view = View(is_sink, valid=is_sink, ready=not is_sink, beats=6, row=3, idle=idle)
            idle = idle + 1 if hold(view) else 0
            longest = max(longest, idle)
        assert longest < 200
