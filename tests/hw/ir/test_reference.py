"""The reference against plain loops over Python's integers, in numbers of any width.

NumPy's warnings are errors here as in all tests.
"""

import dataclasses

import numpy as np
import plain_numerics
import pytest
from any_networks import KINDS, One, networks, one_operation
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.errors import InputError
from hw.ir import reference
from hw.ir.arithmetic import accumulation, out_format, scale_multipliers
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
    MaxPool,
    Node,
)
from hw.ir.integers import tensor_type
from hw.ir.network import Network
from hw.ir.parameters import Arithmetic, LayerParams, Rounding
from hw.ir.validate import validate, weight_shape
from hw.ir.weights import P_MIN
from hw.networks import genotypes
from hw.networks.cells import build
from hw.networks.random_network import random_network

# --- networks to compare on -------------------------------------------------------------------


def random_codes(rng, shape, bits):
    sign = rng.integers(0, 2, shape) << (bits - 1)
    magnitude = rng.integers(0, 2 - P_MIN[bits], shape)
    return np.where(magnitude > 0, sign | magnitude, 0).astype(np.uint8)


def random_params(rng, network, node, terms):
    """Parameters whose output codes spread over the range of the node's format."""
    codes = random_codes(rng, weight_shape(network, node), network.arithmetic.weight_bits)
    channels = len(codes)
    nothing = LayerParams(
        codes, np.zeros((channels, 0), np.int8), np.zeros((channels, 0), np.int16), (0,) * channels
    )
    network.params[node.name] = nothing
    acc = accumulation(network, node.name)
    if isinstance(node, Linear):
        size = max(acc.high)
        return dataclasses.replace(
            nothing, bias=tuple(int(rng.integers(-1000, 1000)) * size // 1000 for _ in codes)
        )
    if isinstance(node, Conv) and not node.batch_norm:
        ones = np.ones((channels, 1))
        return LayerParams(
            codes, ones.astype(np.int8), (0 * ones).astype(np.int16), (0,) * channels
        )
    target = network.formats[node.name]
    largest = max(1, *acc.high, *(-low for low in acc.low))
    top = acc.frac - target.frac + target.width - largest.bit_length()
    sign = rng.choice([-1, 1], (channels, terms)).astype(np.int8)
    exp = (top + 2 - np.cumsum(rng.integers(1, 4, (channels, terms)), axis=1)).astype(np.int16)
    unused = np.arange(terms) >= rng.integers(1, terms + 1, (channels, 1))
    sign[unused], exp[unused] = 0, 0
    # Biases that bring the middle of each channel's interval near zero.
    _, _, scales = scale_multipliers(sign, exp)
    spread = [(high - low) * abs(s) for low, high, s in zip(acc.low, acc.high, scales, strict=True)]
    bias = tuple(
        -(low + high) * s // 2 + size * int(rng.integers(-100, 100)) // 1000
        for low, high, s, size in zip(acc.low, acc.high, scales, spread, strict=True)
    )
    return LayerParams(codes, sign, exp, bias)


def network_of(nodes, formats, arithmetic, seed=0):
    rng = np.random.default_rng(seed)
    network = Network(Graph(tuple(nodes)), {"input": IMAGE_FORMAT, **formats}, {}, arithmetic)
    for node in nodes:
        if isinstance(node, Conv | FactorizedReduce | Linear):
            network.params[node.name] = random_params(rng, network, node, arithmetic.scale_terms)
    return network


IMAGE = Input(name="input", inputs=(), shape=(5, 7, 3))
FIRST = Conv(name="first", inputs=("input",), shape=(5, 7, 4), kernel=(3, 3), padding=(1, 1))

OPERATIONS: dict[str, Node] = {
    "pointwise": Conv(name="x", inputs=("first",), shape=(5, 7, 6)),
    "stride": Conv(
        name="x", inputs=("first",), shape=(3, 4, 2), kernel=(3, 3), stride=(2, 2), padding=(1, 1),
        relu_in=True,
    ),
    "depthwise": Conv(
        name="x", inputs=("first",), shape=(5, 7, 4), kernel=(3, 3), padding=(1, 1), groups=4,
        relu_in=True, batch_norm=False,
    ),
    "dilated": Conv(
        name="x", inputs=("first",), shape=(3, 4, 4), kernel=(5, 5), padding=(4, 4),
        dilation=(2, 2), groups=4, stride=(2, 2), relu_in=True, batch_norm=False,
    ),
    "groups": Conv(name="x", inputs=("first",), shape=(3, 5, 6), kernel=(3, 3), groups=2),
    "multiplier": Conv(name="x", inputs=("first",), shape=(3, 5, 8), kernel=(3, 3), groups=4),
    "conv1x7": Conv(
        name="x", inputs=("first",), shape=(5, 4, 4), kernel=(1, 7), stride=(1, 2), padding=(0, 3),
        relu_in=True,
    ),
    "factorized_reduce": FactorizedReduce(name="x", inputs=("first",), shape=(3, 4, 5)),
    "max_pool": MaxPool(name="x", inputs=("first",), shape=(3, 4, 4), stride=(2, 2)),
    "avg_pool": AvgPool(name="x", inputs=("first",), shape=(5, 7, 4)),
    "avg_pool_stride": AvgPool(name="x", inputs=("first",), shape=(3, 4, 4), stride=(2, 2)),
    "global_pool": GlobalPool(name="x", inputs=("first",), shape=(1, 1, 4)),
    "add": Add(name="x", inputs=("first", "second", "first"), shape=(5, 7, 4)),
    "concat": Concat(name="x", inputs=("second", "first", "second"), shape=(5, 7, 12)),
}  # fmt: skip

ARITHMETICS = {
    "default": Arithmetic(),
    "one_term_floor": Arithmetic(scale_terms=1, rounding=Rounding.FLOOR),
    "guard4": Arithmetic(guard=4, scale_terms=2),
    "paper": Arithmetic(weight_bits=6, guard=0, rounding=Rounding.FLOOR, scale_terms=4),
}


def case(operation, arithmetic, width, seed=0):
    """A network of two random convolutions and the operation, then pool and classifier."""
    second = Conv(name="second", inputs=("input",), shape=(5, 7, 4), batch_norm=True)
    node = OPERATIONS[operation]
    nodes: list[Node] = [IMAGE, FIRST]
    nodes += [second] if "second" in node.inputs else []
    nodes += [node]
    formats = {
        "first": Format(True, width, width // 2),
        "second": Format(True, max(2, width - 1), width // 2 + 2),
    }
    keeps = isinstance(node, MaxPool | AvgPool | GlobalPool)
    formats["x"] = formats["first"] if keeps else Format(True, width, width // 2 + 1)
    nodes += [
        GlobalPool(name="pool", inputs=("x",), shape=(1, 1, node.shape[2])),
        Linear(name="classifier", inputs=("pool",), shape=(1, 1, 3)),
    ]
    formats["pool"] = formats["x"]
    formats = {n.name: formats[n.name] for n in nodes[1:-1]}
    network = network_of(nodes, formats, ARITHMETICS[arithmetic], seed)
    validate(network)
    rng = np.random.default_rng(seed + 1)
    images = rng.integers(0, 256, (2, *IMAGE.shape)).astype(np.uint8)
    return network, images


def compare(network, images):
    found = reference.run(network, images)
    assert found.keys() == {node.name for node in network.graph}
    for number, image in enumerate(images.tolist()):
        for name, expected in plain_numerics.run(network, image).items():
            values = found[name][number]
            assert_clean(values)
            assert values.dtype != np.float64
            assert values.tolist() == expected, (name, number)
    return found


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_equals_plain_loops(operation, arithmetic):
    for width in (8, 32):
        network, images = case(operation, arithmetic, width)
        found = compare(network, images)
        # Not a comparison of saturated or dead tensors.
        assert len(np.unique(found["x"].astype(np.int64))) >= 3
        assert len(np.unique(found["first"])) >= 8


@pytest.mark.parametrize("width", [2, 3, 5, 12, 16, 24])
def test_every_width(width):
    for operation in ("pointwise", "add", "avg_pool", "concat"):
        compare(*case(operation, "default", width))


def test_wide_numbers_are_python_integers():
    """32-bit activations, exact products, four terms: beyond 63 bits nothing wraps."""
    network, images = case("pointwise", "default", 32)
    params = network.params["x"]
    exp = params.scale_exp.copy()
    exp[0, 1:] -= 30
    network.params["x"] = dataclasses.replace(params, scale_exp=exp)
    compare(network, images)


def test_dead_channel_gives_its_bias():
    network, images = case("pointwise", "default", 8)
    params = network.params["x"]
    sign, exp = params.scale_sign.copy(), params.scale_exp.copy()
    sign[1], exp[1] = 0, 0
    network.params["x"] = dataclasses.replace(params, scale_sign=sign, scale_exp=exp)
    found = compare(network, images)["x"]
    assert len(np.unique(found[..., 1])) == 1


def test_layer_of_zeros_only():
    for arithmetic in ("default", "guard4"):
        network, images = case("stride", arithmetic, 8)
        params = network.params["x"]
        network.params["x"] = dataclasses.replace(params, codes=np.zeros_like(params.codes))
        compare(network, images)


def test_batches_do_not_change_results(monkeypatch):
    network, _ = case("stride", "default", 8)
    images = np.random.default_rng(5).integers(0, 256, (7, *IMAGE.shape)).astype(np.uint8)
    whole = reference.logits(network, images)
    monkeypatch.setattr(reference, "CHUNK", 3 * 5 * 7 * 4)
    assert (reference.logits(network, images) == whole).all()
    assert whole.shape == (7, 3)


def test_class_is_the_first_largest():
    network, images = case("pointwise", "default", 8)
    params = network.params["classifier"]
    codes = params.codes.copy()
    codes[2] = codes[1]
    bias = (-(10**9), 7, 7)
    network.params["classifier"] = dataclasses.replace(params, codes=codes, bias=bias)
    assert reference.classify(network, images).tolist() == [1, 1]


def test_keep_computes_only_what_it_needs():
    network, images = case("pointwise", "default", 8)
    assert reference.run(network, images, ["first"]).keys() == {"first"}
    del network.params["classifier"]
    assert reference.run(network, images, ["x"])["x"].shape == (2, 5, 7, 6)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 5, 7, 3), np.float32),
        np.zeros((2, 7, 5, 3), np.uint8),
        np.zeros((5, 7, 3), np.uint8),
        np.zeros((0, 5, 7, 3), np.uint8),
    ],
)
def test_other_images_are_refused(images):
    network, _ = case("pointwise", "default", 8)
    with pytest.raises(InputError, match=r"images: .*expected uint8 of shape \(N, 5, 7, 3\)"):
        reference.run(network, images)


def test_unknown_tensor_is_refused():
    network, images = case("pointwise", "default", 8)
    with pytest.raises(InputError, match="no tensor 'nowhere'"):
        reference.run(network, images, ["nowhere"])


# --- numbers of any width -----------------------------------------------------------------------


def assert_clean(values: np.ndarray) -> None:
    """Python's integers only where they are objects: NumPy's among them would wrap."""
    assert values.dtype in (np.float64, np.int64, object)
    if values.dtype == object:
        assert {type(value) for value in values.flat} == {int}


def assert_one_equals_loops(case: One) -> None:
    network = case.network
    found = reference.operation(network, "x")(case.sources)
    assert found.dtype == tensor_type(out_format(network, "x"))
    assert_clean(found)
    for number in range(len(found)):
        sources = [source[number].tolist() for source in case.sources]
        assert found[number].tolist() == plain_numerics.compute(network, "x", sources)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_operation(kind, data):
    assert_one_equals_loops(data.draw(one_operation(kind)))


@settings(max_examples=60, deadline=None)
@given(networks())
def test_every_network(drawn):
    """One operation after the other: what is wide inside is none of the next one's business."""
    compare(*drawn)


@pytest.mark.parametrize(
    "genotype, sizes, numbers",
    [
        ("DARTS_V2", (2, 3, (6, 7, 3), 4), {"guard": 30, "seed": 7}),
        ("NASNet", (6, 3, (7, 9, 3), 6), {"weight_bits": 6, "scale_terms": 4, "seed": 28}),
    ],
)
def test_published_genotypes_in_32_bits(genotype, sizes, numbers):
    """The two networks that were wrong: an end in a traceback, and silently."""
    size = dict(zip(("channels", "cells", "image", "classes"), sizes, strict=True))
    graph = build(genotypes.get(genotype), **size)
    network = random_network(graph, act_bits=32, **numbers)
    image = np.random.default_rng(1).integers(0, 256, (1, *size["image"])).astype(np.uint8)
    compare(network, image)


def wide_network(*rest, image=(3, 4, 1)):
    """A 1×1 convolution whose v has 70 bits though its output has 32, then the nodes given."""
    nodes = [
        Input(name="input", inputs=(), shape=image),
        Conv(name="first", inputs=("input",), shape=(*image[:2], 1)),
        *rest,
    ]
    scale = np.array([[1, 1]], np.int8), np.array([[60, 0]], np.int16)
    params = {"first": LayerParams(np.ones((1, 1, 1, 1), np.uint8), *scale, (0,))}
    formats = {node.name: Format(True, 32, -28) for node in nodes} | {"input": IMAGE_FORMAT}
    return Network(Graph(tuple(nodes)), formats, params, Arithmetic())


def test_padded_average_after_a_wide_layer():
    """The smallest fault reported: padding of NumPy's integers made the sum wrap: -1."""
    pool = AvgPool(name="pool", inputs=("first",), shape=(3, 4, 1))
    network = wide_network(pool)
    image = np.full((1, 3, 4, 1), 255, np.uint8)
    tensors = reference.run(network, image)
    assert tensors["first"].ravel().tolist() == [2147483647] * 12
    assert tensors["pool"].ravel().tolist() == [2147483647] * 12
    compare(network, image)


def test_narrow_and_wide_parts_of_a_concat():
    """One part is computed in float64, one in Python's integers; both are exact beside another."""
    network = wide_network(
        Concat(name="both", inputs=("input", "first"), shape=(3, 4, 2)),
        AvgPool(name="pool", inputs=("both",), shape=(3, 4, 2)),
    )
    image = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 1)).astype(np.uint8)
    compare(network, image)


def test_left_shifts_beyond_int64():
    """A sum of 58 bits, and a v of as many, brought to formats 35 bits finer: both saturate."""
    a, b, fine = Format(True, 32, 0), Format(True, 32, 25), Format(True, 32, 60)
    inputs = [Input(name=name, inputs=(), shape=(1, 2, 2)) for name in "ab"]
    add = Add(name="x", inputs=("a", "b"), shape=(1, 2, 2))
    network = Network(Graph((*inputs, add)), {"a": a, "b": b, "x": fine}, {}, Arithmetic())
    values = np.array([[[[a.qmax, 1], [0, a.qmin]]], [[[3, -1], [1, 2]]]])
    assert_one_equals_loops(One(network, (values, np.zeros_like(values))))

    conv = Conv(name="x", inputs=("a",), shape=(1, 2, 1))
    scale = np.array([[1, -1]], np.int8), np.array([[25, 0]], np.int16)
    params = {"x": LayerParams(np.ones((1, 2, 1, 1), np.uint8), *scale, (0,))}
    formats = {"a": a, "x": Format(True, 32, 35)}
    network = Network(Graph((inputs[0], conv)), formats, params, Arithmetic())
    assert_one_equals_loops(One(network, (values,)))


def test_global_pool_of_more_pixels_than_float64_has_bits_for():
    """2,100,225 codes of 32 bits, whose sum of 54 bits is the least that gives its mean."""
    unsigned, sides = Format(False, 32, 0), (2049, 1025)
    source = Input(name="i", inputs=(), shape=(*sides, 1))
    pool = GlobalPool(name="x", inputs=("i",), shape=(1, 1, 1))
    formats = {"i": unsigned, "x": unsigned}
    network = Network(Graph((source, pool)), formats, {}, Arithmetic())
    n, t = sides[0] * sides[1], 32 + 8 + 22
    multiplier = ((2 << t) + n) // (2 * n)
    mean = (1 << 32) - 1000
    while True:
        total = -(((1 << (t - 1)) - (mean << t)) // multiplier)
        if total % 4 == 1:  # which float64 makes one less
            break
        mean += 1
    assert total > 1 << 53 and int(float(total)) == total - 1
    codes = np.full(n, total // n)
    codes[: total % n] += 1
    (found,) = reference.operation(network, "x")([codes.reshape(1, *sides, 1)]).ravel().tolist()
    assert found == plain_numerics.mean(codes.tolist(), unsigned) == mean
