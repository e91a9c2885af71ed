"""The kinds of nodes: what each reads, which channels share it, and what it is driven to."""

from itertools import pairwise

import numpy as np

from hw.corners.layer import Layer, Taps
from hw.corners.rules import Greatest, Mean, Plain, Scaled, greatest_kinds
from hw.dataflow.design.geometry import Geometry
from hw.dataflow.design.program import Weights
from hw.ir.arithmetic import (
    accumulation,
    alignment,
    alignments,
    has_relu,
    in_formats,
    operand_range,
    requantisation,
    scale_multipliers,
)
from hw.ir.format import Format
from hw.ir.graph import (
    Add,
    AvgPool,
    Concat,
    Conv,
    FactorizedReduce,
    GlobalPool,
    Linear,
    MaxPool,
    Node,
    Pair,
    Select,
)
from hw.ir.network import Network


def shares_of(node: Node) -> list[list[int]]:
    """Channels that read the same codes."""
    channels = list(range(node.shape[2]))
    match node:
        case Conv():
            parts = np.array_split(channels, node.groups)
        case FactorizedReduce():
            parts = channels[: len(channels) // 2], channels[len(channels) // 2 :]
        case Linear():
            parts = (channels,)
        case _:
            parts = ([channel] for channel in channels)
    return [[int(channel) for channel in part] for part in parts if len(part)]


def kinds_of(node: Node) -> tuple[str, ...]:
    """What each channel of a node is driven to."""
    match node:
        case Conv() | FactorizedReduce() | Add() | Concat():
            return Scaled.kinds
        case AvgPool() | GlobalPool():
            return Mean.kinds
        case Linear():
            return Plain.kinds
        case Select():
            return greatest_kinds(1)
        case MaxPool():
            return greatest_kinds(node.kernel[0] * node.kernel[1])
    raise TypeError(f"{node.name}: no corners for a {type(node).__name__}")


def spacing_of(network: Network, node: Node) -> Pair:
    """Output pixels from one window to the next that shares no code with it, down and across."""
    if isinstance(node, Add | Concat | GlobalPool):
        return 1, 1
    g = Geometry.of(network.graph, node)
    down, across = ((g.kernel[k] - 1) * g.dilation[k] // g.stride[k] + 1 for k in range(2))
    return down, across


def layer_of(network: Network, node: Node) -> Layer:
    shape = network.graph.in_shapes(node)[0]
    formats = in_formats(network, node.name)
    ranges = [(fmt.qmin, fmt.qmax) for fmt in formats]
    stride, padding, relu = (1, 1), (0, 0), None
    if not isinstance(node, Add | Concat | GlobalPool):
        g = Geometry.of(network.graph, node)
        stride, padding = g.stride, g.padding
    if isinstance(node, Conv | FactorizedReduce | Linear):
        taps, rules = _weighted(network, node)
        ranges = [operand_range(network, node.name)]
        relu = formats[0].qmin if has_relu(node) else None
    elif isinstance(node, Add):
        taps, rules = _added(network, node)
    elif isinstance(node, Concat):
        taps, rules = _concatenated(network, node)
    elif isinstance(node, Select):
        one = np.ones(1, np.int64)
        taps = [Taps(0 * one, 0 * one, 0 * one, c * one, one, 0 * one) for c in node.channels]
        rules = [Greatest(1, formats[0])] * len(taps)
    else:
        taps, rules = _pooled(network, node, formats[0])
    return Layer(
        taps, rules, shares_of(node), shape[:2], node.shape[:2], stride, padding,
        spacing_of(network, node), ranges, relu,
    )  # fmt: skip


def _weighted(network: Network, node: Conv | FactorizedReduce | Linear) -> tuple[list, list]:
    weights, acc = Weights.of(network, node), accumulation(network, node.name)
    params = network.params[node.name]
    g = Geometry.of(network.graph, node)
    ends = np.searchsorted(weights.output, np.arange(weights.outputs + 1)).tolist()
    taps = [
        Taps(
            np.zeros(end - start, np.int64),
            weights.ky[start:end] * g.dilation[0],
            weights.kx[start:end] * g.dilation[1],
            weights.channel[start:end],
            weights.sign[start:end],
            weights.power[start:end] - acc.p0,
        )
        for start, end in pairwise(ends)
    ]
    if isinstance(node, Linear):
        return taps, [Plain(bias) for bias in params.bias]
    derived = requantisation(network, node.name, acc)
    _, _, scales = scale_multipliers(params.scale_sign, params.scale_exp)
    target = network.formats[node.name]
    rules = [
        Scaled(scale, bias, derived.rounding, derived.shift, target)
        for scale, bias in zip(scales, params.bias, strict=True)
    ]
    return taps, rules


def _added(network: Network, node: Add) -> tuple[list, list]:
    derived, one = alignment(network, node.name), np.ones(len(node.inputs), np.int64)
    rule = Scaled(1, 0, derived.rounding, derived.shift, network.formats[node.name])
    sources, left = np.arange(len(one)), np.array(derived.left)
    taps = [Taps(sources, 0 * one, 0 * one, c * one, one, left) for c in range(node.shape[2])]
    return taps, [rule] * len(taps)


def _concatenated(network: Network, node: Concat) -> tuple[list, list]:
    taps, rules, one = [], [], np.ones(1, np.int64)
    shapes = network.graph.in_shapes(node)
    for source, derived in enumerate(alignments(network, node.name)):
        rule = Scaled(1, 0, derived.rounding, derived.shift, network.formats[node.name])
        for channel in range(shapes[source][2]):
            taps.append(Taps(source * one, 0 * one, 0 * one, channel * one, one, 0 * one))
            rules.append(rule)
    return taps, rules


def _pooled(network: Network, node: Node, source: Format) -> tuple[list, list]:
    match node:
        case GlobalPool():
            (shape,) = network.graph.in_shapes(node)
            side, rule = shape[:2], Mean(source)
        case AvgPool():
            side, rule = node.kernel, Mean(source)
        case MaxPool():
            side, rule = node.kernel, Greatest(node.kernel[0] * node.kernel[1], source)
        case _:
            raise TypeError(f"{node.name}: no corners for a {type(node).__name__}")
    y, x = (axis.ravel() for axis in np.indices(side))
    one = np.ones(len(y), np.int64)
    taps = [Taps(0 * one, y, x, c * one, one, 0 * one) for c in range(node.shape[2])]
    return taps, [rule] * len(taps)
