"""What the resets of a run have met: beats under way, sums half made, FIFOs that hold something."""

from collections.abc import Mapping, Sequence
from typing import Any

from hw.ir.network import Network
from sim.coverage.store import Coverage

_STREAMS = {"mid_frame": " in mid-frame", "held_back": " held back"}
_FIFOS = {"filled": ", a FIFO with beats", "full": ", a FIFO full"}
_ENGINES = {
    "reading": "an engine reads taps",
    "summed": "an element holds a sum",
    "busy": "a requantiser is busy",
}


def measure(coverage: Coverage, network: Network, resets: Sequence[Mapping[str, Any]]) -> None:
    """Add what each reset found to `coverage`; `resets` as in `sim.simulation.Run`."""
    for found in resets:
        for key, state in (_STREAMS | _FIFOS).items():
            for label in set(found[key]):
                kind = type(network.graph[label.partition(" ")[0]]).__name__
                coverage.hit("reset", kind + state)
        for key, name in _ENGINES.items():
            coverage.hit("reset", name, len(found[key]))
        coverage.hit("reset", "after the first frame" if found["frames"] else "in the first frame")
