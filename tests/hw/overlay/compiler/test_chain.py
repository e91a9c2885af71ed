"""Pixels that travel on: the same planes at every pitch, in fewer cycles."""

from dataclasses import replace

import numpy as np
import pytest

from hw.ir.graph import Conv, GlobalPool, Graph, Input, Pair
from hw.networks.random_network import random_network
from hw.overlay import isa
from hw.overlay.compiler.chain import steps
from hw.overlay.compiler.compile import compile_network
from hw.overlay.compiler.emitter import View
from hw.overlay.cycles import cycles
from hw.overlay.hardware import Overlay
from tests.support.overlay_check import check


def deep(dilation: int, stride: int, image: Pair) -> Graph:
    """A depthwise convolution of 5 × 5 taps in the middle."""
    small = tuple(-(-side // stride) for side in image)
    return Graph(
        (
            Input(name="input", inputs=(), shape=(*image, 1)),
            Conv(name="wide", inputs=("input",), shape=(*image, 6), kernel=(1, 1)),
            Conv(
                name="deep",
                inputs=("wide",),
                shape=(small[0], small[1], 6),
                kernel=(5, 5),
                padding=(2 * dilation, 2 * dilation),
                dilation=(dilation, dilation),
                stride=(stride, stride),
                groups=6,
                batch_norm=False,
            ),
            GlobalPool(name="pool", inputs=("deep",), shape=(1, 1, 6)),
        )
    )


@pytest.mark.parametrize(
    ("dilation", "stride", "image", "sides"),
    [
        (1, 1, (7, 8), (8, 8)),
        (2, 1, (8, 7), (8, 8)),
        (2, 1, (13, 8), (8, 4)),
        (1, 2, (8, 8), (8, 8)),
    ],
)
def test_planes_are_the_reference_s_in_fewer_cycles(dilation, stride, image, sides, monkeypatch):
    network = random_network(deep(dilation, stride, image), seed=3, zeros=0.2)
    hardware = Overlay(rows=sides[0], columns=sides[1], acc_bits=24, words=256)
    found = check(network, hardware)
    monkeypatch.setattr("hw.overlay.compiler.conv.chained", lambda found, view: found)
    without = compile_network(network, hardware)
    assert cycles(found.program).frame < cycles(without.program).frame


def test_only_outwards():
    view = View(pitch_in=(0, 0), pitch_out=(0, 0), size=(8, 8), offset=(-2, -2), tap_bits=3)
    # From two lanes to the left of the pixel itself to four, and back: there the edge's are lost.
    assert steps(view, (2, 2), (2, 4)) == ((0, 2), 1.0)
    assert steps(view, (2, 3), (4, 4)) == ((2, 1), 2.0)
    assert steps(view, (2, 4), (2, 3)) is None
    assert steps(view, (2, 1), (2, 3)) is None
    # Pixels that moved right by a lane are still there if there was a lane; but to the left.
    roomy = replace(view, spare=(0, 1))
    assert steps(roomy, (4, 1), (4, 3)) == ((0, 2), 2.0)
    assert steps(roomy, (4, 1), (4, 2)) == ((0, 1), 2.0)
    assert steps(roomy, (4, 0), (4, 1)) is None
    assert steps(roomy, (4, 3), (4, 2)) is None
    # Neighbouring pixels of one lane are different words.
    assert (
        steps(View(**{**vars(view), "pitch_in": (1, 1), "pitch_out": (1, 1)}), (2, 2), (2, 3))
        is None
    )


def test_a_shift_comes_first_in_its_level_only_with_its_halving():
    network = random_network(deep(2, 1, (8, 7)), seed=3, zeros=0.2)
    program = compile_network(network, Overlay(acc_bits=24, words=256)).program
    words = [isa.unpack(word) for word in np.unique(program.prefix).tolist()]
    assert any(isinstance(word, isa.Shift) and word.halve for word in words)
