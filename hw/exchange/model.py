"""A network as an ONNX model: a graph of standard integer operators, and in its metadata what those
cannot say."""

import json
from collections.abc import Iterator

from onnx import ModelProto, checker, helper

from hw.errors import InputError
from hw.exchange.operators import write
from hw.exchange.writer import Scope, Unheld, Writer, carrier
from hw.ir.arithmetic import accumulation, out_format
from hw.ir.graph import Linear, Node, Weighted
from hw.ir.network import Network

OPSET = 17
"""Of ONNX's standard operators: old enough for every runtime, new enough for what is used."""

IR_VERSION = 8

DOCUMENT = "shiftnas.network"
"""Metadata: the content of a network.json."""

EXPONENTS = "shiftnas.exponents"
"""Metadata: of each node with weights the accumulator's exponent and the terms of its scales."""

NAMED = 5
"""Nodes that an error names, at most."""

ADVICE = "export the network with narrower tensors (--act-bits), fewer guard bits or scale terms"


def to_model(network: Network) -> ModelProto:
    """The network as an ONNX model; equal networks give equal models.

    The graph reads uint8 images (N, C, H, W) and gives the last node's tensor, logits as int64
    (N, classes).

    Raises
    ------
    InputError: ONNX's integers do not hold the numbers of some nodes, all of which it names
    """
    writer = Writer()
    problems = [problem for node in network.graph if (problem := _write(writer, network, node))]
    if problems:
        more = f"; and {len(problems) - NAMED} more nodes" if len(problems) > NAMED else ""
        raise InputError(f"{'; '.join(problems[:NAMED])}{more}: {ADVICE}")
    *inner, last = writer.tensors
    graph = helper.make_graph(
        writer.operators, "network", inner[:1], [last], writer.constants, value_info=inner[1:]
    )
    model = helper.make_model(
        graph,
        producer_name="shiftnas",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    helper.set_model_props(model, dict(_metadata(network)))
    checker.check_model(model, full_check=True)
    return model


def to_bytes(model: ModelProto) -> bytes:
    """Equal models give equal bytes."""
    return model.SerializeToString(deterministic=True)


def _write(writer: Writer, network: Network, node: Node) -> str:
    """Write a node's operators and its tensor; the problem, if it has one."""
    target = out_format(network, node.name)
    flat = isinstance(node, Linear)
    writer.tensors.append(writer.tensor(node, "int64" if flat else carrier(target), flat=flat))
    if node is network.graph.input:
        return ""
    try:
        write(Scope(writer, node.name, f"{type(node).__name__}, {target}"), network, node)
    except Unheld as problem:
        return f"{node.name}: {problem}"
    return ""


def _metadata(network: Network) -> Iterator[tuple[str, str]]:
    document = {**network.content, "digest": network.digest, "meta": network.meta}
    yield DOCUMENT, _json(document)
    exponents = {}
    for node in network.graph:
        if isinstance(node, Weighted):
            params = network.params[node.name]
            exponents[node.name] = {
                "p0": accumulation(network, node.name).p0,
                "scale_sign": params.scale_sign.tolist(),
                "scale_exp": params.scale_exp.tolist(),
            }
    yield EXPONENTS, _json(exponents)


def _json(content: object) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
