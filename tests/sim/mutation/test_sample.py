"""The choice of mutants: the same for a seed, spread over the kinds."""

from collections import Counter

import pytest

from hw.errors import InputError
from sim.mutation import campaign
from sim.mutation.sites import sites


def test_same_seed_same_mutants(hardware):
    first, again, other = (campaign.choose(hardware.emission, 40, seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other
    assert len(first) == len({mutant.line for mutant in first}) == 40


def test_kinds_take_turns(hardware):
    """Kinds with few lines have all of theirs, the others as many as each other."""
    found = sites(hardware.emission.verilog, hardware.emission.top)
    chosen = campaign.choose(hardware.emission, 69, 1)
    counts = Counter(mutant.kind for mutant in chosen)
    # Both kinds of tlast have one line, and it is the same.
    assert {site.kind for site in found} - set(counts) < {
        "tlast misplaced", "tlast early at a burst's end"
    }  # fmt: skip
    lines = Counter(kind for kind, _ in {(site.kind, site.statement.line) for site in found})
    plenty = [count for kind, count in counts.items() if lines[kind] > 20]
    assert len(plenty) >= 14
    assert max(plenty) - min(plenty) <= 1


def test_a_layer_that_does_not_exist_is_no_campaign(hardware):
    with pytest.raises(InputError, match="layer: 'cell0/none'; expected a name of the manifest"):
        campaign.choose(hardware.emission, 3, 1, "cell0/none")


def test_more_than_there_are(hardware):
    found = campaign.choose(hardware.emission, 100_000, 1, "cell0/node2")
    assert 20 < len(found) < 1000
    assert all(m.module.startswith("shiftnas_top.cell0.node2") for m in found)
