"""Published genotypes as hardware: every bit of every layer, at full speed and under stalls.

Four of the thirteen, which have every operation between them; `shiftnas fuzz --published` runs all.
"""

import pytest

from hw.networks import genotypes
from hw.networks.space import OPERATIONS, Genotype
from sim.fuzz.published import cases
from sim.fuzz.run import run

NAMES = ("NASNet", "AmoebaNet", "PDARTS", "ShiftNAS_C10")


def genotype(name: str) -> Genotype:
    return genotypes.published()[name].genotype


def test_they_have_every_operation_between_them():
    named = {
        operation
        for name in NAMES
        for edges in (genotype(name).normal, genotype(name).reduce)
        for operation, _ in edges
    }
    assert named == set(OPERATIONS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.thorough] if name != "ShiftNAS_C10" else [])
        for name in NAMES
    ],
)
def test_every_bit_is_right(name):
    mapping = genotypes.to_mapping(genotype(name))
    (case,) = (one for one in cases() if (one.net.genotype, one.net.stem) == (mapping, "cifar"))
    outcome = run(case)
    assert outcome.failure is None
    assert outcome.frames == 4
