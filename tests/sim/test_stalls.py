"""Stall iterators: their rates, their repeatability."""

import itertools
import random

import pytest

from sim.stalls import pauses


def taken(stall, seed=1, count=4000) -> list[bool]:
    return list(itertools.islice(pauses(stall, random.Random(seed)), count))


def test_rates():
    assert not any(taken(0))
    assert 0.27 < sum(taken(0.3)) / 4000 < 0.33
    assert 0.3 < sum(taken("bursts")) / 4000 < 0.7


def test_bursts_come_in_runs_of_many_lengths():
    lengths = {len(list(run)) for _, run in itertools.groupby(taken("bursts"))}
    assert {1, 2, 3} < lengths
    assert 30 < max(lengths) <= 40


@pytest.mark.parametrize("stall", [0.3, "bursts"])
def test_seed_decides(stall):
    assert taken(stall) == taken(stall) != taken(stall, seed=2)


@pytest.mark.parametrize("stall", [1, -0.1, "sometimes"])
def test_what_is_no_stall(stall):
    with pytest.raises(ValueError, match="expected a probability"):
        pauses(stall, random.Random(1))
