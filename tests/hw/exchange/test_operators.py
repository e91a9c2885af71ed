"""What onnxruntime makes of a network's operators is what the reference computes, to the bit."""

from collections import Counter

import numpy as np
from any_networks import networks
from hypothesis import HealthCheck, given, settings

from hw.errors import InputError
from hw.exchange.judge import judge
from hw.exchange.model import to_model
from hw.exchange.operators import gathered, spread
from hw.networks import genotypes
from hw.networks.cells import build
from hw.networks.random_network import random_network

ANY = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def test_any_network_is_the_reference_or_is_refused():
    """Formats of 2 to 32 bits, all guards, clips, windows; every tensor of every network."""
    seen = Counter()

    @ANY
    @given(networks())
    def compare(drawn):
        network, images = drawn
        try:
            model = to_model(network)
        except InputError as error:
            assert any(node.name in str(error) for node in network.graph)
            seen["refused"] += 1
            return
        verdict = judge(network, model, images)
        assert (verdict.mismatches, verdict.tensors) == (0, len(network.graph) - 1)
        seen["compared"] += 1
        # Sums of more than 64 bits are made of two halves.
        seen["split"] += any(one.name.endswith("/offset_below") for one in model.graph.initializer)

    compare()
    assert seen["compared"] > 100 and seen["split"] > 10, seen


def test_papers_arithmetic():
    """32 bits, guard 0, six-bit weights: four bytes an operand, a floor for every exponent."""
    graph = build(genotypes.get("ShiftNAS_C100"), channels=2, cells=3, image=(5, 6, 3), classes=4)
    network = random_network(graph, seed=3, paper=True)
    images = np.random.default_rng(1).integers(0, 256, (8, 5, 6, 3), np.uint8)
    model = to_model(network)
    assert judge(network, model, images).mismatches == 0
    assert {f"stem/conv/weights_floor{n}" for n in (1, 8)} <= {
        one.name for one in model.graph.initializer
    }


def test_a_reduction_is_one_kernel():
    weights = np.arange(1, 16, dtype=np.int8).reshape(5, 3, 1, 1)
    kernel = spread(weights)
    assert kernel.shape == (5, 3, 2, 2) and np.count_nonzero(kernel) == 15
    assert (gathered(kernel) == weights).all()
