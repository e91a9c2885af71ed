"""A network with one small cell, and its hardware, for the tests of the co-simulation."""

import dataclasses
from dataclasses import dataclass

import pytest

from hw.dataflow import plan as plans
from hw.dataflow.flow import deadlock
from hw.dataflow.plan import Plan
from hw.ir.network import Network
from hw.networks.cells import build
from hw.networks.random_network import random_network
from hw.networks.space import Genotype
from hw.verilog import emit


@dataclass(frozen=True)
class Hardware:
    network: Network
    plan: Plan
    emission: emit.Emission


@pytest.fixture(scope="session")
def hardware() -> Hardware:
    """Stem, one cell (a separable convolution beside a skip, added), pool, classifier; 6×12 images.

    Its FIFOs are the smallest that the flow contract allows.
    """
    edges = (("sep_conv_3x3", 0), ("skip_connect", 1))
    genotype = Genotype(edges, (2,), edges, (2,))
    graph = build(genotype, channels=2, cells=1, image=(6, 12, 1), classes=3, stem="cifar")
    network = random_network(graph, seed=7)
    plan = plans.propose(network, "ulx3s-85f")
    stores = {name: layer.store for name, layer in plan.layers.items()}
    plan = dataclasses.replace(plan, fifos=deadlock.depths(network.graph, stores))
    return Hardware(network, plan, emit.emit(network, plan))
