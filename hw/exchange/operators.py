"""The operators that a node of a network becomes; feature maps are NCHW, as ONNX wants them."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from hw.exchange.products import Operand, products
from hw.exchange.shifts import multiplied, saturated, scaled, shifted_right
from hw.exchange.writer import TYPES, Scope, carrier, require_held
from hw.ir.arithmetic import (
    Alignment,
    accumulation,
    alignment,
    alignments,
    average,
    has_relu,
    in_formats,
    layer_guard,
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
    Select,
    Weighted,
    Windowed,
)
from hw.ir.network import Network
from hw.ir.reference import real_taps
from hw.ir.weights import decode, integer_weights


def write(scope: Scope, network: Network, node: Node) -> None:
    """Write the operators of any node but an Input.

    Raises
    ------
    Unheld: ONNX's integers do not hold its numbers
    """
    match node:
        case Conv() | FactorizedReduce():
            _requantised(scope, network, node, _accumulated(scope, network, node))
        case Linear():
            acc = accumulation(network, node.name)
            require_held("a logit", *acc.low, *acc.high)
            total = _accumulated(scope, network, node)
            bias = scope.constant("bias", [network.params[node.name].bias])
            scope.finish("Add", [total, bias])
        case MaxPool():
            _max_pool(scope, network, node)
        case AvgPool():
            _average_pool(scope, network, node)
        case GlobalPool():
            _global_pool(scope, network, node)
        case Select():
            indices = scope.constant("channels", node.channels)
            scope.finish("Gather", [node.inputs[0], indices], axis=1)
        case Add():
            derived, target = alignment(network, node.name), network.formats[node.name]
            saturated(scope, _aligned(scope, node.inputs, derived), target)
        case Concat():
            _concat(scope, network, node)
        case _:
            raise TypeError(f"{node.name}: no ONNX operators for a {type(node).__name__}")


# Weighted nodes ------------------------------------------------------------------------------


def _accumulated(scope: Scope, network: Network, node: Weighted) -> str:
    """The exact accumulators, int64, without a Linear's bias."""
    params, guard = network.params[node.name], layer_guard(network, node.name)
    sign, power = decode(params.codes, network.arithmetic.weight_bits)
    pairs = integer_weights(sign, power, accumulation(network, node.name).p0, guard)
    operand = _operand(scope, network, node)
    if isinstance(node, Linear):
        flat = scope.apply("Flatten", [operand.name], "flat", axis=1)
        multiply = partial(_product, scope, "MatMulInteger")
        return products(scope, operand._replace(name=flat), pairs, multiply, lambda w: w.T)
    if isinstance(node, FactorizedReduce):
        height, width, _ = network.graph.in_shapes(node)[0]
        attributes = {
            "kernel_shape": [2, 2],
            "strides": [2, 2],
            "pads": [0, 0, height % 2, width % 2],
        }
        multiply = partial(_product, scope, "ConvInteger", **attributes)
        return products(scope, operand, pairs, multiply, spread)
    attributes = {**_window(node), "dilations": node.dilation, "group": node.groups}
    return products(scope, operand, pairs, partial(_product, scope, "ConvInteger", **attributes))


def _product(scope: Scope, kind: str, operand: str, weights: str, **attributes: Any) -> str:
    return scope.apply(kind, [operand, weights], "product", **attributes)


def spread(weights: np.ndarray) -> np.ndarray:
    """The 1×1 weights of a FactorizedReduce as one 2×2 kernel: its two taps lie on the diagonal."""
    half = len(weights) // 2
    kernel = np.zeros((*weights.shape[:2], 2, 2), weights.dtype)
    kernel[:half, :, 0, 0] = weights[:half, :, 0, 0]
    kernel[half:, :, 1, 1] = weights[half:, :, 0, 0]
    return kernel


def gathered(kernel: np.ndarray) -> np.ndarray:
    """The inverse of `spread`."""
    half = len(kernel) // 2
    return np.concatenate([kernel[:half, :, :1, :1], kernel[half:, :, 1:, 1:]])


def _window(node: Windowed) -> dict[str, Any]:
    return {
        "kernel_shape": node.kernel,
        "strides": node.stride,
        "pads": [*node.padding, *node.end],
    }


def _operand(scope: Scope, network: Network, node: Node) -> Operand:
    """What the node reads, after a ReLU if it begins with one."""
    (source,) = in_formats(network, node.name)
    (name,), kind = node.inputs, carrier(source)
    low, high = operand_range(network, node.name)
    if has_relu(node) and source.signed:
        if kind == "int64":
            name = scope.apply("Max", [name, scope.constant("zero", 0)], "relu")
        else:
            name = scope.apply("Relu", [name], "relu")
    return Operand(name, kind, low, high)


def _requantised(scope: Scope, network: Network, node: Weighted, total: str) -> None:
    """The node's tensor from its accumulators."""
    params, target = network.params[node.name], network.formats[node.name]
    acc = accumulation(network, node.name)
    derived = requantisation(network, node.name, acc)
    _, _, scales = scale_multipliers(params.scale_sign, params.scale_exp)
    offsets = [bias + derived.rounding for bias in params.bias]
    edges = min(acc.low), max(acc.high)
    moved = scaled(scope, total, edges, _by_channel(scales), _by_channel(offsets), derived.shift)
    saturated(scope, moved, target)


def _by_channel(values: Sequence[int]) -> np.ndarray:
    """As something that is broadcast over N, rows and columns."""
    return np.array(values, object).reshape(1, -1, 1, 1)


# Nodes without weights -----------------------------------------------------------------------


def _aligned(scope: Scope, names: Sequence[str], derived: Alignment) -> str:
    """Inputs shifted to one format, summed, rounded and shifted to the output's."""
    require_held("the sum", derived.low, derived.high)
    total = ""
    for name, left in zip(names, derived.left, strict=True):
        part = multiplied(scope, scope.cast(name, "int64", "part"), left)
        total = scope.apply("Add", [total, part], "sum") if total else part
    if derived.rounding:
        total = scope.apply("Add", [total, scope.constant("offset", derived.rounding)], "biased")
    return shifted_right(scope, total, derived.shift, derived.low, derived.high)


def _concat(scope: Scope, network: Network, node: Concat) -> None:
    target, parts = network.formats[node.name], []
    sources = zip(
        node.inputs, in_formats(network, node.name), alignments(network, node.name), strict=True
    )
    for position, (name, source, derived) in enumerate(sources):
        if source != target:
            part = Scope(scope.writer, f"{node.name}/part{position}")
            name = saturated(part, _aligned(part, [name], derived), target)
        parts.append(name)
    scope.finish("Concat", parts, axis=1)


def _max_pool(scope: Scope, network: Network, node: MaxPool) -> None:
    (name,), window = node.inputs, _window(node)
    if carrier(network.formats[node.name]) != "int64":
        scope.finish("MaxPool", [name], **window)
        return
    # A maximum computes nothing: doubles, which hold 32 bits exactly, only compare them.
    real = scope.cast(name, "double", "real")
    largest = scope.apply("MaxPool", [real], "maximum", **window)
    scope.finish("Cast", [largest], to=TYPES["int64"])


def _average_pool(scope: Scope, network: Network, node: AvgPool) -> None:
    """Sums by a depthwise convolution with ones, then the mean of each position's real pixels."""
    height, width, channels = network.graph.in_shapes(node)[0]
    rows, columns = (
        real_taps(side, node.shape[axis], node.kernel[axis], node.stride[axis], node.padding[axis])
        for axis, side in enumerate((height, width))
    )
    ones = np.ones((channels, 1, *node.kernel), np.int64)
    multiply = partial(_product, scope, "ConvInteger", **_window(node), group=channels)
    total = products(scope, _operand(scope, network, node), [(0, ones)], multiply)
    _mean(scope, network.formats[node.name], total, [[y * x for x in columns] for y in rows])


def _global_pool(scope: Scope, network: Network, node: GlobalPool) -> None:
    height, width, _ = network.graph.in_shapes(node)[0]
    axes = scope.constant("axes", [2, 3])
    wide = scope.cast(node.inputs[0], "int64", "wide")
    total = scope.apply("ReduceSum", [wide, axes], "sum", keepdims=1)
    _mean(scope, network.formats[node.name], total, [[height * width]])


def _mean(scope: Scope, target: Format, total: str, counts: list[list[int]]) -> None:
    """The node's tensor from sums of so many codes at each position."""
    averages = [[average(target.width, count) for count in row] for row in counts]
    most = max(map(max, counts))
    if len({one for row in averages for one in row}) == 1:
        averages = [[averages[0][0]]]
    # One shift for all positions: the others' factors are as much larger.
    shift = max(one.shift for row in averages for one in row)
    factors = [[one.multiplier << (shift - one.shift) for one in row] for row in averages]
    edges = target.qmin * most, target.qmax * most
    half = np.array(1 << (shift - 1), object)
    moved = scaled(scope, total, edges, np.array([[factors]], object), half, shift)
    saturated(scope, moved, target)
