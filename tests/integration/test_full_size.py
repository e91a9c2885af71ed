"""Conventional networks at their published size: built, or refused by name and number."""

import pytest

from hw.board.boards import device
from hw.dataflow.planner import propose
from hw.errors import CheckFailed
from hw.networks.conventional import model
from hw.networks.conventional.sizes import Sizes
from hw.networks.random_network import random_network
from hw.verilog import emit

BOARD = "ulx3s-85f"


def cifar(name):
    return random_network(model(name, Sizes((32, 32, 3), 10)), seed=1)


@pytest.fixture(scope="module")
def resnet8():
    return propose(cifar("resnet8"), device(BOARD))


def test_resnet8_fits_a_board(resnet8):
    assert resnet8.graph.input.shape == (32, 32, 3)
    # As published: 16, 32 and 64 channels, and a logit a class.
    shapes = {node.name: node.shape for node in resnet8.graph}
    assert shapes["stage1/block0/sum"] == (32, 32, 16)
    assert shapes["stage3/block0/sum"] == (8, 8, 64)
    assert shapes["classifier"] == (1, 1, 10)


@pytest.mark.slow
def test_resnet8_is_emitted(resnet8):
    emission = emit.emit(resnet8)
    assert emission.manifest["ports"]
    assert emission.verilog.count("\nendmodule") > 50


def test_resnet20_says_what_it_lacks():
    with pytest.raises(CheckFailed) as refused:
        propose(cifar("resnet20"), device(BOARD))
    message = str(refused.value)
    assert "block RAMs, more than the 166 allowed of the 208 that ulx3s-85f has" in message
    assert "stage3/block0/conv2: weights" in message
