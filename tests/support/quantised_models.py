"""Quantised ONNX models as other tools write them, whose scales and weights are powers of two.

Biases are odd multiples of the last bit of sums of even numbers: no sum lies in the middle of two
codes, so that ONNX's rounding to even is rounding half up.
"""

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

FLOAT, UINT8, INT8 = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.INT8


class Builder:
    """A model in the making: `op` gives the name of the value that it makes."""

    def __init__(self, domain: str = ""):
        self.nodes, self.constants, self.domain = [], [], domain

    def constant(self, array, dtype=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def op(self, kind, *inputs, name="", domain="", **attributes):
        name = name or f"{kind}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(kind, inputs, [f"{name}_out"], name, domain=domain, **attributes)
        )
        return f"{name}_out"

    def model(
        self, inputs, output, kind=FLOAT, *, shape=("N", 3, 7, 5), rank=4, opset=17
    ) -> ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "g",
            [helper.make_tensor_value_info(inputs, kind, shape)],
            [helper.make_tensor_value_info(output, FLOAT, ["N", *"CHW"][:rank])],
            self.constants,
        )
        domains = [helper.make_opsetid("", opset)]
        domains += [helper.make_opsetid(self.domain, 1)] if self.domain else []
        return helper.make_model(graph, opset_imports=domains, ir_version=8)

    def quantised(self, value, exponent, dtype, name=""):
        """QuantizeLinear and DequantizeLinear by 2^exponent."""
        scale, zero = self.constant(2.0**exponent), self.constant(0, dtype)
        codes = self.op("QuantizeLinear", value, scale, zero, name=name)
        return self.op("DequantizeLinear", codes, scale, zero)

    def stored(self, codes, exponent, dtype=np.int8):
        """A constant of codes, dequantised by 2^exponent, one or one for each of axis 0."""
        codes = self.constant(codes, dtype)
        axis = {"axis": 0} if np.ndim(exponent) else {}
        return self.op(
            "DequantizeLinear", codes, self.constant(2.0 ** np.asarray(exponent)), **axis
        )


def powers(rng, shape, least=1, most=6, zeros=0.2):
    """Codes 0 or ±2^least to ±2^most, int64."""
    sign = rng.choice([-1, 0, 1], shape, p=[(1 - zeros) / 2, zeros, (1 - zeros) / 2])
    return sign << rng.integers(least, most + 1, shape)


def odd(rng, count, size=2000):
    return 2 * rng.integers(-size, size, count) + 1


def layers(seed=0):
    """Codes of weights and of biases of the layers of `qdq` and `qlinear`."""
    rng = np.random.default_rng(seed)
    return {
        "conv0": (powers(rng, (4, 3, 3, 3)), odd(rng, 4)),
        "conv1": (powers(rng, (4, 1, 3, 2)), odd(rng, 4)),
        "conv2": (powers(rng, (4, 4, 1, 1)), odd(rng, 4)),
        "fc": (powers(rng, (3, 4), 0, 6), rng.integers(-500, 500, 3)),
    }


WINDOWS = {
    "conv0": {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]},
    "conv1": {"kernel_shape": [3, 2], "pads": [0, 0, 2, 1], "group": 4},
    "conv2": {"kernel_shape": [1, 1]},
}


def qdq(seed=0, image=-8, *, last="float") -> ModelProto:
    """Two branches that meet in an addition, pools, a classifier; floats in, floats out.

    Parameters
    ----------
    image: exponent of the image's scale
    last: what the logits are: "float", or "quantised" for QuantizeLinear and DequantizeLinear
    """
    b, made = Builder(), layers(seed)

    def conv(name, value, unit, scale):
        codes, bias = made[name]
        weights = b.stored(codes, scale)
        biases = b.stored(bias, unit + scale, np.int32)
        return b.op("Conv", value, weights, biases, name=name, **WINDOWS[name])

    x = b.quantised("images", image, np.uint8)
    x = b.op("Relu", conv("conv0", x, image, -6))
    x = b.quantised(x, -4, np.uint8, name="first")
    x = b.op("MaxPool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], name="pool")
    x = b.quantised(x, -4, np.uint8)
    y = b.quantised(conv("conv1", x, -4, -5), -3, np.int8)
    z = b.op("Clip", conv("conv2", x, -4, -7), b.constant(0.0), b.constant(6.0))
    z = b.quantised(z, -3, np.uint8)
    x = b.quantised(b.op("Add", y, z, name="sum"), -3, np.int8)
    # 35 pixels: no mean lies in the middle.
    x = b.quantised(b.op("GlobalAveragePool", x, name="mean"), -3, np.int8)
    x = b.op("Flatten", x)
    codes, bias = made["fc"]
    weights, biases = b.stored(codes, -6), b.stored(bias, -9, np.int32)
    x = b.op("Gemm", x, weights, biases, transB=1, name="fc")
    if last == "quantised":
        x = b.quantised(x, -2, np.int8)
    return b.model("images", x, rank=2)


def qlinear(seed=0) -> ModelProto:
    """A chain of QLinearConv of bytes."""
    b, made = Builder(), layers(seed)
    scale, zero = b.constant(2.0**-8), b.constant(0, np.uint8)
    x = b.op("QuantizeLinear", "images", scale, zero)
    for name, width, out in (("conv0", -6, -4), ("conv1", -5, -3)):
        codes, bias = made[name]
        inner = [b.constant(codes, np.int8), b.constant(2.0**width), b.constant(0, np.int8)]
        to = [b.constant(2.0**out), b.constant(0, np.uint8)]
        biases = b.constant(bias, np.int32)
        x = b.op("QLinearConv", x, scale, zero, *inner, *to, biases, name=name, **WINDOWS[name])
        scale, zero = to
    x = b.op("DequantizeLinear", x, scale, zero)
    return b.model("images", x)


def qonnx(seed=0) -> ModelProto:
    """A layer of four-bit weights and another of QONNX's Quant; not for onnxruntime."""
    domain = "qonnx.custom_op.general"
    b, made = Builder(domain), layers(seed)

    def quant(value, exponent, bits, signed):
        settings = [b.constant(2.0**exponent), b.constant(0.0), b.constant(float(bits))]
        attributes = {"signed": signed, "narrow": 0, "rounding_mode": "ROUND"}
        return b.op("Quant", value, *settings, domain=domain, **attributes)

    x = quant("images", -8, 8, 0)
    codes, bias = made["conv0"]
    weights = quant(b.constant(codes * 2.0**-6), -6, 8, 1)
    x = b.op("Conv", x, weights, b.constant(bias * 2.0**-14), name="conv0", **WINDOWS["conv0"])
    x = quant(x, -3, 6, 1)
    return b.model("images", x)
