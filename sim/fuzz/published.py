"""The published genotypes at small size: a case for each, with each stem."""

from hw.networks import genotypes
from hw.networks.cells import Stem
from sim.fuzz.case import Case
from sim.fuzz.cells import Cells

SIZES = {Stem.CIFAR: (8, 8, 3), Stem.IMAGENET: (32, 32, 3)}
"""Image of each stem: after it both are small, odd where the reduction cells have halved them."""

CELLS = 3
"""A normal cell, then two reduction cells, the second of which reads a FactorizedReduce."""


def cases() -> list[Case]:
    """Every published genotype with every stem, two images under stalls each."""
    return [
        Case(
            Cells(genotypes.to_mapping(entry.genotype), str(stem), channels=2, cells=CELLS),
            image=SIZES[stem],
            classes=10,
            frames=("noise", "extremes"),
            stall=0.3,
        )
        for entry in genotypes.published().values()
        for stem in Stem
    ]
