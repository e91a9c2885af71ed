"""Sums of two channels in place of both: what is left and what they stand for is the same."""

import numpy as np

from hw.networks.conventional import model
from hw.networks.conventional.sizes import Sizes
from hw.networks.random_network import random_network
from hw.overlay.compiler import conv
from hw.overlay.compiler.common import PRICE, fitting, pairs
from hw.overlay.compiler.compile import compile_network
from hw.overlay.compiler.ranges import Range
from hw.overlay.cycles import cycles
from hw.overlay.hardware import Overlay
from tests.support.overlay_check import check


def test_pairs_stand_for_what_they_replace():
    drawn = np.random.default_rng(3).integers(-1, 2, (40, 9))
    yes, left = np.ones((9, 9), bool), drawn.copy()
    found = list(pairs(left, np.full(40, 2), yes, yes, 1000))
    assert {pair.negative for pair in found} == {False, True}
    for pair in found:
        assert 2 * len(pair.rows) > PRICE
        left[pair.rows, pair.first] += pair.signs
        left[pair.rows, pair.second] += -pair.signs if pair.negative else pair.signs
    np.testing.assert_array_equal(left, drawn)


def test_no_more_pairs_than_wanted_and_none_that_saturates():
    drawn = np.ones((40, 4), np.int64)
    met = Range(np.array([0, 0, 0, -256]), np.array([127, 128, 255, 0]))
    plus, minus = fitting(met, 9, differences=False)
    assert not minus.any()
    (pair,) = pairs(drawn.copy(), np.ones(40, np.int64), plus, minus, 1)
    assert {pair.first, pair.second} == {0, 1} or 3 in (pair.first, pair.second)
    assert plus[0, 1] and not plus[0, 2] and not plus[1, 2] and plus[2, 3]


def test_a_network_of_common_sums_is_exact_and_shorter(monkeypatch):
    graph = model("mobilenet_v2", Sizes((8, 8, 3), 3, width=0.25))
    network = random_network(graph, seed=1, scale_terms=3)
    hardware = Overlay(rows=8, columns=8, acc_bits=24, words=2048)
    found = check(network, hardware)
    monkeypatch.setattr(conv, "pairs", lambda *_: ())
    plain = compile_network(network, hardware)
    assert cycles(found.program).frame < cycles(plain.program).frame
