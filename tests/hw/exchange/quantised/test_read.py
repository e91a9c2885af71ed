"""Quantised ONNX files of other tools: the same integers as onnxruntime's, or a refusal by name."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime.quantization
import pytest
from onnx import helper, numpy_helper
from quantised_models import WINDOWS, Builder, layers, qdq, qlinear, qonnx

from hw.errors import InputError
from hw.exchange.judge import judge, session
from hw.exchange.model import to_model
from hw.exchange.quantised.names import Names
from hw.exchange.quantised.read import read
from hw.ir import reference
from hw.ir.arithmetic import out_format
from hw.ir.clip import Clip
from hw.ir.format import Format
from hw.ir.graph import Add, Conv, GlobalPool, Input, Linear, MaxPool
from hw.ir.parameters import Rounding

FILE = Path("x.onnx")

LAST = [Conv, Linear, Conv, Conv]
"""The classifier, by seed: a convolution where its biases are finer than its weights."""

IMAGES = np.random.default_rng(3).integers(0, 256, (120, 7, 5, 3), np.uint8)


def require_same(model, exponent=-8, seed=0):
    """The real numbers that onnxruntime gives are those of the network, all of them."""
    network = read(model, FILE, Rounding.HALF_UP)
    real = IMAGES.transpose(0, 3, 1, 2).astype(np.float32) * np.float32(2.0**exponent)
    (found,) = session(model).run(None, {"images": real})
    name = network.graph.output.name
    codes = reference.run(network, IMAGES, [name])[name].transpose(0, 3, 1, 2)
    expected = codes * 2.0 ** -out_format(network, name).frac
    assert (expected.reshape(found.shape) == found).all()
    assert len(np.unique(found)) > 10
    # The network is one that everything else can use.
    assert judge(network, to_model(network), IMAGES[:8]).mismatches == 0
    return network


@pytest.mark.parametrize("seed", range(4))
def test_quantise_and_dequantise(seed):
    network = require_same(qdq(seed))
    kinds = [type(node) for node in network.graph]
    assert kinds == [Input, Conv, MaxPool, Conv, Conv, Add, GlobalPool, LAST[seed]]
    assert [node.name for node in network.graph] == [
        "images", "conv0", "pool", "conv1", "conv2", "sum", "mean", "fc"
    ]  # fmt: skip
    assert network.graph["conv2"].clip is Clip.RELU6
    assert network.formats["conv2"] == Format(False, 8, 3, 48)
    assert network.formats["conv0"] == Format(False, 8, 4)


@pytest.mark.parametrize("exponent", [0, -7, -10])
def test_images_of_another_scale(exponent):
    """Bytes as 0 … 255, or up to two: what the first layer multiplies them by is another."""
    require_same(qdq(1, exponent), exponent)


@pytest.mark.parametrize("seed", range(3))
def test_qlinear(seed):
    network = require_same(qlinear(seed))
    assert [node.name for node in network.graph] == ["images", "conv0", "conv1"]


def expanded(model):
    """QONNX's Quant in standard operators, as QONNX defines it."""
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    nodes = []
    for node in plain.graph.node:
        if node.op_type != "Quant":
            nodes.append(node)
            continue
        value, scale, _, bits = node.input
        known = {one.name: numpy_helper.to_array(one) for one in plain.graph.initializer}
        signed, width = node.attribute[2].i, int(known[bits])
        edges = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
        names = [f"{node.output[0]}_{k}" for k in range(5)]
        for name, edge in zip(names[3:], edges, strict=True):
            plain.graph.initializer.append(numpy_helper.from_array(np.float32(edge), name))
        nodes += [
            helper.make_node("Div", [value, scale], names[:1]),
            helper.make_node("Round", names[:1], names[1:2]),
            helper.make_node("Clip", [names[1], *names[3:]], names[2:3]),
            helper.make_node("Mul", [names[2], scale], list(node.output)),
        ]
    del plain.graph.node[:]
    plain.graph.node.extend(nodes)
    del plain.opset_import[1]
    return plain


def test_qonnx():
    network = read(qonnx(), FILE, Rounding.HALF_UP)
    (found,) = session(expanded(qonnx())).run(
        None, {"images": IMAGES.transpose(0, 3, 1, 2).astype(np.float32) / 256}
    )
    assert network.formats["conv0"] == Format(True, 6, 3)
    codes = reference.run(network, IMAGES, ["conv0"])["conv0"].transpose(0, 3, 1, 2)
    assert (codes / 8 == found).all() and len(np.unique(found)) > 10


class Reader(onnxruntime.quantization.CalibrationDataReader):
    """Some images, once."""

    def __init__(self):
        self.left = [IMAGES[:4].transpose(0, 3, 1, 2).astype(np.float32) / 256]

    def get_next(self):
        return {"images": self.left.pop()} if self.left else None


@pytest.mark.parametrize("kind", list(onnxruntime.quantization.QuantFormat))
def test_files_of_onnxruntimes_quantiser(tmp_path, kind):
    """A network of floats, quantised by onnxruntime itself with scales that are powers of two."""
    made = layers(5)
    b = Builder()
    weights = b.constant(made["conv0"][0] / 64)
    bias = b.constant(made["conv0"][1] / 2**14)
    x = b.op("Conv", "images", weights, bias, name="conv0", **WINDOWS["conv0"])
    x = b.op("Relu", x, name="relu")
    weights = b.constant(made["conv2"][0] / 32)
    bias = b.constant(made["conv2"][1] / 2**9)
    x = b.op("Conv", x, weights, bias, name="conv2", **WINDOWS["conv2"])
    plain, quantised = tmp_path / "plain.onnx", tmp_path / "quantised.onnx"
    onnx.save(b.model("images", x), plain)

    def fixed(exponent, zero):
        return [{"scale": np.array(2.0**exponent, np.float32), "zero_point": np.array(zero)}]

    settings = {
        "images": fixed(-8, np.uint8(0)),
        "conv0_out": fixed(-4, np.uint8(0)),
        "relu_out": fixed(-4, np.uint8(0)),
        "conv2_out": fixed(-3, np.uint8(0)),
        "c0": fixed(-6, np.int8(0)),
        "c2": fixed(-5, np.int8(0)),
    }
    onnxruntime.quantization.quantize_static(
        plain,
        quantised,
        Reader(),
        quant_format=kind,
        activation_type=onnxruntime.quantization.QuantType.QUInt8,
        extra_options={"TensorQuantOverrides": settings},
    )
    model = onnx.load(quantised)
    assert {"QuantizeLinear"} < {node.op_type for node in model.graph.node}
    network = require_same(model)
    assert [type(node) for node in network.graph] == [Input, Conv, Conv]


def test_a_rounding_is_asked_for():
    with pytest.raises(InputError, match=r"x\.onnx: conv0: ONNX rounds .* \(4 layers round\)"):
        read(qdq(), FILE, None)
    assert read(qdq(), FILE, Rounding.FLOOR).arithmetic.rounding is Rounding.FLOOR
    # Nothing is asked where no number lies between two codes.
    b = Builder()
    x = b.quantised("images", -8, np.uint8)
    x = b.quantised(b.op("MaxPool", x, kernel_shape=[2, 2]), -8, np.uint8)
    assert read(b.model("images", x), FILE, None).arithmetic.rounding is Rounding.HALF_UP


def test_what_lies_in_the_middle_is_rounded_another_way():
    """Why it is asked for: of halves onnxruntime gives the even code, a network the larger."""
    b = Builder()
    x = b.quantised("images", -8, np.uint8)
    x = b.quantised(b.op("Conv", x, b.stored(np.ones((1, 3, 1, 1)), 0)), -7, np.uint8)
    model = b.model("images", x)
    network = read(model, FILE, Rounding.HALF_UP)
    real = IMAGES.transpose(0, 3, 1, 2).astype(np.float32) / 256
    (found,) = session(model).run(None, {"images": real})
    name = network.graph.output.name
    codes = reference.run(network, IMAGES, [name])[name].transpose(0, 3, 1, 2)
    differs = codes - found * 128
    sums = IMAGES.astype(int).sum(axis=3)[:, None]
    middle = (sums % 4 == 1) & (sums < 511)
    assert set(np.unique(differs)) == {0, 1} and ((differs == 1) == middle).all()


def test_all_powers_that_a_code_has():
    """Fifteen, in five bits; sixteen take six; the largest of each channel may be any."""
    for span, bits in ((14, 5), (15, 6)):
        b = Builder()
        x = b.quantised("images", -8, np.uint8)
        codes = np.array([1, 0, -(1 << span)]).reshape(1, 3, 1, 1)
        weights = b.stored(np.concatenate([codes, codes]), [-20, 3], np.int32)
        x = b.quantised(b.op("Conv", x, weights, name="conv"), -1, np.int16)
        network = read(b.model("images", x, opset=21), FILE, Rounding.HALF_UP)
        assert network.arithmetic.weight_bits == bits
        assert network.params["conv"].scale_exp.ravel().tolist() == [span - 20, span + 3]


def chain(change, *, image=-8):
    """A model of one layer, and of what `change` adds to it."""
    b = Builder()
    x = b.quantised("images", image, np.uint8, name="first")
    return b.model("images", change(b, x))


def conv(b, x, codes=1, exponent=0, **attributes):
    weights = b.stored(np.full((2, 3, 1, 1), codes), exponent)
    return b.op("Conv", x, weights, name="conv", **attributes)


def scaled(b, value, scale, zero=0, dtype=np.int8):
    settings = b.constant(scale), b.constant(zero, dtype)
    codes = b.op("QuantizeLinear", value, *settings, name="last")
    return b.op("DequantizeLinear", codes, *settings)


REFUSED = {
    "a scale": (lambda b, x: scaled(b, conv(b, x), 0.3), "last: the scale of a tensor 0.3"),
    "a zero point": (lambda b, x: scaled(b, conv(b, x), 0.5, 3), "last: a tensor with a zero"),
    "scales by channel": (
        lambda b, x: scaled(b, conv(b, x), [0.5, 1], [0, 0]),
        "last: a tensor with a scale for each channel",
    ),
    "a type": (
        lambda b, x: scaled(b, conv(b, x), 0.5, 0, np.int32),
        "last: a tensor of type int32; expected 8 or 16 bits",
    ),
    "a weight": (
        lambda b, x: b.quantised(conv(b, x, codes=3), -3, np.int8, name="last"),
        "last: the weight 3 is no power of two",
    ),
    "a span": (
        lambda b, x: b.quantised(
            b.op("Conv", x, b.stored([[[[1]], [[1 << 16]], [[0]]]], -16, np.int32)), -3, np.int8
        ),
        "16 powers of two apart; 15 are the most",
    ),
    "an operator": (
        lambda b, x: b.quantised(b.op("Sigmoid", conv(b, x), name="sigma"), -3, np.int8),
        "sigma: Sigmoid is not known; known are QuantizeLinear, ",
    ),
    "what is not quantised": (
        lambda b, x: b.quantised(b.op("MaxPool", conv(b, x), kernel_shape=[1, 1]), -3, np.int8),
        "reads what is not quantised; quantise every layer's input",
    ),
    "automatic pads": (
        lambda b, x: b.quantised(conv(b, x, auto_pad="SAME_UPPER"), -3, np.int8),
        "conv: auto_pad SAME_UPPER; expected NOTSET",
    ),
    "rounded-up pools": (
        lambda b, x: b.op("MaxPool", x, kernel_shape=[2, 2], ceil_mode=1, name="pool"),
        "pool: ceil_mode 1; expected 0",
    ),
    "a pool of another format": (
        lambda b, x: b.quantised(
            b.op("AveragePool", x, kernel_shape=[2, 2]), -7, np.uint8, name="last"
        ),
        "last: AvgPool from u8.8 to u8.7; it keeps its own format",
    ),
    "another scale": (
        lambda b, x: b.op(
            "DequantizeLinear",
            b.op("QuantizeLinear", conv(b, x), b.constant(0.5), b.constant(0, np.int8)),
            b.constant(0.25),
            b.constant(0, np.int8),
            name="back",
        ),
        "back: dequantises by 2^-2 what was quantised by 2^-1",
    ),
    "a clip": (
        lambda b, x: b.quantised(
            b.op("Clip", conv(b, x), b.constant(-1.0), b.constant(1.0), name="hard"), -3, np.int8
        ),
        "hard: a clip to -1 and 1; known are relu, relu6",
    ),
    "a flat map": (
        lambda b, x: b.op("Flatten", x, name="flat"),
        "flat: flattens more than one pixel; pool before, or make it a convolution",
    ),
    "a weight that is computed": (
        lambda b, x: b.quantised(b.op("Conv", x, x, name="conv"), -3, np.int8),
        "conv: input 1 is computed; expected a constant",
    ),
    "an output that is not quantised": (conv, "conv_out: the output is not that of a quantised"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refusals_name_the_operator(what):
    change, message = REFUSED[what]
    with pytest.raises(InputError) as caught:
        read(chain(change), FILE, Rounding.HALF_UP)
    told = str(caught.value)
    assert told.startswith("x.onnx: ") and message in told and "\n" not in told


def test_every_operator_that_is_refused_is_named_once():
    """Not what reads them: of that nothing can be said."""

    def change(b, x):
        one = b.op("Sigmoid", conv(b, x), name="one")
        two = b.op("Tanh", conv(b, x), name="two")
        return b.quantised(b.op("Add", one, two, name="sum"), -3, np.int8)

    with pytest.raises(InputError) as caught:
        read(chain(change), FILE, Rounding.HALF_UP)
    told = str(caught.value)
    assert "one: Sigmoid" in told and "two: Tanh" in told and "sum" not in told


def test_images_of_signed_bytes():
    b = Builder()
    x = b.quantised("images", -7, np.int8, name="first")
    with pytest.raises(InputError, match=r"first: an image of format s8\.7; a network reads uns"):
        read(b.model("images", x), FILE, None)


def test_images_of_another_scale_that_no_layer_takes():
    with pytest.raises(InputError, match=r"pool: reads images of another scale than 2\^-8"):
        read(
            chain(lambda b, x: b.op("MaxPool", x, kernel_shape=[1, 1], name="pool"), image=0),
            FILE,
            None,
        )


def test_names_of_other_tools():
    names = Names()
    given = ("/layer1/0/Conv", "/layer1/0/Conv/quant", "/layer1/0/Conv", "a b:0", "", "layer1")
    assert [names.of(one) for one in given] == [
        "layer1/n_0/Conv", "layer1_n_0_Conv_quant_2", "layer1_n_0_Conv_2", "a_b_0", "node",
        "layer1_2",
    ]  # fmt: skip
