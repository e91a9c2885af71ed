"""What a network computes, written from docs/numerics.md alone: loops over Python's integers.

The other opinion on `hw.ir.reference`: no NumPy, no bound, no integer type, nothing derived in
`hw.ir`. A feature map is a list of rows of pixels of channels, `q[y][x][c]`. Of a network it reads
what is stored: nodes, formats, weight codes, scales, biases and settings.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from hw.ir.graph import (
    Add,
    AvgPool,
    Concat,
    Conv,
    FactorizedReduce,
    GlobalPool,
    Graph,
    Input,
    Linear,
    MaxPool,
    Node,
    Select,
)

Map = list[list[list[int]]]


def run(network: Any, image: Any) -> dict[str, Map]:
    """Every tensor of the network for one image (nested lists of bytes)."""
    tensors: dict[str, Map] = {}
    for node in network.graph.nodes:
        sources = [tensors[name] for name in node.inputs] or [image]
        tensors[node.name] = compute(network, node.name, sources)
    return tensors


def compute(network: Any, name: str, sources: list[Map]) -> Map:
    """Output of one node for its input feature maps."""
    graph: Graph = network.graph
    node = graph[name]
    match node:
        case Input():
            return sources[0]
        case Conv() | FactorizedReduce() | Linear():
            return weighted(network, node, sources[0])
        case MaxPool():
            return fill(node, lambda y, x, c: max(window(node, sources[0], y, x, c)))
        case AvgPool():
            target = network.formats[name]
            return fill(node, lambda y, x, c: mean(window(node, sources[0], y, x, c), target))
        case GlobalPool():
            target, (q,) = network.formats[name], sources
            return fill(node, lambda y, x, c: mean([p[c] for row in q for p in row], target))
        case Select():
            return fill(node, lambda y, x, c: sources[0][y][x][node.channels[c]])
        case Add():
            return add(network, node, sources)
        case Concat():
            joined = [aligned(network, node, [k], [q]) for k, q in enumerate(sources)]
            return [
                [[v for q in joined for v in q[y][x]] for x in range(node.shape[1])]
                for y in range(node.shape[0])
            ]
    raise AssertionError(node)


def fill(node: Node, value: Callable[[int, int, int], int]) -> Map:
    """The feature map of a node whose value at (y, x, c) is given."""
    height, width, channels = node.shape
    return [
        [[value(y, x, c) for c in range(channels)] for x in range(width)] for y in range(height)
    ]


# Formats and rounding ------------------------------------------------------------------------


def clamp(value: int, target: Any) -> int:
    if target.signed:
        low, high = -(2 ** (target.width - 1)), 2 ** (target.width - 1) - 1
    else:
        low, high = 0, 2**target.width - 1
    high = high if target.limit is None else target.limit
    return low if value < low else high if value > high else value


def rescale(value: int, r: int, rounding: str) -> int:
    """value / 2**r: rounded half up, or down where the network says floor; r < 0 is to the left."""
    if r <= 0:
        return value * 2**-r
    match rounding:
        case "half_up":
            return (value + 2 ** (r - 1)) // 2**r
        case "floor":
            return value // 2**r
    raise AssertionError(rounding)


# Weights -------------------------------------------------------------------------------------


def weight(code: int, bits: int) -> tuple[int, int]:
    """Sign and power of a weight code: sign bit above the magnitude m, p = 1 - m, 0 if m is."""
    m = code % 2 ** (bits - 1)
    return (0, 0) if m == 0 else (-1 if code >= 2 ** (bits - 1) else 1, 1 - m)


def weighted(network: Any, node: Conv | FactorizedReduce | Linear, q: Map) -> Map:
    """A convolution, stride-2 skip or classifier."""
    params, arithmetic = network.params[node.name], network.arithmetic
    guard = None if isinstance(node, Linear) else arithmetic.guard
    weights = [
        [(place, *weight(code, arithmetic.weight_bits)) for place, code in places(kernel)]
        for kernel in params.codes.tolist()
    ]
    powers = [p for kernel in weights for _, s, p in kernel if s]
    p0 = min(powers) if powers else 0
    bias = [int(b) for b in params.bias]

    def accumulator(y: int, x: int, c: int) -> int:
        acc = 0
        for place, s, p in weights[c]:
            value = tap(node, len(q[0][0]), q, y, x, c, place)
            if not isinstance(node, Linear) and node.relu_in and value < 0:
                value = 0
            if guard is None:
                acc += s * value * 2 ** (p - p0)
            else:
                acc += s * (value * 2**guard // 2**-p)
        return acc

    if isinstance(node, Linear):
        return fill(node, lambda y, x, c: accumulator(y, x, c) + bias[c])
    in_frac, target = frac_of(network, node.inputs[0]), network.formats[node.name]
    acc_frac = in_frac - p0 if guard is None else in_frac + guard
    scales = [
        [(s, e) for s, e in zip(signs, exps, strict=True) if s]
        for signs, exps in zip(params.scale_sign.tolist(), params.scale_exp.tolist(), strict=True)
    ]
    exps = [e for scale in scales for _, e in scale]
    e_min = min(exps) if exps else 0
    r = acc_frac - e_min - target.frac

    def requantised(y: int, x: int, c: int) -> int:
        acc = accumulator(y, x, c)
        u = 0
        for s, e in scales[c]:
            u += s * acc * 2 ** (e - e_min)
        return clamp(rescale(u + bias[c], r, arithmetic.rounding), target)

    return fill(node, requantised)


def places(kernel: Any) -> list[tuple[tuple[int, int, int], int]]:
    """Index (channel, row, column) and code of each weight of one output channel."""
    if isinstance(kernel[0], int):  # a Linear's have no rows and columns
        return [((i, 0, 0), code) for i, code in enumerate(kernel)]
    return [
        ((i, ky, kx), code)
        for i, plane in enumerate(kernel)
        for ky, row in enumerate(plane)
        for kx, code in enumerate(row)
    ]


def tap(
    node: Conv | FactorizedReduce | Linear,
    channels: int,
    q: Map,
    y: int,
    x: int,
    c: int,
    place: tuple[int, int, int],
) -> int:
    """What weight `place` of output channel c sees at output pixel (y, x); 0 in the padding."""
    i, ky, kx = place
    match node:
        case Linear():
            return q[0][0][i]
        case FactorizedReduce():
            first = c < node.shape[2] // 2
            row, column = (2 * y, 2 * x) if first else (2 * y + 1, 2 * x + 1)
        case Conv():
            row = y * node.stride[0] - node.padding[0] + ky * node.dilation[0]
            column = x * node.stride[1] - node.padding[1] + kx * node.dilation[1]
            i += c // (node.shape[2] // node.groups) * (channels // node.groups)
    inside = 0 <= row < len(q) and 0 <= column < len(q[0])
    return q[row][column][i] if inside else 0


def frac_of(network: Any, name: str) -> int:
    return network.formats[name].frac


# Nodes without weights -----------------------------------------------------------------------


def window(node: MaxPool | AvgPool, q: Map, y: int, x: int, c: int) -> list[int]:
    """The real pixels that a pool sees."""
    found = []
    for ky in range(node.kernel[0]):
        for kx in range(node.kernel[1]):
            row = y * node.stride[0] - node.padding[0] + ky
            column = x * node.stride[1] - node.padding[1] + kx
            if 0 <= row < len(q) and 0 <= column < len(q[0]):
                found.append(q[row][column][c])
    return found


def mean(values: list[int], target: Any) -> int:
    """Pools round half up, whatever the network's rounding."""
    n, log2 = len(values), 0
    while 2**log2 < n:
        log2 += 1
    t = target.width + 8 + log2
    multiplier = math.floor(Fraction(2**t, n) + Fraction(1, 2))
    return clamp((sum(values) * multiplier + 2 ** (t - 1)) // 2**t, target)


def add(network: Any, node: Add, sources: list[Map]) -> Map:
    return aligned(network, node, list(range(len(sources))), sources)


def aligned(network: Any, node: Add | Concat, which: list[int], sources: list[Map]) -> Map:
    """The inputs `which` of a node, at the largest F of theirs summed, in the node's format."""
    fracs = [frac_of(network, node.inputs[k]) for k in which]
    largest, target = max(fracs), network.formats[node.name]
    rounding = network.arithmetic.rounding
    return [
        [
            [
                clamp(
                    rescale(
                        sum(v * 2 ** (largest - f) for v, f in zip(values, fracs, strict=True)),
                        largest - target.frac,
                        rounding,
                    ),
                    target,
                )
                for values in zip(*pixels, strict=True)
            ]
            for pixels in zip(*rows, strict=True)
        ]
        for rows in zip(*sources, strict=True)
    ]
