"""One small overlay for all co-simulations of the tests, and networks for it."""

from functools import lru_cache

from hw.errors import CheckFailed
from hw.ir.network import Network
from hw.networks import cells, genotypes
from hw.networks.random_network import random_network
from hw.overlay.hardware import Overlay
from hw.overlay.rtl.top import Top
from hw.verilog.convert import to_verilog
from sim.overlay.cosim import Hardware

OVERLAY = Overlay(rows=4, columns=4, acc_bits=24, words=1024, program_words=8192, fabric="generic")


@lru_cache(maxsize=2)
def hardware(overlay: Overlay = OVERLAY) -> Hardware:
    """Its Verilog."""
    return Hardware(overlay, {"overlay.v": to_verilog(Top(overlay), "overlay")}, "overlay")


def network(name: str = "DARTS_V1", image=(8, 8, 1), channels: int = 2, **settings) -> Network:
    """A network of two cells."""
    graph = cells.build(genotypes.get(name), channels=channels, cells=2, image=image, classes=3)
    settings = {"scale_terms": 1} | settings
    for seed in range(8):
        try:
            return random_network(graph, seed=seed, **settings)
        except CheckFailed:
            continue
    raise AssertionError("no network")
