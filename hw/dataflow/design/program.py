"""A layer's program: which taps make an output channel, and what the element does with each.

Shared by the generator and the cost model, so that predicted cycles are those of the hardware.
"""

from collections.abc import Sequence
from typing import NamedTuple

from hw.dataflow.flow import contract as flow
from hw.dataflow.layers.window import Geometry
from hw.ir.graph import Conv, FactorizedReduce, Node
from hw.ir.network import Network
from hw.ir.weights import decode


class Weight(NamedTuple):
    """A non-zero weight sign·2**power at tap (ky, kx) of input channel `channel`."""

    ky: int
    kx: int
    channel: int
    sign: int
    power: int


def geometry(network: Network, node: Node) -> Geometry:
    """Window of an engine node on its input."""
    (shape,) = network.graph.in_shapes(node)
    return Geometry(shape, node.shape[:2], *flow.geometry(node))


def channel_weights(network: Network, node: Node) -> list[list[Weight]]:
    """Non-zero weights of each output channel, in storage order (input channel, row, column)."""
    sign, power = decode(network.params[node.name].codes, network.arithmetic.weight_bits)
    if sign.ndim == 2:
        sign, power = sign[:, :, None, None], power[:, :, None, None]
    outputs, depth = sign.shape[:2]
    groups = node.groups if isinstance(node, Conv) else 1
    channels: list[list[Weight]] = [[] for _ in range(outputs)]
    for oc, ic, ky, kx in zip(*(axis.tolist() for axis in sign.nonzero()), strict=True):
        position = (ky, kx)
        if isinstance(node, FactorizedReduce):
            position = (0, 0) if oc < outputs // 2 else (1, 1)
        first = oc // (outputs // groups) * depth
        channels[oc].append(
            Weight(*position, first + ic, int(sign[oc, ic, ky, kx]), int(power[oc, ic, ky, kx]))
        )
    return channels


def lane_groups(channels: Sequence[list[Weight]], pe: int) -> list[list[list[Weight]]]:
    """Output channels in groups of `pe` that are computed together."""
    return [list(channels[first : first + pe]) for first in range(0, len(channels), pe)]


def naf_digits(value: int) -> list[int]:
    """Non-adjacent form of an integer, least significant digit first: digits -1, 0, 1."""
    digits = []
    while value:
        digit = 2 - value % 4 if value % 2 else 0
        digits.append(digit)
        value = (value - digit) // 2
    return digits
