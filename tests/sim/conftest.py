"""A network with one small cell, and its hardware, for the tests of the co-simulation."""

from dataclasses import dataclass

import pytest

from hw.board.boards import device
from hw.dataflow.design.design import Design
from hw.dataflow.flow import deadlock
from hw.dataflow.plan import Plan
from hw.dataflow.planner import propose
from hw.ir.network import Network
from hw.networks.cells import build
from hw.networks.random_network import random_network
from hw.networks.space import Genotype
from hw.verilog import emit, rtl_folder


@dataclass(frozen=True)
class Hardware:
    network: Network
    design: Design
    emission: rtl_folder.Emission

    @property
    def plan(self) -> Plan:
        return self.design.plan


@pytest.fixture(scope="session")
def hardware() -> Hardware:
    """Stem, one cell (a separable convolution beside a skip, added), pool, classifier; 6×12 images.

    Its FIFOs are the smallest that the flow contract allows.
    """
    return _one_cell((6, 12, 1))


@pytest.fixture(scope="session")
def odd() -> rtl_folder.Emission:
    """The same with images of 5×7×2: odd sides everywhere."""
    return _one_cell((5, 7, 2)).emission


def _one_cell(image: tuple[int, int, int]) -> Hardware:
    edges = (("sep_conv_3x3", 0), ("skip_connect", 1))
    genotype = Genotype(edges, (2,), edges, (2,))
    graph = build(genotype, channels=2, cells=1, image=image, classes=3, stem="cifar")
    network = random_network(graph, seed=7)
    design = propose(network, device("ulx3s-85f"))
    design = design.with_buffers(design.stores, deadlock.depths(network.graph, design.stores))
    return Hardware(network, design, emit.emit(design))
