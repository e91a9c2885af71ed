"""No mode stands for another: a rounding that nobody knows raises in whatever reads it."""

from dataclasses import replace

import numpy as np
import pytest

from hw.board.boards import device
from hw.dataflow.planner import propose
from hw.errors import InputError
from hw.ir import reference, serialize
from hw.ir.arithmetic import alignment, requantisation, rounding_constant
from hw.ir.graph import Add, Conv, Graph, Input
from hw.ir.parameters import Rounding
from hw.networks.random_network import random_network

UNKNOWN = "half_even"


@pytest.fixture(scope="module")
def network():
    """One that needs its rounding in a requantisation and in an addition."""
    shape = (2, 3, 2)
    nodes = (
        Input(name="input", inputs=(), shape=shape),
        Conv(name="conv", inputs=("input",), shape=shape),
        Add(name="sum", inputs=("conv", "conv"), shape=shape),
    )
    made = random_network(Graph(nodes), seed=0)
    return replace(made, arithmetic=replace(made.arithmetic, rounding=UNKNOWN))


@pytest.mark.parametrize("rounding", Rounding)
def test_known_ones_are_read(network, rounding):
    known = replace(network, arithmetic=replace(network.arithmetic, rounding=rounding))
    reference.run(known, np.zeros((1, 2, 3, 2), np.uint8))


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_constants(shift):
    with pytest.raises(AssertionError, match=UNKNOWN):
        rounding_constant(shift, UNKNOWN)


@pytest.mark.parametrize(
    "read",
    [
        lambda network: requantisation(network, "conv"),
        lambda network: alignment(network, "sum"),
        lambda network: reference.run(network, np.zeros((1, 2, 3, 2), np.uint8), ["conv"]),
        lambda network: propose(network, device("none"), luts=5000),
    ],
    ids=["requantisation", "alignment", "reference", "design"],
)
def test_readers(network, read):
    with pytest.raises(AssertionError, match=UNKNOWN):
        read(network)


def test_a_file(network, tmp_path, monkeypatch):
    monkeypatch.setattr(serialize, "validate", lambda *network: None)
    serialize.save(network, tmp_path)
    with pytest.raises(InputError, match="rounding: 'half_even'; expected half_up or floor"):
        serialize.load(tmp_path)
