"""Pieces of an ONNX graph, with names that follow from those of the network's nodes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from hw.ir.format import Format
from hw.ir.graph import Node

INT64 = np.iinfo(np.int64)

TYPES = {
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
    "int64": TensorProto.INT64,
    "double": TensorProto.DOUBLE,
}

BATCH = "N"
"""Name of the first dimension, the number of images."""


class Unheld(Exception):
    """ONNX's integer operators do not hold a node's numbers: what, and how many bits it takes."""


def require_held(what: str, *values: int, bits: int = 64) -> None:
    """Raise Unheld unless a two's complement type of `bits` holds all values."""
    needed = 1 + max((value if value >= 0 else ~value).bit_length() for value in values)
    if needed > bits:
        raise Unheld(f"{what} needs {needed} bits, an int{bits} has {bits}")


def carrier(target: Format) -> str:
    """Type of a tensor of a format: bytes where they hold it, else int64."""
    if target.width > 8:
        return "int64"
    return "int8" if target.signed else "uint8"


@dataclass
class Writer:
    """What is written so far: operators in order, constants, the types of the nodes' tensors."""

    operators: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)
    tensors: list[ValueInfoProto] = field(default_factory=list)

    def tensor(self, node: Node, kind: str, *, flat: bool = False) -> ValueInfoProto:
        """The tensor of a node: N images, channels before rows and columns; flat: channels only."""
        height, width, channels = node.shape
        shape = [BATCH, channels] if flat else [BATCH, channels, height, width]
        return helper.make_tensor_value_info(node.name, TYPES[kind], shape)


class Scope:
    """The operators of one node of the network: values called `<path>/<label>`, the last `<path>`.

    Parameters
    ----------
    path: the node's name
    about: what its last operator says of it in words
    """

    def __init__(self, writer: Writer, path: str, about: str = ""):
        self.writer, self.path, self.about = writer, path, about
        self._names: set[str] = set()

    def constant(self, label: str, values: Any, dtype: Any = np.int64) -> str:
        """An initializer; Unheld where int64 is asked for and too small."""
        array = np.asarray(values, object)
        if dtype is np.int64:
            require_held(label, *(int(value) for value in array.ravel()))
        name = self._name(label)
        self.writer.constants.append(numpy_helper.from_array(array.astype(dtype), name))
        return name

    def apply(self, kind: str, inputs: Sequence[str], label: str, **attributes: Any) -> str:
        """An operator and the value that it gives."""
        return self._operator(kind, inputs, self._name(label), "", attributes)

    def finish(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """The node's last operator, whose value is the node's tensor."""
        return self._operator(kind, inputs, self.path, self.about, attributes)

    def cast(self, value: str, kind: str, label: str) -> str:
        return self.apply("Cast", [value], label, to=TYPES[kind])

    def _operator(
        self, kind: str, inputs: Sequence[str], name: str, about: str, attributes: dict[str, Any]
    ) -> str:
        operator = helper.make_node(kind, inputs, [name], name, about or None, **attributes)
        self.writer.operators.append(operator)
        return name

    def _name(self, label: str) -> str:
        name, count = f"{self.path}/{label}", 1
        while name in self._names:
            count += 1
            name = f"{self.path}/{label}{count}"
        self._names.add(name)
        return name
