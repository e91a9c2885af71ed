"""What a network's nodes are like, one by one: windows, groups, selections; where windows lie."""

from collections.abc import Iterator

import numpy as np

from hw.dataflow.design.geometry import Geometry
from hw.ir.graph import AvgPool, Conv, MaxPool, Node, Rounded, Select
from hw.ir.network import Network
from sim.coverage.points import windows
from sim.coverage.store import Coverage
from sim.coverage.windows import WINDOWED, sides_of, traits_of, window_of


def measure(coverage: Coverage, network: Network) -> None:
    """Add what is seen in the network's nodes to `coverage`."""
    known = windows()
    for node in network.graph:
        window = window_of(node)
        if window in known:
            for side in sides(network, node):
                coverage.hit("padding", f"{window} {side}")
        elif isinstance(node, Conv | MaxPool | AvgPool):
            there = sides(network, node) if window is not None else ()
            for what in (*there, *traits_of(node)):
                coverage.hit("window", f"{WINDOWED[type(node)]}: {what}")
        if isinstance(node, Conv):
            for name in _convolution(network, node):
                coverage.hit("convolution", name)
        if isinstance(node, Select):
            coverage.hit("select", _selection(node))
        if isinstance(node, Rounded) and node.clip is not None and node.clip.upper is not None:
            limited = network.formats[node.name].limit is not None
            beyond = "below" if limited else "beyond"
            coverage.hit("clip", f"{node.clip} {beyond} the largest code")


def sides(network: Network, node: Node) -> Iterator[str]:
    """At which sides some window of the node reaches into the padding, and whether one does not:
    those of `windows.sides_of`.
    """
    known = sides_of(node)
    g = Geometry.of(network.graph, node)
    inside = []
    for axis, (first, last) in enumerate((("top", "bottom"), ("left", "right"))):
        places = np.arange(g.out[axis]) * g.stride[axis] - g.padding[axis]
        ends = places + (g.kernel[axis] - 1) * g.dilation[axis]
        if (places < 0).any() and first in known:
            yield first
        if (ends >= g.shape[axis]).any() and last in known:
            yield last
        inside.append(((places >= 0) & (ends < g.shape[axis])).any())
    if all(inside):
        yield "inside"


def _convolution(network: Network, node: Conv) -> Iterator[str]:
    ((height, width, depth),) = network.graph.in_shapes(node)
    yield "dense" if node.groups == 1 else "depthwise" if node.groups == depth else "in groups"
    yield "batch norm" if node.batch_norm else "bias" if node.bias else "neither"
    if (height, width) == (1, 1):
        yield "of one pixel"
    elif node.kernel == (height, width):
        yield "over the whole map"


def _selection(node: Select) -> str:
    channels = node.channels
    if len(channels) == 1:
        return "one channel"
    if len(set(channels)) < len(channels):
        return "a channel twice"
    row = tuple(range(channels[0], channels[0] + len(channels)))
    return "channels in a row" if channels == row else "in another order"
