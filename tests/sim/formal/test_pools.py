"""The proofs of the global pool hold, and each fails on a pool that is wrong."""

import pytest
from formal_support import fails_from_reset, holds, mutate, proofs_of

from hw.dataflow.design import scales
from hw.dataflow.layers.global_pool import ChannelSums

SUMS = ChannelSums.elaborate

MUTANTS = [
    pytest.param(
        "global-pool", SUMS, "Mux(first, 0, read.data)", "read.data", marks=pytest.mark.slow
    ),
    ("global-pool", SUMS, "self.i.valid & last", "self.i.valid"),
    ("global-pool", SUMS, "self.o.ready | ~last", "1"),
    pytest.param(
        "global-pool", scales.average_scales, "1 << shift - 1", "0", marks=pytest.mark.slow
    ),
    ("global-pool", SUMS, "channel == channels - 1", "channel == channels"),
]


@pytest.mark.parametrize("name", proofs_of("pools"))
def test_proof_holds(name):
    holds(name)


@pytest.mark.parametrize(("name", "function", "old", "new"), MUTANTS)
def test_wrong_part_is_found(name, function, old, new, monkeypatch):
    mutate(monkeypatch, function, old, new)
    fails_from_reset(name)
