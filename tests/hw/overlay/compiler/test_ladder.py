"""Terms above the last level: every plane equal, where planes saturate too, and fewer cycles."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.ir.format import Format
from hw.ir.graph import Conv, GlobalPool, Graph, Input
from hw.ir.network import Network
from hw.networks.random_network import random_network
from hw.overlay.compiler.ladder import rungs
from hw.overlay.cycles import cycles
from hw.overlay.hardware import Overlay
from tests.support.overlay_check import check

HARDWARE = Overlay(rows=4, columns=4, words=256, acc_bits=30)


def tall(seed: int, relu: bool, frac: int, zeros: float) -> Network:
    """Two depthwise convolutions, the second one with so many more fractional bits behind it."""
    nodes = (
        Input(name="input", inputs=(), shape=(6, 6, 3)),
        Conv(name="a", inputs=("input",), shape=(6, 6, 3), kernel=(1, 1)),
        Conv(
            name="b",
            inputs=("a",),
            shape=(6, 6, 3),
            kernel=(3, 3),
            padding=(1, 1),
            groups=3,
            relu_in=relu,
        ),
        GlobalPool(name="pool", inputs=("b",), shape=(1, 1, 3)),
    )
    made = random_network(Graph(nodes), seed=seed, zeros=zeros)
    formats = dict(made.formats)
    wider = formats["b"].frac + frac
    formats["b"] = formats["pool"] = Format(True, 8, wider)
    return replace(made, formats=formats)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_planes_are_the_reference_s(seed, relu):
    few = check(tall(seed, relu, 4, 0.8), HARDWARE, images=2)
    check(tall(seed, relu, 7, 0.3), HARDWARE, images=2)
    assert cycles(few.program).frame < 1500


@given(
    counts=st.lists(st.integers(0, 4), min_size=1, max_size=7).map(tuple),
    allowed=st.lists(st.booleans(), min_size=7, max_size=7).map(tuple),
    price=st.sampled_from([1.5, 4.0]),
)
def test_rungs_are_the_cheapest(counts, allowed, price):
    found = rungs(counts, allowed, price)
    assert list(found) == sorted(found, reverse=True)
    assert all(0 < k < len(counts) and allowed[k] for k in found)

    def cost(way: tuple[int, ...]) -> float:
        total, above, kept = 0.0, len(counts), False
        for k in (*way, 0):
            total += sum(counts[at] << (at - k) for at in range(max(k, 1), above))
            total += (1 << (above - k) if kept else 0) + (price if k else 0)
            above, kept = k, True
        return total

    levels = [k for k in range(1, len(counts)) if allowed[k]]
    ways = [
        tuple(k for at, k in enumerate(reversed(levels)) if chosen >> at & 1)
        for chosen in range(1 << len(levels))
    ]
    assert cost(found) == pytest.approx(min(map(cost, ways)))
    assert np.isfinite(cost(found))
