"""Rows of a profile: nothing counted twice, nothing left out."""

import pytest

from hw.networks.conventional import model
from hw.networks.conventional.sizes import Sizes
from hw.networks.random_network import random_network
from hw.overlay.compiler.compile import compile_network
from hw.overlay.cycles import cycles
from hw.overlay.hardware import Overlay
from hw.overlay.profile import profile


def test_rows_are_all_nodes_and_all_cycles():
    network = random_network(model("resnet8", Sizes((16, 16, 3), 3, width=0.25)), seed=0)
    compiled = compile_network(network, Overlay(acc_bits=24, words=2048))
    rows = profile(compiled.program, compiled.ends)
    assert compiled.program.images > 1
    assert [row.name for row in rows if row.name] == list(compiled.ends)
    assert sum(row.cycles for row in rows) == pytest.approx(cycles(compiled.program).frame)
    total = {row.name: row.kinds for row in rows}
    assert total["stem/conv"]["weights"] > total["stem/conv"]["captures"] > 0
    assert total["stem/conv"]["travel"] > 0
