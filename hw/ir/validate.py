"""Checks that a network is well formed: graph, shapes, formats, parameters."""

import re
from dataclasses import dataclass, replace
from pathlib import PurePath

import numpy as np

from hw.errors import InputError
from hw.ir.clip import clipped_format
from hw.ir.format import IMAGE_FORMAT, Format
from hw.ir.graph import (
    Add,
    AvgPool,
    Concat,
    Conv,
    FactorizedReduce,
    GlobalPool,
    Graph,
    Input,
    Keeping,
    Linear,
    MaxPool,
    Node,
    Rounded,
    Select,
    Shape,
    Weighted,
    has_scale,
)
from hw.ir.network import Network
from hw.ir.parameters import LayerParams, Rounding
from hw.ir.weights import P_MIN, are_codes

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*")
"""Node names become instance paths in the hardware."""

MAX_SIDE = 1 << 16
MAX_FRAC = 256
MAX_EXPONENT = 256
MAX_BIAS_BITS = 512
MAX_GUARD = 32
"""Far beyond what any network needs; they keep a damaged file from asking for absurd integers."""


@dataclass(frozen=True)
class Reporter:
    """Raises the errors of one network: names its files (inside `folder`, if it came from one)."""

    folder: PurePath | None = None

    def network(self, field: str, problem: str) -> InputError:
        return self._error("network.json", field, problem)

    def weights(self, field: str, problem: str) -> InputError:
        return self._error("weights.npz", field, problem)

    def _error(self, file: str, field: str, problem: str) -> InputError:
        where = self.folder / file if self.folder else file
        return InputError(" ".join(f"{where}: {field}: {problem}".split()))


def validate(network: Network, folder: PurePath | None = None) -> None:
    """Raise InputError, naming file and field, unless the network can be run and built.

    `folder` is where it was read from, for the message only.
    """
    check(network, Reporter(folder))


def check(network: Network, report: Reporter) -> None:
    """Raise what `report` makes of the first thing that does not hold."""
    check_arithmetic(network, report)
    check_graph(network.graph, report)
    check_formats(network, report)
    weighted = {node.name: node for node in network.graph if isinstance(node, Weighted)}
    if network.params.keys() != weighted.keys():
        name = min(network.params.keys() ^ weighted.keys())
        problem = "is missing" if name in weighted else "belongs to no node with weights"
        raise report.weights(f"{name}/codes", f"{problem}; the network must be exported again")
    for node in weighted.values():
        check_params(network, node, report)


def check_arithmetic(network: Network, report: Reporter) -> None:
    """The settings shared by all layers are known ones."""
    arithmetic = network.arithmetic
    if arithmetic.weight_bits not in P_MIN:
        raise report.network(
            "arithmetic: weight_bits", f"{arithmetic.weight_bits!r}; expected 5 or 6"
        )
    guard = arithmetic.guard
    if guard is not None and not (_is_int(guard) and 0 <= guard <= MAX_GUARD):
        raise report.network(
            "arithmetic: guard", f"{guard!r}; expected null (exact) or an integer 0 to {MAX_GUARD}"
        )
    if arithmetic.rounding not in tuple(Rounding):
        raise report.network(
            "arithmetic: rounding",
            f"{arithmetic.rounding!r}; expected {' or '.join(Rounding)}",
        )
    if not (_is_int(arithmetic.scale_terms) and 1 <= arithmetic.scale_terms <= 4):
        raise report.network(
            "arithmetic: scale_terms", f"{arithmetic.scale_terms!r}; expected an integer 1 to 4"
        )


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# Graph ---------------------------------------------------------------------------------------


def check_graph(graph: Graph, report: Reporter) -> None:
    """Names, order, reachability and shapes."""
    if not len(graph) or not isinstance(graph.nodes[0], Input):
        raise report.network("nodes", "the first node must be an Input")
    seen: dict[str, Node] = {}
    for node in graph:
        if not NAME.fullmatch(node.name):
            raise report.network(
                "nodes", f"name {node.name!r}; expected words of letters, digits and _ joined by /"
            )
        if node.name in seen:
            raise report.network(f"nodes: {node.name}", "the name is used twice")
        for source in node.inputs:
            if source not in seen:
                raise report.network(
                    f"nodes: {node.name}: inputs", f"{source!r} is not the name of an earlier node"
                )
        if not all(_is_int(side) and 1 <= side <= MAX_SIDE for side in node.shape):
            raise report.network(
                f"nodes: {node.name}: shape",
                f"{list(node.shape)}; expected three integers 1 to {MAX_SIDE}",
            )
        check_node(graph, node, report)
        seen[node.name] = node
    for name in seen:
        group = name.rpartition("/")[0]
        while group:
            if group in seen:
                raise report.network(
                    f"nodes: {name}", f"lies inside {group}, which is a node itself"
                )
            group = group.rpartition("/")[0]
    for node in graph.nodes[:-1]:
        if not graph.readers[node.name]:
            raise report.network(f"nodes: {node.name}", "is never read; leave unread nodes out")
        if isinstance(node, Linear):
            raise report.network(f"nodes: {node.name}", "a Linear must be the last node")


def check_node(graph: Graph, node: Node, report: Reporter) -> None:
    """Number of inputs, attributes and shape of one node."""
    many = isinstance(node, Add | Concat)
    expected = 0 if isinstance(node, Input) else 2 if isinstance(node, Add) else 1
    if len(node.inputs) < expected or (len(node.inputs) > expected and not many):
        raise report.network(
            f"nodes: {node.name}: inputs",
            f"{len(node.inputs)} tensors; a {type(node).__name__} reads {expected}"
            + (" or more" if many else ""),
        )
    if isinstance(node, Input):
        if node is not graph.nodes[0]:
            raise report.network(f"nodes: {node.name}", "only the first node may be an Input")
        return
    if isinstance(node, Conv | MaxPool | AvgPool):
        check_window(node, report)
    shapes = graph.in_shapes(node)
    if isinstance(node, Linear) and shapes[0][:2] != (1, 1):
        raise report.network(
            f"nodes: {node.name}: inputs", f"shape {list(shapes[0])}; a Linear reads [1, 1, C]"
        )
    if isinstance(node, Conv) and (shapes[0][2] % node.groups or node.shape[2] % node.groups):
        raise report.network(
            f"nodes: {node.name}: groups",
            f"{node.groups} must divide {shapes[0][2]} channels in and {node.shape[2]} out",
        )
    if isinstance(node, Select):
        most = shapes[0][2] - 1
        if not node.channels or not all(_is_int(c) and 0 <= c <= most for c in node.channels):
            raise report.network(
                f"nodes: {node.name}: channels",
                f"expected one or more integers 0 to {most}, channels of the input",
            )
    shape = expected_shape(node, shapes)
    if shape is None:
        raise report.network(
            f"nodes: {node.name}: inputs", f"shapes {[list(s) for s in shapes]} do not go together"
        )
    if shape != node.shape:
        raise report.network(
            f"nodes: {node.name}: shape", f"{list(node.shape)}; its inputs make {list(shape)}"
        )


def check_window(node: Conv | MaxPool | AvgPool, report: Reporter) -> None:
    """Kernel, stride, padding, dilation and groups are in range."""
    least = {"kernel": 1, "stride": 1, "padding": 0}
    if isinstance(node, Conv):
        least["dilation"] = 1
    if node.padding_end is not None:
        least["padding_end"] = 0
    for key, smallest in least.items():
        pair = getattr(node, key)
        if len(pair) != 2 or not all(_is_int(v) and smallest <= v <= MAX_SIDE for v in pair):
            raise report.network(
                f"nodes: {node.name}: {key}",
                f"{list(pair)}; expected two integers {smallest} to {MAX_SIDE}",
            )
    if isinstance(node, Conv):
        if node.bias and node.batch_norm:
            raise report.network(
                f"nodes: {node.name}: bias", "with a batch norm, which has its own; leave one out"
            )
        if not (_is_int(node.groups) and node.groups >= 1):
            raise report.network(
                f"nodes: {node.name}: groups", f"{node.groups}; expected an integer 1 or more"
            )
    elif any(2 * p > k for p, k in zip(node.padding, node.kernel, strict=True)):
        # Otherwise a window could lie in the padding as a whole: a maximum or mean of nothing.
        raise report.network(
            f"nodes: {node.name}: padding",
            f"{list(node.padding)}; a pool's must be at most half of its kernel",
        )
    elif any(p >= k for p, k in zip(node.end, node.kernel, strict=True)):
        raise report.network(
            f"nodes: {node.name}: padding_end",
            f"{list(node.end)}; a pool's must be smaller than its kernel",
        )


def expected_shape(node: Node, shapes: tuple[Shape, ...]) -> Shape | None:
    """Shape that follows from the inputs' (None: there is none); free channels are the node's."""
    height, width, channels = shapes[0]
    match node:
        case Conv() | MaxPool() | AvgPool():
            dilation = node.dilation if isinstance(node, Conv) else (1, 1)
            sides = [
                (side + node.padding[i] + node.end[i] - dilation[i] * (node.kernel[i] - 1) - 1)
                // node.stride[i]
                + 1
                for i, side in enumerate((height, width))
            ]
            return sides[0], sides[1], node.shape[2] if isinstance(node, Conv) else channels
        case Select():
            return height, width, len(node.channels)
        case FactorizedReduce():
            return -(-height // 2), -(-width // 2), node.shape[2]
        case Add():
            return shapes[0] if len(set(shapes)) == 1 else None
        case Concat():
            same = len({shape[:2] for shape in shapes}) == 1
            return (height, width, sum(shape[2] for shape in shapes)) if same else None
        case GlobalPool():
            return 1, 1, channels
        case Linear():
            return 1, 1, node.shape[2]
    return None


# Formats and parameters ----------------------------------------------------------------------


def check_formats(network: Network, report: Reporter) -> None:
    """Every tensor but a Linear's has a format; pools keep their input's."""
    needed = {node.name for node in network.graph if not isinstance(node, Linear)}
    if network.formats.keys() != needed:
        name = min(network.formats.keys() ^ needed)
        problem = "is missing" if name in needed else "names no tensor that has a format"
        raise report.network(f"formats: {name}", problem)
    for node in network.graph:
        if isinstance(node, Linear):
            continue
        found = network.formats[node.name]
        where = f"formats: {node.name}"
        if not isinstance(found.signed, bool):
            raise report.network(f"{where}: signed", f"{found.signed!r}; expected true or false")
        if not (_is_int(found.width) and 2 <= found.width <= 32):
            raise report.network(f"{where}: width", f"{found.width!r}; expected an integer 2 to 32")
        if not (_is_int(found.frac) and abs(found.frac) <= MAX_FRAC):
            raise report.network(
                f"{where}: frac", f"{found.frac!r}; expected an integer -{MAX_FRAC} to {MAX_FRAC}"
            )
        _check_limit(node, found, where, report)
        if isinstance(node, Input) and found != IMAGE_FORMAT:
            raise report.network(where, f"{found}; an image's format is {IMAGE_FORMAT}")
        if isinstance(node, Keeping):
            source = network.formats[node.inputs[0]]
            if found != source:
                raise report.network(
                    where, f"{found}; a {type(node).__name__} keeps its input's format {source}"
                )


def _check_limit(node: Node, found: Format, where: str, report: Reporter) -> None:
    """A clipped tensor's range is the clip's, another's the width's; a pool's is its input's."""
    if found.limit is not None and not (_is_int(found.limit) and 0 < found.limit < found.widest):
        raise report.network(
            f"{where}: limit",
            f"{found.limit!r}; expected an integer 1 to {found.widest - 1}, or none",
        )
    if not isinstance(node, Rounded):
        return
    if node.clip is None:
        expected = replace(found, limit=None)
    else:
        expected = clipped_format(node.clip, found.width, found.frac)
    if found != expected:
        raise report.network(
            where, f"{found}; a tensor clipped by {node.clip or 'nothing'} has {expected}"
        )


def weight_shape(network: Network, node: Node) -> tuple[int, ...]:
    """Shape of the codes of a Conv, FactorizedReduce or Linear."""
    channels = network.graph.in_shapes(node)[0][2]
    match node:
        case Conv():
            return node.shape[2], channels // node.groups, *node.kernel
        case FactorizedReduce():
            return node.shape[2], channels, 1, 1
    return node.shape[2], channels


def check_params(network: Network, node: Node, report: Reporter) -> None:
    """Types, shapes and ranges of one node's parameters."""
    params, arithmetic = network.params[node.name], network.arithmetic
    codes, name = params.codes, node.name
    shape = weight_shape(network, node)
    _check_array(codes, "uint8", shape, f"{name}/codes", report)
    if not are_codes(codes, arithmetic.weight_bits):
        raise report.weights(
            f"{name}/codes", f"holds a value that is no {arithmetic.weight_bits}-bit weight code"
        )
    channels = shape[0]
    terms = _scale_terms(params, node, arithmetic.scale_terms, report)
    _check_array(params.scale_sign, "int8", (channels, terms), f"{name}/scale_sign", report)
    _check_array(params.scale_exp, "int16", (channels, terms), f"{name}/scale_exp", report)
    if len(params.bias) != channels:
        raise report.weights(f"{name}/bias", f"{len(params.bias)} values; expected {channels}")
    if max(b.bit_length() for b in params.bias) >= MAX_BIAS_BITS:
        raise report.weights(f"{name}/bias", f"a value has more than {MAX_BIAS_BITS} bits")
    _check_scales(params, node, report)


def _check_array(
    array: np.ndarray, dtype: str, shape: tuple[int, ...], field: str, report: Reporter
) -> None:
    if array.dtype != np.dtype(dtype) or array.shape != shape:
        raise report.weights(
            field,
            f"{array.dtype} of shape {list(array.shape)}; expected {dtype} of {list(shape)}",
        )


def _scale_terms(params: LayerParams, node: Node, most: int, report: Reporter) -> int:
    """K of the layer: 0 in a Linear, 1 without batch norm, else the array's, up to `most`."""
    if isinstance(node, Linear):
        return 0
    if isinstance(node, Conv) and not node.batch_norm:
        return 1
    found = params.scale_sign.shape[1] if params.scale_sign.ndim == 2 else 0
    if not 1 <= found <= most:
        raise report.weights(
            f"{node.name}/scale_sign",
            f"shape {list(params.scale_sign.shape)}; expected [channels, 1 to {most} terms]",
        )
    return found


def _check_scales(params: LayerParams, node: Node, report: Reporter) -> None:
    sign, exp = params.scale_sign, params.scale_exp
    if (np.abs(sign.astype(np.int64)) > 1).any():
        raise report.weights(f"{node.name}/scale_sign", "holds a value other than -1, 0 and 1")
    if (np.abs(exp.astype(np.int64)) > MAX_EXPONENT).any() or (exp[sign == 0] != 0).any():
        raise report.weights(
            f"{node.name}/scale_exp",
            f"expected -{MAX_EXPONENT} to {MAX_EXPONENT}, and 0 where scale_sign is 0",
        )
    if ((sign[:, :-1] == 0) & (sign[:, 1:] != 0)).any():
        raise report.weights(f"{node.name}/scale_sign", "unused terms must come last")
    if isinstance(node, Conv) and not node.batch_norm and ((sign != 1).any() or (exp != 0).any()):
        raise report.weights(f"{node.name}/scale_sign", "without batch norm the scale is 1")
    if not has_scale(node) and not isinstance(node, Linear) and any(params.bias):
        raise report.weights(f"{node.name}/bias", "a layer without batch norm and bias has none")
