"""Channels that are the same for every image: equal planes, in fewer cycles; bounds that hold."""

from dataclasses import replace

import numpy as np

from hw.ir import reference
from hw.ir.network import Network
from hw.networks import cells, genotypes
from hw.networks.random_network import random_network
from hw.overlay.compiler.compile import compile_network
from hw.overlay.compiler.ranges import Range, ranges
from hw.overlay.cycles import cycles
from hw.overlay.hardware import Overlay
from tests.support.overlay_check import check

HARDWARE = Overlay(rows=4, columns=4, acc_bits=24, words=512)


def pruned(name: str, seed: int) -> Network:
    """A network of two cells of which every third channel's scale is zero."""
    graph = cells.build(genotypes.get(name), channels=4, cells=2, image=(6, 6, 1), classes=3)
    network = random_network(graph, seed=seed, scale_terms=3)
    params = dict(network.params)
    rng = np.random.default_rng(seed)
    for node in graph:
        if node.name in params and params[node.name].scale_sign.shape[1]:
            dead = rng.random(node.shape[2]) < 1 / 3
            sign, exp = params[node.name].scale_sign.copy(), params[node.name].scale_exp.copy()
            sign[dead], exp[dead] = 0, 0
            params[node.name] = replace(params[node.name], scale_sign=sign, scale_exp=exp)
    return replace(network, params=params)


def test_what_is_constant_is_not_read(monkeypatch):
    network = pruned("ShiftNAS_C10", 0)
    found = check(network, HARDWARE, images=2)
    monkeypatch.setattr(
        "hw.overlay.compiler.compile.ranges",
        lambda network: {
            n: Range.of(f, network.graph[n].shape[2]) for n, f in network.formats.items()
        },
    )
    without = compile_network(network, HARDWARE)
    assert cycles(found.program).frame < 0.9 * cycles(without.program).frame


def test_bounds_hold():
    network = pruned("ShiftNAS_C10", 0)
    images = np.random.default_rng(0).integers(0, 256, (8, *network.graph.input.shape))
    seen = reference.run(network, images.astype(np.uint8))
    known = ranges(network)
    assert set(known) == set(network.formats)
    for name, of in known.items():
        assert (seen[name].min((0, 1, 2)) >= of.low).all(), name
        assert (seen[name].max((0, 1, 2)) <= of.high).all(), name
    assert sum(int(of.constant.sum()) for of in known.values()) > 20
