"""Weights counted by their exponents: against plain loops."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hw.ir.weights import decode, encode
from hw.networks import genotypes
from hw.networks.cells import build
from hw.networks.exponents import Exponents, exponents, of_network, together
from hw.networks.random_network import random_network

WEIGHTS = st.lists(st.tuples(st.sampled_from((-1, 0, 1)), st.integers(-14, 0)), max_size=60)


@given(WEIGHTS)
def test_as_a_loop_counts(weights):
    sign, power = (np.array([one[k] for one in weights], int) for k in (0, 1))
    counted = exponents(sign, power)
    loop = Counter((s, p) for s, p in weights if s)
    assert counted.zeros == sum(s == 0 for s, _ in weights)
    assert counted.powers == {p: (loop[-1, p], loop[1, p]) for p in sorted({p for _, p in loop})}
    assert list(counted.powers) == sorted(counted.powers)
    assert counted.weights == len(weights)


def test_the_power_of_a_zero_means_nothing():
    assert exponents(np.array([0, 1]), np.array([-9, -2])) == Exponents(1, {-2: (0, 1)})


def test_the_share_of_zeros():
    assert Exponents(3, {-1: (1, 0)}).zero_share == 0.75
    assert Exponents(0, {}).zero_share == 0.0


def test_a_network_layer_by_layer():
    graph = build(genotypes.get("ShiftNAS_C10"), channels=2, cells=1, image=(6, 6, 1), classes=3)
    network = random_network(graph.pruned(), seed=3)
    layers = of_network(network)
    assert list(layers) == [node.name for node in network.graph if node.name in network.params]
    for name, layer in layers.items():
        codes = network.params[name].codes
        assert layer.weights == codes.size
        sign, power = decode(codes, network.arithmetic.weight_bits)
        for p, (negative, positive) in layer.powers.items():
            assert negative == np.sum(codes == encode(np.array(-1), np.array(p), 5))
            assert positive == np.sum((sign == 1) & (power == p))
    whole = together(layers.values())
    assert whole.weights == sum(layer.weights for layer in layers.values())
    assert whole.zeros == sum(layer.zeros for layer in layers.values())
    assert list(whole.powers) == sorted({p for layer in layers.values() for p in layer.powers})
