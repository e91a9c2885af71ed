"""One small overlay for all co-simulations of the tests, and networks for it."""

from functools import lru_cache

from hw.errors import CheckFailed
from hw.ir.network import Network
from hw.networks import cells, genotypes
from hw.networks.random_network import random_network
from hw.overlay.plan import OverlayPlan
from hw.verilog.emit_overlay import emit
from hw.verilog.rtl_folder import Emission
from sim.fuzz.grids import OVERLAYS
from sim.overlay.cosim import Hardware

OVERLAY = OVERLAYS["4x4"]


PLAN = OverlayPlan(OVERLAY, "none", 50.0)


@lru_cache(maxsize=1)
def emission() -> Emission:
    """Its RTL."""
    return emit(PLAN)


def hardware() -> Hardware:
    """Its Verilog."""
    return Hardware.of(emission())


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
