"""What the streams of a run have been through: stalls everywhere, at the joins above all."""

from collections.abc import Mapping, Sequence

from hw.ir.graph import Add, Concat
from hw.ir.network import Network
from sim.coverage.store import Coverage


def measure(
    coverage: Coverage,
    network: Network,
    seen: Mapping[str, Sequence[str]],
    *,
    frames: int,
    stalled: bool,
) -> None:
    """Add what the harness saw to `coverage`.

    Parameters
    ----------
    seen: labels of streams "held_back" (valid, not ready) and "starved" (ready, not valid); of the
    FIFOs "full", and "waited" for while another input of their join had a beat
    frames: that passed at full speed
    stalled: whether frames passed under stalls
    """
    graph = network.graph
    for what, name in _JOIN.items():
        for label in set(seen[what]):
            kind = type(graph[label.partition(" ")[0]]).__name__
            coverage.hit("join", f"{kind}, {name}")
    for what, name in (("held_back", "held back"), ("starved", "starved")):
        for label in set(seen[what]):
            node = graph[label.partition(" ")[0]]
            coverage.hit("stream", f"{type(node).__name__} {name}")
            if what == "held_back" and isinstance(node, Add | Concat):
                coverage.hit("join", f"{type(node).__name__}, output held back")
    if frames > 1:
        coverage.hit("frames", "one after the other without a gap")
    if stalled:
        coverage.hit("frames", "under stalls")


_JOIN = {"full": "a FIFO full", "waited": "waits for one input"}
