"""Mutants differ from the emission in one operator of the layer asked for."""

import pytest

from hw import emit
from hw.errors import InputError
from sim import mutate

LAYER = "cell0/edge0_sep_conv_3x3/dw1"


def test_mutations_lie_in_the_layer(hardware):
    found = list(mutate.mutations(hardware.emission, LAYER))
    assert len(found) >= 5
    path = f"shiftnas_top.{LAYER.replace('/', '.')}"
    assert all(mutation.module.startswith(path) for mutation in found)
    lines = hardware.emission.verilog.split("\n")
    for mutation in found:
        assert lines[mutation.line][mutation.column :].startswith(mutation.operator + " ")


def test_mutant_is_a_whole_rtl_folder_again(hardware, tmp_path):
    mutation = next(mutate.mutations(hardware.emission, LAYER, "elements"))
    mutant = mutate.apply(hardware.emission, mutation)
    before, after = (e.verilog.split("\n") for e in (hardware.emission, mutant))
    changed = [k for k, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
    assert changed == [mutation.line]
    emit.write(mutant, tmp_path)
    assert emit.read(tmp_path) == mutant


def test_unknown_layer(hardware):
    with pytest.raises(InputError, match="'cell9/none'; expected a name among"):
        list(mutate.mutations(hardware.emission, "cell9/none"))
