"""A network from the ONNX file that it was written to, the same to the digest.

The metadata say what operators cannot: types and formats of the nodes, exponents, the terms of each
scale. Weights and biases are the graph's. The network so made is written again, and every operator
and every constant of the file must be what that gives: a file that was edited, by hand or by an
optimiser, is refused, where its graph says something else.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, ValueInfoProto, helper, numpy_helper

from hw import documents
from hw.errors import InputError
from hw.exchange.model import DOCUMENT, EXPONENTS, OPSET, to_model
from hw.exchange.operators import gathered
from hw.ir import canonical, serialize
from hw.ir.arithmetic import requantisation
from hw.ir.graph import FactorizedReduce, Linear
from hw.ir.network import Network
from hw.ir.parameters import LayerParams
from hw.ir.validate import Reporter, check
from hw.ir.weights import P_MIN

NAMED = 5
"""Places that differ, of those that an error names, at most."""

AGAIN = "write the file again with `shiftnas export-onnx`"


@dataclass(frozen=True)
class OnnxReporter(Reporter):
    """Raises the errors of a network in the ONNX file `folder`."""

    def _error(self, file: str, field: str, problem: str) -> InputError:
        where = "metadata" if file == "network.json" else "graph"
        return InputError(" ".join(f"{self.folder}: {where}: {field}: {problem}".split()))


def is_ours(model: ModelProto) -> bool:
    """Whether a model says that it is a network of ours."""
    return DOCUMENT in _properties(model)


def restore(model: ModelProto, path: PurePath) -> Network:
    """The network of a model that `to_model` made.

    Parameters
    ----------
    path: of its file, for messages

    Raises
    ------
    InputError: the graph is not what the metadata say, naming where; or there is no network in it
    """
    report = OnnxReporter(path)
    properties = _properties(model)
    document = serialize.parse(properties[DOCUMENT].encode(), report)
    exponents = _exponents(properties, report)
    constants = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    unbiased = {
        name: _params(name, said, constants, document, report) for name, said in exponents.items()
    }
    network = _biased(serialize.assemble(document, unbiased, report), constants)
    check(network, report)
    _require_digests(network, document, report)
    _require_same(to_model(network), model, report)
    return network


def _properties(model: ModelProto) -> dict[str, str]:
    return {one.key: one.value for one in model.metadata_props}


def _exponents(properties: Mapping[str, str], report: Reporter) -> dict[str, dict[str, Any]]:
    """Of each node with weights its `p0`, `scale_sign` and `scale_exp`."""
    try:
        content = documents.load_json(properties.get(EXPONENTS, ""))
        return {
            name: {
                "p0": int(np.int16(said["p0"])),
                "scale_sign": np.array(said["scale_sign"], np.int8),
                "scale_exp": np.array(said["scale_exp"], np.int16),
            }
            for name, said in content.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise report.network(EXPONENTS, f"cannot be read ({error}); {AGAIN}") from error


# Parameters ----------------------------------------------------------------------------------


def _params(
    name: str,
    said: Mapping[str, Any],
    constants: Mapping[str, np.ndarray],
    document: Mapping[str, Any],
    report: Reporter,
) -> LayerParams:
    """Parameters of a node, but for the biases, which are left 0."""
    kind, bits = _kind(name, document, report), _weight_bits(document, report)
    codes = None
    for field, by, array in _weights(name, constants):
        weights = np.asarray(array, np.int64)
        size = np.abs(weights)
        if (size & (size - 1)).any():
            raise report.weights(field, f"holds a weight that is no power of two; {AGAIN}")
        # The codes of `hw.ir.weights`, of which a NETWORK may hold all that its bits have.
        magnitude = 1 - said["p0"] - by - np.log2(np.maximum(size, 1)).astype(np.int64)
        magnitude[size == 0] = 0
        used = magnitude[size > 0]
        if used.size and not 1 <= used.min() <= used.max() < 1 << (bits - 1):
            raise report.weights(field, f"holds a weight that {bits} bits do not hold; {AGAIN}")
        found = (magnitude + ((weights < 0).astype(np.int64) << (bits - 1))).astype(np.uint8)
        if codes is not None and codes.shape != found.shape:
            raise report.weights(field, f"has another shape than the bands before it; {AGAIN}")
        # Of the bands of a layer one has a weight, the others zero.
        codes = found if codes is None else codes | found
    if codes is None:
        raise report.weights(f"{name}/weights", f"missing; {AGAIN}")
    if kind == Linear.__name__:
        codes = codes.T
    if kind == FactorizedReduce.__name__ and codes.shape[2:] == (2, 2):
        codes = gathered(codes)
    return LayerParams(
        codes=np.ascontiguousarray(codes),
        scale_sign=said["scale_sign"],
        scale_exp=said["scale_exp"],
        bias=(0,) * len(codes),
    )


def _weights(
    name: str, constants: Mapping[str, np.ndarray]
) -> Iterator[tuple[str, int, np.ndarray]]:
    """The constants of a node's weights, and the left shift of their products."""
    pattern = re.compile(re.escape(name) + r"/weights_(left|floor)(\d+)")
    for field, array in constants.items():
        match = pattern.fullmatch(field)
        if match is not None:
            yield field, int(match[2]) * (1 if match[1] == "left" else -1), array


def _kind(name: str, document: Mapping[str, Any], report: Reporter) -> str:
    """Type of a node, as the document says, whose nodes are looked at closely afterwards."""
    for entry in document.get("nodes", ()):
        if isinstance(entry, dict) and entry.get("name") == name:
            return str(entry.get("type"))
    raise report.network(f"{EXPONENTS}: {name}", f"no node of this name; {AGAIN}")


def _weight_bits(document: Mapping[str, Any], report: Reporter) -> int:
    arithmetic = document.get("arithmetic")
    bits = arithmetic.get("weight_bits") if isinstance(arithmetic, dict) else None
    if bits not in P_MIN:
        raise report.network("arithmetic: weight_bits", f"{bits!r}; expected 5 or 6; {AGAIN}")
    return bits


def _biased(network: Network, constants: Mapping[str, np.ndarray]) -> Network:
    """With the biases of the constants, which hold a requantisation's rounding too."""
    params = {}
    for name, known in network.params.items():
        linear = isinstance(network.graph[name], Linear)
        rounding = 0 if linear else requantisation(network, name).rounding
        sums = _sums(f"{name}/{'bias' if linear else 'offset'}", constants) or [0] * len(known.bias)
        params[name] = replace(known, bias=tuple(one - rounding for one in sums))
    return replace(network, params=params)


def _sums(field: str, constants: Mapping[str, np.ndarray]) -> list[int] | None:
    """What is added to each channel: one constant, or two where it is split; None: nothing."""
    if field in constants:
        return [int(one) for one in constants[field].ravel()]
    pattern = re.compile(re.escape(field) + r"_above(\d{1,3})")
    for name, array in constants.items():
        match, below = pattern.fullmatch(name), constants.get(f"{field}_below")
        if match is not None and below is not None and below.shape == array.shape:
            pairs = zip(array.ravel(), below.ravel(), strict=True)
            return [(int(high) << int(match[1])) + int(low) for high, low in pairs]
    return None


# Comparison ----------------------------------------------------------------------------------


def _require_digests(network: Network, document: Mapping[str, Any], report: Reporter) -> None:
    """The parameters, and then the whole, are those whose digests the metadata have."""
    weights = document.get("weights")
    arrays = weights.get("arrays") if isinstance(weights, dict) else None
    if not isinstance(arrays, dict):
        raise report.network("weights: arrays", f"missing; {AGAIN}")
    own = network.content["weights"]["arrays"]
    for name in canonical.arrays(network.graph, network.params):
        if own[name] != arrays.get(name):
            raise report.weights(name, f"not what the metadata say; edited? {AGAIN}")
    if network.digest != document.get("digest"):
        raise report.network("digest", f"does not match the contents; edited? {AGAIN}")


def _require_same(expected: ModelProto, found: ModelProto, report: Reporter) -> None:
    """The operators, constants, inputs and outputs of two models are the same."""
    ours, theirs = _content(expected), _content(found)
    names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    if names:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        raise report.weights(
            f"{', '.join(names[:NAMED])}{more}", f"not what the metadata say; edited? {AGAIN}"
        )
    if found.functions or found.graph.sparse_initializer or found.graph.quantization_annotation:
        raise report.weights("functions", f"there are none in a network's graph; {AGAIN}")
    versions = [(one.domain, one.version) for one in found.opset_import]
    if versions != [("", OPSET)]:
        raise report.weights("opset", f"{versions}; expected {OPSET}; {AGAIN}")


def _content(model: ModelProto) -> dict[str, Any]:
    """Name of each value -> what makes it; order and where the bytes lie do not matter."""
    graph = model.graph
    content: dict[str, Any] = {}
    for place, values in (("input", graph.input), ("output", graph.output)):
        content |= {f"{place} {value.name}": _typed(value) for value in values}
    for constant in graph.initializer:
        array = numpy_helper.to_array(constant)
        content[constant.name] = (array.dtype.str, array.shape, array.tobytes())
    for operator in graph.node:
        content |= {output: _made(operator) for output in operator.output}
    return content


def _typed(value: ValueInfoProto) -> bytes:
    return value.type.SerializeToString(deterministic=True)


def _made(operator: NodeProto) -> tuple[Any, ...]:
    attributes = {one.name: _plain(helper.get_attribute_value(one)) for one in operator.attribute}
    return operator.op_type, operator.domain, tuple(operator.input), attributes


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value
