"""The choice of mutants: the same for a seed, spread over the kinds."""

from collections import Counter

from sim.mutation import campaign


def test_same_seed_same_mutants(hardware):
    first, again, other = (campaign.choose(hardware.emission, 40, seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other
    assert len(first) == len({mutant.line for mutant in first}) == 40


def test_kinds_take_turns(hardware):
    counts = Counter(mutant.kind for mutant in campaign.choose(hardware.emission, 54, 1))
    assert counts.pop("tlast misplaced") == 1
    plenty = [count for kind, count in counts.items() if kind != "rounding dropped"]
    assert len(plenty) == 16
    assert max(plenty) - min(plenty) <= 1


def test_more_than_there_are(hardware):
    found = campaign.choose(hardware.emission, 100_000, 1, "cell0/node2")
    assert 20 < len(found) < 1000
    assert all(m.module.startswith("shiftnas_top.cell0.node2") for m in found)
