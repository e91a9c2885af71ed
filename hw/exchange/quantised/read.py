"""From a quantised ONNX graph to a network: QuantizeLinear and DequantizeLinear around operators of
real numbers, QLinearConv and QLinearMatMul, QONNX's Quant.

Every scale must be a power of two, every zero point 0, every weight 0 or a power of two: then a
dequantised tensor is a fixed-point one, and the network computes the graph's real numbers exactly
up to each rounding. That is to even in ONNX where a number lies in the middle; a network has no
such rounding, and its reader says which it is to have.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import PurePath

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper

from hw.errors import InputError
from hw.exchange.quantised import operators
from hw.exchange.quantised.layers import convolution, exact_format, linear, needed_bits
from hw.exchange.quantised.names import Names
from hw.exchange.quantised.values import Image, Pending, Refused, Tensor, Value
from hw.ir.arithmetic import alignment, alignments, requantisation
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
    Linear,
    Node,
)
from hw.ir.network import Network
from hw.ir.parameters import Arithmetic, LayerParams, Rounding
from hw.ir.validate import validate

SHOWN = 8
"""Operators that an error names, at most."""


def read(model: ModelProto, path: PurePath, rounding: Rounding | None) -> Network:
    """The network that a quantised model is.

    Parameters
    ----------
    path: of its file, for messages
    rounding: of results in the middle of two codes, and below; None: there are none

    Raises
    ------
    InputError: naming every operator that no node of a network is, or asking for the rounding
    """
    walk = _Walk(model)
    walk.run()
    network = None if walk.problems else walk.network(rounding or Rounding.HALF_UP)
    if network is None or walk.problems:
        more = f"; and {len(walk.problems) - SHOWN} more" if len(walk.problems) > SHOWN else ""
        raise InputError(f"{path}: {'; '.join(walk.problems[:SHOWN])}{more}")
    try:
        validate(network)
    except InputError as error:
        raise InputError(f"{path}: makes no network: {error}") from error
    rounds = [node.name for node in network.graph if _rounds(network, node)]
    if rounds and rounding is None:
        raise InputError(
            f"{path}: {rounds[0]}: ONNX rounds numbers in the middle of two codes to even, a "
            f"network does not ({len(rounds)} layers round); choose --rounding half_up or floor"
        )
    return network


def _rounds(network: Network, node: Node) -> bool:
    """Whether some of a node's results lie between two codes."""
    match node:
        case Conv() | FactorizedReduce():
            return requantisation(network, node.name).shift > 0
        case Add():
            return alignment(network, node.name).shift > 0
        case Concat():
            return any(one.shift > 0 for one in alignments(network, node.name))
    return isinstance(node, AvgPool | GlobalPool)


@dataclass
class _Walk:
    """Goes through a graph's operators in order; what it knows of each value."""

    model: ModelProto
    values: dict[str, Value] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    formats: dict[str, Format] = field(default_factory=dict)
    layers: dict[str, tuple[np.ndarray, np.ndarray, int]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    bits: int = 5

    def __post_init__(self) -> None:
        self.names = Names()
        self.lost: set[str] = set()

    def run(self) -> None:
        graph = self.model.graph
        self.values |= {one.name: numpy_helper.to_array(one) for one in graph.initializer}
        images = [one for one in graph.input if one.name not in self.values]
        if len(images) != 1 or len(graph.output) != 1:
            self.problems.append(
                f"{len(images)} inputs and {len(graph.output)} outputs; a network has one of each"
            )
            return
        self._guarded(images[0].name, [images[0].name], lambda: self._image(images[0]))
        for operator in graph.node:
            if not self.lost.isdisjoint(operator.input):
                # Of what is lost already, nothing more can be said.
                self.lost |= set(operator.output)
                continue
            name = operator.name or operator.output[0]
            self._guarded(name, operator.output, lambda one=operator: self._operator(one))
        last = graph.output[0].name
        if last not in self.lost and not self.problems:
            self._guarded(last, [last], lambda: self._output(last))

    def _guarded(self, name: str, outputs: Iterable[str], step: Callable[[], None]) -> None:
        try:
            step()
        except Refused as problem:
            self.problems.append(f"{name}: {problem}")
            self.lost |= set(outputs)

    # --- ends

    def _image(self, value) -> None:
        dims = [one.dim_value for one in value.type.tensor_type.shape.dim]
        if len(dims) != 4 or min(dims[1:]) < 1:
            raise Refused(f"an input of shape {dims}; expected (N, channels, rows, columns)")
        self.values[value.name] = Image(value.name, (dims[2], dims[3], dims[1]))

    def _output(self, name: str) -> None:
        value = self.values.get(name)
        if isinstance(value, Pending) and isinstance(value.node, Linear):
            value = self._finish(value, IMAGE_FORMAT)
        if not isinstance(value, Tensor):
            raise Refused("the output is not that of a quantised layer, or of a last Gemm")
        if value.node is not self.nodes[-1] or value.relu:
            raise Refused("the output is not the last layer's; leave out what is not read")

    # --- operators

    def _operator(self, operator: NodeProto) -> None:
        inputs = [self.values.get(name) for name in operator.input]
        if any(one is None and name for one, name in zip(inputs, operator.input, strict=True)):
            raise Refused("an input that nothing gives")
        handler = operators.HANDLERS.get((operator.domain, operator.op_type))
        if handler is None:
            kind = f"{operator.domain}.{operator.op_type}".lstrip(".")
            raise Refused(f"{kind} is not known; known are {operators.KNOWN}")
        attributes = {one.name: helper.get_attribute_value(one) for one in operator.attribute}
        name = self.names.of(operator.name or operator.output[0])
        made = handler(operators.Call(name, inputs, attributes))
        if isinstance(made, operators.Quantised):
            made = self._quantised(name, made)
        elif isinstance(made, Pending) and made.keeps is not None and not made.rounds:
            made = self._finish(made, made.keeps)
        self.values[operator.output[0]] = made

    def _quantised(self, name: str, made: "operators.Quantised") -> Tensor:
        """A value brought to a format."""
        value, target = made.value, made.target
        if isinstance(value, Image):
            return self._quantised_image(value, target)
        if isinstance(value, Pending):
            return self._finish(operators.requantised(value), target)
        if value.relu or value.shift:
            raise Refused("the image, or a ReLU alone, brought to another format")
        if value.target == target:
            return value
        node = Concat(name=name, inputs=(value.node.name,), shape=value.node.shape)
        return self._finish(Pending(node), target)

    def _quantised_image(self, value: Image, target: Format) -> Tensor:
        if (target.signed, target.width) != (False, 8):
            raise Refused(f"an image of format {target}; a network reads unsigned bytes")
        node = Input(name=self.names.of(value.name), inputs=(), shape=value.shape)
        if any(isinstance(one, Input) for one in self.nodes):
            raise Refused("the image is quantised twice")
        self._add(node, IMAGE_FORMAT)
        return Tensor(node, IMAGE_FORMAT, IMAGE_FORMAT.frac - target.frac)

    def _finish(self, value: Pending, target: Format) -> Tensor:
        """The node of what was pending, with its format."""
        node = value.node
        if value.keeps is not None and (value.keeps != target or value.clip is not None):
            kind = type(node).__name__
            raise Refused(f"{kind} from {value.keeps} to {target}; it keeps its own format")
        if value.clip is not None:
            # A ReLU before signed codes leaves half of them.
            width = target.width - target.signed
            clipped = clipped_format(value.clip, width, target.frac)
            if value.clip.upper is not None and target.frac < 0:
                raise Refused("a clip to 6 of codes that have no 6")
            node, target = replace(node, clip=value.clip), clipped
        if value.weights is not None and value.bias is not None:
            self.bits = max(self.bits, needed_bits(value.weights))
            frac = self.formats[node.inputs[0]].frac
            self.layers[node.name] = value.weights, value.bias, frac
        self._add(node, target)
        return Tensor(node, target)

    def _classifier(self, node: Linear) -> tuple[Linear | Conv, LayerParams]:
        """The last layer: a convolution to a format that holds its sums, where it needs a scale."""
        weights, bias, frac = self.layers[node.name]
        params = linear(weights, bias, frac, self.bits)
        if params is not None:
            return node, params
        self.formats[node.name] = exact_format(weights, bias, self.formats[node.inputs[0]])
        conv = Conv(name=node.name, inputs=node.inputs, shape=node.shape)
        return convolution(conv, weights[:, :, None, None], bias, frac, self.bits)

    def _add(self, node: Node, target: Format) -> None:
        self.nodes.append(node)
        self.formats[node.name] = target

    # --- the whole

    def network(self, rounding: Rounding) -> Network | None:
        """What was read; None where a layer's numbers are refused."""
        params: dict[str, LayerParams] = {}
        nodes: list[Node] = []
        terms = 1
        for node in self.nodes:
            try:
                if isinstance(node, Conv):
                    node, found = convolution(node, *self.layers[node.name], self.bits)
                    params[node.name] = found
                    terms = max(terms, found.scale_sign.shape[1])
                elif isinstance(node, Linear):
                    node, params[node.name] = self._classifier(node)
                    terms = max(terms, params[node.name].scale_sign.shape[1])
            except Refused as problem:
                self.problems.append(f"{node.name}: {problem}")
                return None
            nodes.append(node)
        graph = Graph(tuple(nodes)).pruned()
        kept = {node.name: node for node in graph}
        return Network(
            graph=graph,
            formats={
                name: target
                for name, target in self.formats.items()
                if name in kept and not isinstance(kept[name], Linear)
            },
            params={name: found for name, found in params.items() if name in kept},
            arithmetic=Arithmetic(weight_bits=self.bits, rounding=rounding, scale_terms=terms),
        )
