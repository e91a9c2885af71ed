"""The published genotypes at small size, with both stems."""

from hw.networks import genotypes
from sim.fuzz.case import graph_of
from sim.fuzz.published import cases
from sim.fuzz.tally import values_of


def test_every_genotype_with_both_stems():
    found = [(case.net.stem, case.net.genotype) for case in cases()]
    for entry in genotypes.published().values():
        mapping = genotypes.to_mapping(entry.genotype)
        assert ("cifar", mapping) in found and ("imagenet", mapping) in found
    assert len(found) == 2 * 13


def test_both_cells_and_every_operation_of_theirs_are_built():
    built = set()
    for case in cases():
        names = {node.name.split("/")[0] for node in graph_of(case)}
        assert {"cell0", "cell1", "cell2"} <= names
        built |= {value.split("/")[0] for value in values_of(case)["operation/stride"]}
    named = {
        operation
        for entry in genotypes.published().values()
        for edges in (entry.genotype.normal, entry.genotype.reduce)
        for operation, _ in edges
    }
    assert built == named
