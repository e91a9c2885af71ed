"""Average pools: means of windows with fewer pixels where they are, in few captures."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.ir.format import Format
from hw.ir.graph import AvgPool, Conv, GlobalPool, Graph, Input
from hw.ir.network import Network
from hw.networks.random_network import random_network
from hw.overlay.compiler.average import covers
from hw.overlay.compiler.compile import compile_network
from hw.overlay.cycles import cycles
from hw.overlay.hardware import Overlay
from hw.overlay.isa import Class
from tests.support.overlay_check import check

HARDWARE = Overlay(rows=4, columns=4, acc_bits=24, words=256)

NAMES = {
    1: (Class.ALL,),
    2: (Class.MIDDLE, Class.LAST),
    3: (Class.FIRST, Class.MIDDLE, Class.LAST),
}


def pooled(side: int, stride: int, channels: int = 5) -> Network:
    """An average pool of 3 × 3 pixels behind a convolution."""
    small = -(-side // stride)
    graph = Graph(
        (
            Input(name="input", inputs=(), shape=(side, side, 1)),
            Conv(name="wide", inputs=("input",), shape=(side, side, channels), kernel=(1, 1)),
            AvgPool(
                name="mean",
                inputs=("wide",),
                shape=(small, small, channels),
                kernel=(3, 3),
                stride=(stride, stride),
                padding=(1, 1),
            ),
            GlobalPool(name="pool", inputs=("mean",), shape=(1, 1, channels)),
        )
    )
    return random_network(graph, seed=4)


@pytest.mark.parametrize(("side", "stride"), [(7, 1), (8, 2), (4, 2)])
def test_means_are_the_reference_s(side, stride):
    check(pooled(side, stride), HARDWARE, images=2)


def test_the_least_sum_of_all_fits_both_planes():
    """Four pixels of -128: cut in two at the first bit, the high plane would be 256."""
    graph = Graph(
        (
            Input(name="input", inputs=(), shape=(2, 2, 1)),
            Conv(name="wide", inputs=("input",), shape=(2, 2, 1), kernel=(1, 1)),
            AvgPool(
                name="mean",
                inputs=("wide",),
                shape=(1, 1, 1),
                kernel=(3, 3),
                stride=(2, 2),
                padding=(1, 1),
            ),
        )
    )
    made = random_network(graph, seed=0)
    formats = {**made.formats, "wide": Format(True, 8, 0), "mean": Format(True, 8, 0)}
    low = made.params["wide"]
    low = replace(low, bias=(-(1 << 20),), codes=low.codes | 1)
    network = replace(made, formats=formats, params={**made.params, "wide": low})
    check(network, HARDWARE, images=2)


def test_planes_of_their_own_save_captures():
    network = pooled(7, 1)
    roomy = compile_network(network, HARDWARE)
    # Room for the sums, and none beside them.
    least = check(network, HARDWARE.resized(words=68), images=2)
    assert cycles(roomy.program).frame < cycles(least.program).frame


@given(
    rows=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    columns=st.lists(st.integers(1, 3), min_size=1, max_size=3),
)
def test_covers_write_all_that_is_wanted_and_spoil_only_what_is_free(rows, columns):
    counts = np.outer(rows, columns)
    names = NAMES[len(rows)], NAMES[len(columns)]
    for n in np.unique(counts):
        written = np.zeros(counts.shape, bool)
        for row, column in covers(counts == n, counts > n, names):
            mine = [
                np.array([c in (Class.ALL, name) or name is Class.ALL for name in of])
                for c, of in ((row, names[0]), (column, names[1]))
            ]
            written |= np.outer(*mine)
        assert written[counts == n].all()
        assert not written[counts < n].any()


def test_a_frame_of_edges_and_corners_takes_four_captures():
    counts = np.outer([2, 3, 2], [2, 3, 2])
    names = NAMES[3], NAMES[3]
    assert [len(covers(counts == n, counts > n, names)) for n in (4, 6, 9)] == [1, 2, 1]
    assert [len(covers(counts == n, counts < 0, names)) for n in (4, 6, 9)] == [4, 4, 1]
