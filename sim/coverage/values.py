"""What the numbers of a run have reached: saturation and the ends of the inputs' ranges."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hw.ir.arithmetic import out_format
from hw.ir.format import Format
from hw.ir.graph import Add, Concat, Conv, FactorizedReduce, Node, Rounded
from hw.ir.network import Network
from hw.ir.reference import operation
from sim.coverage.store import Coverage

HEADROOM = 32
"""Bits added to a format to see what it cuts off."""


def measure(coverage: Coverage, network: Network, tensors: Mapping[str, np.ndarray]) -> None:
    """Add what the reference's tensors of a run have reached to `coverage`."""
    for node in network.graph.nodes[1:]:
        measure_node(coverage, network, node, [tensors[source] for source in node.inputs])


def measure_node(
    coverage: Coverage, network: Network, node: Node, inputs: Sequence[np.ndarray]
) -> None:
    """Add what one node reaches with such inputs to `coverage`."""
    read = dict(zip(node.inputs, inputs, strict=True))
    for source, values in read.items():
        fmt = out_format(network, source)
        for name, value in (("smallest", fmt.qmin), ("zero", 0), ("largest", fmt.qmax)):
            coverage.hit(
                "input value",
                f"{type(node).__name__}, {name}",
                int(np.count_nonzero(values == value)),
            )
    kind = rounded_kind(node)
    if kind is None:
        return
    low, high = saturated(network, node, inputs)
    coverage.hit("saturation", f"{kind}, low", low)
    coverage.hit("saturation", f"{kind}, high", high)
    if isinstance(node, Rounded) and node.clip is not None:
        name = f"{type(node).__name__}, {node.clip}"
        coverage.hit("clip", f"{name}, low", low)
        coverage.hit("clip", f"{name}, high", high)


def rounded_kind(node: Node) -> str | None:
    """Name of a node among `points.ROUNDED`."""
    if isinstance(node, Conv):
        own = "with batch norm" if node.batch_norm else "with bias" if node.bias else "without"
        return f"Conv {own}"
    return type(node).__name__ if isinstance(node, FactorizedReduce | Add | Concat) else None


def saturated(network: Network, node: Node, inputs: Sequence[np.ndarray]) -> tuple[int, int]:
    """How many codes of a node's output are clamped, at the low and at the high end."""
    fmt = network.formats[node.name]
    wide = replace(network, formats=network.formats | {
        node.name: Format(True, fmt.width + HEADROOM, fmt.frac)
    })  # fmt: skip
    values = operation(wide, node.name)(inputs)
    return int(np.count_nonzero(values < fmt.qmin)), int(np.count_nonzero(values > fmt.qmax))
