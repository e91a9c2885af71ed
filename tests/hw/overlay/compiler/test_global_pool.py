"""Global pools: channels side by side in the grid's columns, the same means, in fewer cycles."""

import pytest

from hw.ir.graph import Conv, GlobalPool, Graph, Input, Linear, Pair
from hw.networks.random_network import random_network
from hw.overlay.compiler.compile import compile_network
from hw.overlay.cycles import cycles
from hw.overlay.hardware import Overlay
from tests.support.overlay_check import check


def pooled(image: Pair, stride: int, channels: int) -> Graph:
    """A convolution, the pool of all its pixels, and a classifier."""
    small = (-(-image[0] // stride), -(-image[1] // stride))
    return Graph(
        (
            Input(name="input", inputs=(), shape=(*image, 1)),
            Conv(
                name="wide",
                inputs=("input",),
                shape=(*small, channels),
                kernel=(1, 1),
                stride=(stride, stride),
            ),
            GlobalPool(name="pool", inputs=("wide",), shape=(1, 1, channels)),
            Linear(name="logits", inputs=("pool",), shape=(1, 1, 3)),
        )
    )


@pytest.mark.parametrize(
    ("image", "stride", "sides"),
    [
        ((7, 7), 1, (8, 8)),
        ((7, 5), 1, (4, 7)),
        ((14, 15), 2, (14, 16)),
        ((7, 13), 2, (4, 14)),
    ],
)
def test_the_means_of_channels_side_by_side(image, stride, sides, monkeypatch):
    network = random_network(pooled(image, stride, 19), seed=2)
    hardware = Overlay(rows=sides[0], columns=sides[1], acc_bits=24, words=512)
    found = check(network, hardware)
    monkeypatch.setattr("hw.overlay.compiler.global_pool._beside", lambda *_: 1)
    alone = compile_network(network, hardware)
    assert cycles(found.program).frame < 0.8 * cycles(alone.program).frame
