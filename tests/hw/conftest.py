"""A network of a few layers that emits in a second and synthesises in a few."""

import numpy as np
import pytest

from hw.dataflow.plan import LayerPlan, Plan
from hw.ir import graph as g
from hw.ir.format import IMAGE_FORMAT, Format
from hw.ir.network import Network
from hw.ir.parameters import LayerParams
from hw.ir.weights import encode


def small_network(seed: int = 0) -> Network:
    """Images of 4×4×2 bytes, two convolutions that meet in an addition, three logits."""
    shape = (4, 4, 2)
    nodes = (
        g.Input(name="input", inputs=(), shape=shape),
        g.Conv(name="stem/conv", inputs=("input",), shape=shape, kernel=(3, 3), padding=(1, 1)),
        g.Conv(name="cell0/edge0/pw", inputs=("stem/conv",), shape=shape, relu_in=True),
        g.Add(name="cell0/node2", inputs=("stem/conv", "cell0/edge0/pw"), shape=shape),
        g.GlobalPool(name="global_pool", inputs=("cell0/node2",), shape=(1, 1, 2)),
        g.Linear(name="classifier", inputs=("global_pool",), shape=(1, 1, 3)),
    )
    rng = np.random.default_rng(seed)

    def codes(*weights):
        return encode(rng.choice([-1, 0, 1], weights), rng.integers(-4, 1, weights), 5)

    def scaled(weights):
        sign, exp = np.zeros((2, 3), np.int8), np.zeros((2, 3), np.int16)
        sign[:, :2], exp[:, 0], exp[:, 1] = 1, -1, -3
        return LayerParams(weights, sign, exp, (100, -300))

    params = {
        "stem/conv": scaled(codes(2, 2, 3, 3)),
        "cell0/edge0/pw": scaled(codes(2, 2, 1, 1)),
        "classifier": LayerParams(
            codes(3, 2), np.zeros((3, 0), np.int8), np.zeros((3, 0), np.int16), (5, -7, 0)
        ),
    }
    signed = Format(signed=True, width=8, frac=5)
    formats = {node.name: signed for node in nodes[1:-1]} | {"input": IMAGE_FORMAT}
    return Network(g.Graph(nodes), formats, params)


def small_plan(network: Network) -> Plan:
    """One output channel at a time everywhere, a frame in each FIFO."""
    layers = {
        "stem/conv": LayerPlan("barrel", 1, 64),
        "cell0/edge0/pw": LayerPlan("barrel", 1, 8),
        "classifier": LayerPlan("barrel", 1, 8),
    }
    return Plan(network.digest, "ulx3s-85f", 50.0, layers, {"cell0/node2": (32, 32)})


@pytest.fixture(scope="session")
def network() -> Network:
    return small_network()


@pytest.fixture(scope="session")
def plan(network) -> Plan:
    return small_plan(network)
