"""The integer reference: what a network computes, to the bit.

The torch evaluation, the hardware and the gate-level netlist are compared with this. Each operation
is prepared once (constants, exact bounds, the number type that they allow) and then applied to
batches of feature maps: NHWC arrays of integers, see `hw.ir.integers`. It takes and gives tensors
in the type of their formats; in between it computes in one type of its own.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import reduce
from typing import Any

import numpy as np

from hw.errors import InputError
from hw.ir.arithmetic import (
    Accumulation,
    Alignment,
    accumulation,
    alignment,
    alignments,
    average,
    has_relu,
    in_formats,
    layer_guard,
    out_format,
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
    Input,
    Linear,
    MaxPool,
    Node,
    Pair,
    Select,
    Windowed,
)
from hw.ir.integers import (
    Integers,
    bits_of,
    cast,
    codes_of,
    constants,
    join,
    number_type,
    pad,
    saturate,
    shift_right,
    tensor_type,
)
from hw.ir.network import Network
from hw.ir.weights import decode, integer_weights

Operation = Callable[[Sequence[Integers]], Integers]
"""From a node's input feature maps to its output feature map."""

CHUNK = 1 << 18
"""Elements of the largest feature map that are computed at a time: about what a cache holds."""


def run(
    network: Network, images: np.ndarray, keep: Collection[str] | None = None
) -> dict[str, np.ndarray]:
    """Codes of the tensors named in `keep` (default: all) for a batch of images.

    Parameters
    ----------
    images: uint8, shape (N, H, W, C)

    Returns
    -------
    For each name an NHWC array, int64, or Python integers where the format is wider than 63 bits.

    Raises
    ------
    InputError: images of another type or shape, a name that is not in the network
    """
    graph = network.graph
    names = [node.name for node in graph] if keep is None else list(dict.fromkeys(keep))
    check_images(network, images)
    for name in names:
        if name not in graph.by_name:
            raise InputError(f"network: no tensor {name!r}; choose one of its node names")
    results: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for tensors in batches(network, images, names):
        for name in names:
            results[name].append(tensors[name])
    return {name: np.concatenate(parts) for name, parts in results.items()}


def logits(network: Network, images: np.ndarray) -> np.ndarray:
    """Output of the network's last node, shape (N, classes)."""
    name = network.graph.output.name
    return run(network, images, [name])[name].reshape(len(images), -1)


def classify(network: Network, images: np.ndarray) -> np.ndarray:
    """Class of each image (int64, shape (N,)): the first largest logit."""
    return np.argmax(logits(network, images), axis=1)


def check_images(network: Network, images: np.ndarray) -> None:
    """Raise InputError unless `images` is a batch that the network reads."""
    shape = network.graph.input.shape
    if images.dtype != np.uint8 or images.shape[1:] != shape or images.ndim != 4 or not len(images):
        raise InputError(
            f"images: {images.dtype} of shape {images.shape}; expected uint8 of shape "
            f"(N, {', '.join(map(str, shape))}) with N >= 1"
        )


def batches(
    network: Network, images: np.ndarray, names: Collection[str]
) -> Iterator[dict[str, np.ndarray]]:
    """The tensors `names` of a few images at a time, computing nothing that they do not need."""
    graph = network.graph
    needed = set(names)
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed.update(node.inputs)
    nodes = [node for node in graph if node.name in needed]
    last_reader = {source: node.name for node in nodes for source in node.inputs}
    operations = {node.name: operation(network, node.name) for node in nodes}
    widths = {name: out_format(network, name).width for name in names}
    size = max(int(np.prod(node.shape)) for node in nodes)
    step = max(1, CHUNK // size)
    for start in range(0, len(images), step):
        live: dict[str, Integers] = {}
        kept: dict[str, np.ndarray] = {}
        for node in nodes:
            sources = [live[source] for source in node.inputs] or [images[start : start + step]]
            live[node.name] = operations[node.name](sources)
            if node.name in widths:
                kept[node.name] = codes_of(live[node.name], widths[node.name])
            for source in set(node.inputs):
                if last_reader[source] == node.name:
                    del live[source]
        yield kept


def operation(network: Network, name: str) -> Operation:
    """The operation of node `name`, prepared for repeated use.

    It takes integers of any type (an Input: images) and gives them in the type of its format.
    """
    compute, target = _operation(network, name), tensor_type(out_format(network, name))
    types = [tensor_type(source) for source in in_formats(network, name)] or [target]

    def apply(sources: Sequence[Integers]) -> Integers:
        return cast(compute([cast(q, t) for q, t in zip(sources, types, strict=True)]), target)

    return apply


def _operation(network: Network, name: str) -> Operation:
    node = network.graph[name]
    match node:
        case Input():
            return lambda sources: sources[0]
        case Linear():
            return accumulate(network, name)
        case Conv() | FactorizedReduce():
            acc = accumulation(network, name)
            total = accumulate(network, name, acc)
            finish = requantise(network, name, acc)
            return lambda sources: finish(total(sources))
        case MaxPool():
            return _max_pool(node, in_formats(network, name)[0])
        case AvgPool():
            return _average_pool(
                node, in_formats(network, name)[0], network.graph.in_shapes(node)[0]
            )
        case Select():
            return lambda sources: sources[0][..., list(node.channels)]
        case GlobalPool():
            return _global_pool(in_formats(network, name)[0], network.graph.in_shapes(node)[0])
        case Add():
            return align(alignment(network, name), network.formats[name])
        case Concat():
            parts = [align(a, network.formats[name]) for a in alignments(network, name)]
            return lambda sources: join([part([q]) for part, q in zip(parts, sources, strict=True)])
    raise TypeError(f"{name}: no reference for a {type(node).__name__}")


# Weighted nodes ------------------------------------------------------------------------------


def accumulate(network: Network, name: str, acc: Accumulation | None = None) -> Operation:
    """From the input of a Conv, FactorizedReduce or Linear to its exact accumulators.

    Every subset of the terms, bias or not, lies within the bounds that choose the type, so that any
    order of the additions is exact.
    """
    node, params = network.graph[name], network.params[name]
    acc = accumulation(network, name) if acc is None else acc
    bias = params.bias if isinstance(node, Linear) else (0,) * len(params.codes)
    edges = [*acc.low, *acc.high, *bias]
    edges += [
        edge - b for bounds in (acc.low, acc.high) for edge, b in zip(bounds, bias, strict=True)
    ]
    sign, power = decode(params.codes, network.arithmetic.weight_bits)
    weights = integer_weights(sign, power, acc.p0, layer_guard(network, name))
    largest = max((int(np.abs(w).max()) for _, w in weights), default=0)
    dtype = number_type(bits_of(*edges, largest))
    weights = [(shift, cast(w, dtype)) for shift, w in weights]
    added, relu = constants(bias, dtype), has_relu(node)

    def apply(sources: Sequence[Integers]) -> Integers:
        (q,) = sources
        q = cast(np.maximum(q, 0) if relu else q, dtype)
        total = _sum(
            _multiply(node, shift_right(q, shift) if shift else q, w) for shift, w in weights
        )
        return total + added if isinstance(node, Linear) else total

    return apply


def _multiply(node: Node, q: Integers, w: Integers) -> Integers:
    """Sum of weight times input over each output pixel's taps."""
    match node:
        case Linear():
            return (q[:, 0, 0] @ w.T)[:, None, None]
        case FactorizedReduce():
            height, width = q.shape[1:3]
            q = pad(q, (0, height % 2), (0, width % 2))
            half = node.shape[2] // 2
            matrix = w[:, :, 0, 0].T
            even, odd = q[:, ::2, ::2] @ matrix[:, :half], q[:, 1::2, 1::2] @ matrix[:, half:]
            return join([even, odd])
        case Conv():
            return _convolve(node, q, w)
    raise TypeError(f"{node.name}: a {type(node).__name__} has no weights")


def _convolve(node: Conv, q: Integers, w: Integers) -> Integers:
    """Convolution of q (N, H, W, C_in) with w (C_out, C_in / groups, kh, kw)."""
    taps = list(_taps(q, node, dilation=node.dilation))
    if w.shape[1] == 1 and node.groups == w.shape[0]:
        kernels = w.reshape(node.groups, -1).T
        total = taps[0] * kernels[0]
        product = np.empty_like(total)
        for tap, kernel in zip(taps[1:], kernels[1:], strict=True):
            total += np.multiply(tap, kernel, out=product)
        return total
    channels_in, channels_out = w.shape[1], w.shape[0] // node.groups
    parts = []
    for group in range(node.groups):
        here = slice(group * channels_in, (group + 1) * channels_in)
        columns = join([tap[..., here] for tap in taps])
        matrix = w[group * channels_out : (group + 1) * channels_out]
        parts.append(columns @ matrix.transpose(2, 3, 1, 0).reshape(-1, channels_out))
    return join(parts)


def _taps(
    q: Integers, node: Windowed, *, dilation: Pair = (1, 1), fill: int = 0
) -> Iterator[Integers]:
    """For each kernel position, in raster order, what it sees of q at every output pixel."""
    (sy, sx), (dy, dx), (height, width, _) = node.stride, dilation, node.shape
    rows, columns = zip(node.padding, node.end, strict=True)
    q = pad(q, rows, columns, fill)
    for ky in range(node.kernel[0]):
        for kx in range(node.kernel[1]):
            y, x = ky * dy, kx * dx
            yield q[:, y : y + sy * (height - 1) + 1 : sy, x : x + sx * (width - 1) + 1 : sx]


def requantise(
    network: Network, name: str, acc: Accumulation | None = None
) -> Callable[[Integers], Integers]:
    """From the accumulators of a Conv or FactorizedReduce to its output codes."""
    params, target = network.params[name], network.formats[name]
    acc = accumulation(network, name) if acc is None else acc
    derived = requantisation(network, name, acc)
    _, _, scales = scale_multipliers(params.scale_sign, params.scale_exp)
    added = [b + derived.rounding for b in params.bias]
    width = max(bits_of(*acc.low, *acc.high, *scales, *added), derived.width)
    dtype = number_type(width + max(0, -derived.shift))
    scale, constant = constants(scales, dtype), constants(added, dtype)

    def apply(total: Integers) -> Integers:
        v = cast(total, dtype) * scale
        v += constant
        return saturate(shift_right(v, derived.shift), target)

    return apply


def _sum(parts: Iterable[Integers]) -> Integers:
    return reduce(np.add, parts)


# Nodes without weights -----------------------------------------------------------------------


def align(derived: Alignment, target: Format) -> Operation:
    """Inputs shifted to one format and summed, then brought to the format `target`."""
    dtype = number_type(derived.width + max(0, -derived.shift))
    factors = [constants(1 << left, dtype) for left in derived.left]
    rounding = constants(derived.rounding, dtype)

    def apply(sources: Sequence[Integers]) -> Integers:
        total = _sum(cast(q, dtype) * f for q, f in zip(sources, factors, strict=True))
        return saturate(shift_right(total + rounding, derived.shift), target)

    return apply


def _max_pool(node: MaxPool, source: Format) -> Operation:
    def apply(sources: Sequence[Integers]) -> Integers:
        # Every window has a real pixel, and none is below qmin: padding never wins.
        taps = _taps(sources[0], node, fill=source.qmin)
        result = next(taps)
        for tap in taps:
            result = np.maximum(result, tap)
        return result

    return apply


def _average_pool(node: AvgPool, source: Format, shape: tuple[int, int, int]) -> Operation:
    rows, columns = (
        real_taps(
            shape[axis], node.shape[axis], node.kernel[axis], node.stride[axis], node.padding[axis]
        )
        for axis in (0, 1)
    )
    counts = [[row * column for column in columns] for row in rows]
    dtype, mean = _sum_type(source, max(map(max, counts))), _mean(source, counts)

    def apply(sources: Sequence[Integers]) -> Integers:
        q = cast(sources[0], dtype)
        return mean(_sum(_taps(q, node)))

    return apply


def real_taps(side: int, out: int, kernel: int, stride: int, padding: int) -> list[int]:
    """For each of `out` window positions along one axis, how many taps see the map of `side`."""
    starts = (position * stride - padding for position in range(out))
    return [min(start + kernel, side) - max(start, 0) for start in starts]


def _global_pool(source: Format, shape: tuple[int, int, int]) -> Operation:
    n = shape[0] * shape[1]
    dtype, mean = _sum_type(source, n), _mean(source, [[n]])
    return lambda sources: mean(cast(sources[0], dtype).sum(axis=(1, 2), keepdims=True))


def _sum_type(source: Format, n: int) -> np.dtype[Any]:
    """Type that holds every sum of up to n codes of a format."""
    return number_type(bits_of(source.qmin * n, source.qmax * n))


def _mean(source: Format, counts: list[list[int]]) -> Callable[[Integers], Integers]:
    """From sums (N, H, W, C) of counts[y][x] codes of the format `source` to their means."""
    edges = source.qmin, source.qmax
    averages = [[average(source.width, n) for n in row] for row in counts]
    width = max(
        bits_of(
            *(edge * n * a.multiplier + half for edge in edges for half in (0, 1 << (a.shift - 1)))
        )
        for counted, row in zip(counts, averages, strict=True)
        for n, a in zip(counted, row, strict=True)
    )
    dtype = number_type(width)
    multiplier, half = (
        constants(values, dtype)[:, :, None]
        for values in (
            [[a.multiplier for a in row] for row in averages],
            [[1 << (a.shift - 1) for a in row] for row in averages],
        )
    )
    shift = np.array([[a.shift for a in row] for row in averages])[:, :, None]

    def apply(total: Integers) -> Integers:
        return saturate(shift_right(cast(total, dtype) * multiplier + half, shift), source)

    return apply
