"""The planner: proposes a plan for a network and a board."""

from math import prod

from hw.ir.graph import Add, AvgPool, Concat, Conv, FactorizedReduce, Linear, MaxPool
from hw.ir.network import Network
from hw.plan import LayerPlan, Plan


def propose(
    network: Network, board: str, *, fps: float | None = None, luts: int | None = None
) -> Plan:
    """The cheapest plan: one output channel at a time everywhere, FIFOs of a whole frame."""
    graph = network.graph
    layers, fifos = {}, {}
    for node in graph:
        shapes = graph.in_shapes(node)
        if isinstance(node, Add | Concat):
            fifos[node.name] = tuple(max(2, prod(shape)) for shape in shapes)
            continue
        if isinstance(node, Conv | MaxPool | AvgPool):
            (kh, kw), (dy, dx) = node.kernel, getattr(node, "dilation", (1, 1))
        elif isinstance(node, FactorizedReduce):
            (kh, kw), (dy, dx) = (2, 2), (1, 1)
        elif isinstance(node, Linear):
            (kh, kw), (dy, dx) = (1, 1), (1, 1)
        else:
            continue
        _, width, channels = shapes[0]
        span = ((kh - 1) * dy * width + (kw - 1) * dx + 3) * channels
        element = "pool" if isinstance(node, MaxPool | AvgPool) else "barrel"
        layers[node.name] = LayerPlan(element, 1, 1 << (span - 1).bit_length())
    return Plan(network.digest, board, 50.0, layers, fifos)
