"""What each operator of a quantised graph makes of what it reads."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from onnx import numpy_helper

from hw.exchange.quantised.values import (
    Image,
    Pending,
    Refused,
    Tensor,
    Value,
    clip_of,
    exponent,
    quantised_format,
)
from hw.ir.clip import Clip
from hw.ir.format import Format
from hw.ir.graph import Add, AvgPool, Concat, Conv, GlobalPool, Linear, MaxPool, Shape
from hw.ir.validate import expected_shape

QONNX = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
"""Domains that QONNX's Quant has had."""


@dataclass(frozen=True)
class Call:
    """An operator's name, inputs (None where one is left out) and attributes."""

    name: str
    inputs: list[Value | None]
    attributes: dict[str, Any]

    def tensor(self, position: int = 0) -> Tensor:
        value = self.inputs[position]
        if not isinstance(value, Tensor):
            raise Refused("reads what is not quantised; quantise every layer's input")
        if value.relu or value.shift:
            raise Refused("reads images of another scale than 2^-8, or a ReLU behind no layer")
        return value

    def array(self, position: int, otherwise: Any = None) -> np.ndarray:
        value = self.inputs[position] if position < len(self.inputs) else None
        if value is None and otherwise is not None:
            return np.asarray(otherwise)
        if not isinstance(value, np.ndarray):
            raise Refused(f"input {position} is computed; expected a constant")
        return value

    def only(self, **expected: Any) -> None:
        """Refused where an attribute is given and has another value than this one."""
        for key, value in expected.items():
            found = self.attributes.get(key, value)
            found = found.decode() if isinstance(found, bytes) else found
            if found != value:
                raise Refused(f"{key} {found}; expected {value}")


@dataclass(frozen=True)
class Quantised:
    """A value that is to be brought to a format."""

    value: Tensor | Pending | Image
    target: Format


Made = Value | Quantised


# Quantisers ----------------------------------------------------------------------------------


def _quantise(call: Call) -> Made:
    scale, zero = call.array(1), call.array(2, np.uint8(0))
    value = call.inputs[0]
    if isinstance(value, np.ndarray) or value is None:
        raise Refused("quantises a constant; store its codes instead")
    return Quantised(value, quantised_format(zero.dtype, scale, zero, "a tensor"))


def _dequantise(call: Call) -> Made:
    scale, zero = call.array(1), call.array(2, np.uint8(0))
    value = call.inputs[0]
    if isinstance(value, np.ndarray):
        if zero.any():
            raise Refused("constants with a zero point; quantise them symmetrically")
        exponent(scale, "the scale")
        return _by_axis(value, scale, call.attributes.get("axis", 1))
    if isinstance(value, Image):
        kind = np.dtype(np.uint8) if len(call.inputs) < 3 else zero.dtype
        return Quantised(value, quantised_format(kind, scale, zero, "the image"))
    if not isinstance(value, Tensor):
        raise Refused("dequantises what was not quantised")
    target = quantised_format(zero.dtype, scale, zero, "a tensor")
    expected = value.target.frac - value.shift
    if target.frac != expected:
        raise Refused(f"dequantises by 2^{-target.frac} what was quantised by 2^{-expected}")
    return value


def _by_axis(codes: np.ndarray, scale: np.ndarray, axis: int) -> np.ndarray:
    if np.size(scale) > 1:
        shape = [1] * codes.ndim
        shape[axis] = -1
        scale = np.reshape(scale, shape)
    else:
        scale = np.reshape(scale, ())
    return codes.astype(np.float64) * scale.astype(np.float64)


def _quant(call: Call) -> Made:
    """QONNX: quantised and dequantised at once."""
    value, scale, zero, width = call.inputs[0], *(call.array(n) for n in (1, 2, 3))
    signed = bool(call.attributes.get("signed", 1))
    call.only(rounding_mode="ROUND")
    if zero.any() or np.size(width) != 1 or not 2 <= int(width.ravel()[0]) <= 32:
        raise Refused("a zero point, or a width that is not 2 to 32 bits")
    bits = int(width.ravel()[0])
    if isinstance(value, np.ndarray):
        exponent(scale, "the scale")
        low = -(1 << (bits - 1)) + call.attributes.get("narrow", 0) if signed else 0
        codes = np.rint(value.astype(np.float64) / scale)
        return np.clip(codes, low, (1 << (bits - signed)) - 1) * scale.astype(np.float64)
    if value is None or np.size(scale) != 1:
        raise Refused("a tensor with a scale for each channel; give the whole tensor one")
    call.only(narrow=0)
    return Quantised(value, Format(signed, bits, -int(exponent(scale.ravel()[0], "the scale"))))


# Layers --------------------------------------------------------------------------------------


def _read_by_weights(call: Call) -> tuple[Tensor, float]:
    """The operand, and what its weights are multiplied by: 2^shift."""
    value = call.inputs[0]
    if not isinstance(value, Tensor):
        raise Refused("reads what is not quantised; quantise every layer's input")
    return value, 2.0**value.shift


def _pair(values: Any, position: int = 0) -> tuple[int, int]:
    return int(values[position]), int(values[position + 1])


def _window(call: Call, kernel: Any) -> dict[str, Any]:
    call.only(auto_pad="NOTSET")
    kernel = call.attributes.get("kernel_shape", kernel)
    if len(kernel) != 2:
        raise Refused(f"{len(kernel)} dimensions; expected two")
    pads = call.attributes.get("pads", [0, 0, 0, 0])
    window = {
        "kernel": _pair(kernel),
        "stride": _pair(call.attributes.get("strides", [1, 1])),
        "padding": _pair(pads),
    }
    end = _pair(pads, 2)
    return window | ({} if end == window["padding"] else {"padding_end": end})


def _convolved(call: Call, weights: np.ndarray, bias: np.ndarray) -> Pending:
    value, factor = _read_by_weights(call)
    if weights.ndim != 4:
        raise Refused(f"weights of {weights.ndim} dimensions; expected a convolution of images")
    node = Conv(
        name=call.name,
        inputs=(value.node.name,),
        shape=(*value.node.shape[:2], weights.shape[0]),
        relu_in=value.relu,
        dilation=_pair(call.attributes.get("dilations", [1, 1])),
        groups=int(call.attributes.get("group", 1)),
        **_window(call, weights.shape[2:]),
    )
    return Pending(_shaped(node, value.node.shape), weights * factor, bias)


def _shaped(node: Any, *shapes: Shape) -> Any:
    shape = expected_shape(node, shapes)
    if shape is None or min(shape) < 1:
        raise Refused(f"shapes {[list(one) for one in shapes]} do not go together")
    return replace(node, shape=shape)


def _conv(call: Call) -> Made:
    weights = call.array(1).astype(np.float64)
    return _convolved(call, weights, _bias(call, 2, len(weights)))


def _bias(call: Call, position: int, channels: int) -> np.ndarray:
    return np.broadcast_to(
        call.array(position, np.zeros(channels)).astype(np.float64).ravel(), channels
    )


def _multiplied(call: Call, weights: np.ndarray, bias: np.ndarray) -> Pending:
    """A fully connected layer; weights (outputs, inputs)."""
    value, factor = _read_by_weights(call)
    if value.node.shape[:2] != (1, 1) or weights.ndim != 2 or value.relu:
        raise Refused(
            f"a fully connected layer on {list(value.node.shape)}; expected [1, 1, C], as a global "
            "pool gives it"
        )
    shape = (1, 1, len(weights))
    node = Linear(name=call.name, inputs=(value.node.name,), shape=shape)
    return Pending(node, weights * factor, bias)


def _gemm(call: Call) -> Made:
    call.only(alpha=1.0, beta=1.0, transA=0)
    weights = call.array(1).astype(np.float64)
    weights = weights if call.attributes.get("transB", 0) else weights.T
    return _multiplied(call, weights, _bias(call, 2, len(weights)))


def _matmul(call: Call) -> Made:
    weights = call.array(1).astype(np.float64).T
    return _multiplied(call, weights, np.zeros(len(weights)))


def _linear_conv(call: Call) -> Made:
    """QLinearConv, whose biases are integers at the scale of its sums."""
    weights, (x_scale, w_scale) = call.array(3), (call.array(1), call.array(4))
    _checked(call, x_scale, call.array(2), call.array(5))
    exponent(w_scale, "the scale of the weights")
    unit = float(np.ravel(x_scale)[0]) * np.ravel(w_scale).astype(np.float64)
    bias = _bias(call, 8, len(weights)) * unit
    made = _convolved(call, _by_axis(weights, w_scale, 0), bias)
    return Quantised(made, _result(call, 6, 7))


def _linear_matmul(call: Call) -> Made:
    weights, (x_scale, w_scale) = call.array(3), (call.array(1), call.array(4))
    _checked(call, x_scale, call.array(2), call.array(5))
    exponent(w_scale, "the scale of the weights")
    real = _by_axis(weights, w_scale, 1).T
    made = _multiplied(call, real, np.zeros(len(real)))
    return Quantised(requantised(made), _result(call, 6, 7))


def _checked(call: Call, scale: np.ndarray, *zeros: np.ndarray) -> None:
    """The operand is quantised as it is read, and zero points are 0."""
    if any(zero.any() for zero in zeros):
        raise Refused("a zero point; quantise symmetrically, or without a sign")
    value = call.inputs[0]
    if isinstance(value, Image):
        raise Refused("reads the image as it comes; put a QuantizeLinear or DequantizeLinear there")
    if isinstance(value, Tensor):
        found = int(exponent(np.ravel(scale)[0], "the scale of the operand"))
        if found != value.shift - value.target.frac:
            expected = value.shift - value.target.frac
            raise Refused(f"reads by 2^{found} what was quantised by 2^{expected}")


def _result(call: Call, scale: int, zero: int) -> Format:
    zeros = call.array(zero)
    return quantised_format(zeros.dtype, call.array(scale), zeros, "the result")


def requantised(value: Pending) -> Pending:
    """A fully connected layer that rounds is a convolution of one pixel."""
    node = value.node
    if not isinstance(node, Linear) or value.weights is None:
        return value
    conv = Conv(name=node.name, inputs=node.inputs, shape=node.shape)
    return replace(value, node=conv, weights=value.weights[:, :, None, None])


# Others --------------------------------------------------------------------------------------


def _relu(call: Call) -> Made:
    value = call.inputs[0]
    if isinstance(value, Pending):
        return requantised(value).clipped(Clip.RELU)
    if isinstance(value, Tensor):
        return replace(value, relu=True) if value.target.signed else value
    raise Refused("reads what is not quantised")


def _clip(call: Call) -> Made:
    value = call.inputs[0]
    if not isinstance(value, Pending):
        raise Refused("a clip that is not behind a layer")
    low = float(call.array(1, -np.inf).ravel()[0])
    return requantised(value).clipped(clip_of(low, float(call.array(2, np.inf).ravel()[0])))


def _add(call: Call) -> Made:
    value = call.inputs[0]
    if isinstance(value, Pending) and isinstance(value.node, Linear):
        # MatMul and then its biases.
        return replace(value, bias=value.bias + _bias(call, 1, value.node.shape[2]))
    tensors = [call.tensor(position) for position in range(len(call.inputs))]
    names = tuple(one.node.name for one in tensors)
    shapes = [one.node.shape for one in tensors]
    return Pending(_shaped(Add(name=call.name, inputs=names, shape=shapes[0]), *shapes))


def _concat(call: Call) -> Made:
    if call.attributes.get("axis") not in (1, -3):
        raise Refused("along another axis than the channels")
    tensors = [call.tensor(position) for position in range(len(call.inputs))]
    names = tuple(one.node.name for one in tensors)
    shapes = [one.node.shape for one in tensors]
    return Pending(_shaped(Concat(name=call.name, inputs=names, shape=shapes[0]), *shapes))


def _pool(kind: type[MaxPool] | type[AvgPool]) -> Callable[[Call], Made]:
    def handle(call: Call) -> Made:
        call.only(ceil_mode=0, count_include_pad=0, storage_order=0, dilations=[1, 1])
        value = call.tensor()
        node = kind(
            name=call.name,
            inputs=(value.node.name,),
            shape=value.node.shape,
            **_window(call, ()),
        )
        return Pending(_shaped(node, value.node.shape), keeps=value.target)

    return handle


def _global_pool(call: Call) -> Made:
    value = call.tensor()
    shape = (1, 1, value.node.shape[2])
    node = GlobalPool(name=call.name, inputs=(value.node.name,), shape=shape)
    return Pending(node, keeps=value.target)


def _flat(call: Call) -> Made:
    """What changes the shape of a single pixel changes nothing."""
    value = call.inputs[0]
    if isinstance(value, Tensor | Pending) and value.node.shape[:2] == (1, 1):
        return value
    raise Refused("flattens more than one pixel; pool before, or make it a convolution")


def _same(call: Call) -> Made:
    value = call.inputs[0]
    if value is None:
        raise Refused("reads nothing")
    return value


def _constant(call: Call) -> Made:
    if "value" not in call.attributes:
        raise Refused("a constant that is no tensor")
    return numpy_helper.to_array(call.attributes["value"])


HANDLERS: dict[tuple[str, str], Callable[[Call], Made]] = {
    ("", "QuantizeLinear"): _quantise,
    ("", "DequantizeLinear"): _dequantise,
    ("", "QLinearConv"): _linear_conv,
    ("", "QLinearMatMul"): _linear_matmul,
    ("", "Conv"): _conv,
    ("", "Gemm"): _gemm,
    ("", "MatMul"): _matmul,
    ("", "Relu"): _relu,
    ("", "Clip"): _clip,
    ("", "Add"): _add,
    ("", "Concat"): _concat,
    ("", "MaxPool"): _pool(MaxPool),
    ("", "AveragePool"): _pool(AvgPool),
    ("", "GlobalAveragePool"): _global_pool,
    ("", "Flatten"): _flat,
    ("", "Reshape"): _flat,
    ("", "Squeeze"): _flat,
    ("", "Identity"): _same,
    ("", "Dropout"): _same,
    ("", "Constant"): _constant,
    **{(domain, "Quant"): _quant for domain in QONNX},
}

KNOWN = ", ".join(dict.fromkeys(kind for _, kind in HANDLERS))
