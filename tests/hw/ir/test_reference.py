"""The reference against a second implementation: element by element, Python integers."""

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest

from hw.errors import InputError
from hw.ir import reference
from hw.ir.arithmetic import accumulation, scale_multipliers
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
from hw.ir.network import Network
from hw.ir.parameters import Arithmetic, LayerParams, Rounding
from hw.ir.validate import validate, weight_shape

# --- the slow implementation ------------------------------------------------------------------


def weight(code, bits):
    """(s, p) of a weight code, p None where the weight is zero."""
    m = code % 2 ** (bits - 1)
    return (0, None) if m == 0 else (-1 if code >> (bits - 1) else 1, 1 - m)


def clamp(value, target):
    return max(target.qmin, min(target.qmax, value))


def divide(value, shift, rounding):
    """value / 2**shift, rounded half up or down; in exact fractions."""
    added = {Rounding.HALF_UP: Fraction(1, 2), Rounding.FLOOR: 0}[rounding]
    return math.floor(Fraction(value) / Fraction(2) ** shift + added)


def taps_of(node, in_shape):
    """For each output channel's weight index: function from output pixel to (y, x, channel in)."""

    def reads(oy, ox, oc, ic, ky, kx):
        if isinstance(node, Linear):
            return 0, 0, ic
        if isinstance(node, FactorizedReduce):
            offset = 0 if oc < node.shape[2] // 2 else 1
            return 2 * oy + offset, 2 * ox + offset, ic
        group = oc // (node.shape[2] // node.groups)
        return (
            oy * node.stride[0] - node.padding[0] + ky * node.dilation[0],
            ox * node.stride[1] - node.padding[1] + kx * node.dilation[1],
            group * (in_shape[2] // node.groups) + ic,
        )

    return reads


def slow_weighted(network, node, q, source):
    """Output codes of a Conv, FactorizedReduce or Linear for one image (dict (y, x, c) -> code)."""
    params, arithmetic = network.params[node.name], network.arithmetic
    bits = arithmetic.weight_bits
    guard = None if isinstance(node, Linear) else arithmetic.guard
    codes = (
        params.codes.reshape(*params.codes.shape[:2], 1, 1)
        if params.codes.ndim == 2
        else (params.codes)
    )
    powers = [p for _, p in (weight(int(c), bits) for c in codes.ravel()) if p is not None]
    p0 = min(powers, default=0)
    f_acc = source.frac - p0 if guard is None else source.frac + guard
    relu = not isinstance(node, Linear) and node.relu_in
    reads = taps_of(node, network.graph.in_shapes(node)[0])
    out = {}
    for oy in range(node.shape[0]):
        for ox in range(node.shape[1]):
            for oc in range(node.shape[2]):
                acc = 0
                for ic, ky, kx in np.ndindex(*codes.shape[1:]):
                    s, p = weight(int(codes[oc, ic, ky, kx]), bits)
                    x = q.get(reads(oy, ox, oc, ic, ky, kx), 0)
                    x = max(x, 0) if relu else x
                    if s and guard is None:
                        acc += s * (x << (p - p0))
                    elif s:
                        acc += s * ((x << guard) >> -p)
                if isinstance(node, Linear):
                    out[oy, ox, oc] = acc + params.bias[oc]
                else:
                    out[oy, ox, oc] = slow_requantise(network, node, oc, acc, f_acc)
    return out


def slow_requantise(network, node, channel, acc, f_acc):
    params, target = network.params[node.name], network.formats[node.name]
    pairs = list(
        zip(params.scale_sign.ravel().tolist(), params.scale_exp.ravel().tolist(), strict=True)
    )
    e_min = min((e for s, e in pairs if s), default=0)
    k = params.scale_sign.shape[1]
    u = sum(s * acc * 2 ** (e - e_min) for s, e in pairs[channel * k : channel * k + k] if s)
    r = f_acc - e_min - target.frac
    rounding = network.arithmetic.rounding
    return clamp(divide(u + params.bias[channel], r, rounding), target)


def window(node, in_shape, oy, ox):
    """Real pixels of a pool's window."""
    for ky, kx in np.ndindex(*node.kernel):
        y = oy * node.stride[0] - node.padding[0] + ky
        x = ox * node.stride[1] - node.padding[1] + kx
        if 0 <= y < in_shape[0] and 0 <= x < in_shape[1]:
            yield y, x


def mean(values, source):
    n, t = len(values), source.width + 8 + math.ceil(math.log2(len(values)))
    multiplier = math.floor(Fraction(2**t, n) + Fraction(1, 2))
    return clamp((sum(values) * multiplier + 2 ** (t - 1)) >> t, source)


def slow_node(network, node, qs):
    graph, rounding = network.graph, network.arithmetic.rounding
    shapes = graph.in_shapes(node)
    sources = [network.formats[name] for name in node.inputs]
    places = [index for index in np.ndindex(*node.shape)]
    match node:
        case Conv() | FactorizedReduce() | Linear():
            return slow_weighted(network, node, qs[0], sources[0])
        case MaxPool():
            return {
                (y, x, c): max(qs[0][v, u, c] for v, u in window(node, shapes[0], y, x))
                for y, x, c in places
            }
        case AvgPool():
            return {
                (y, x, c): mean(
                    [qs[0][v, u, c] for v, u in window(node, shapes[0], y, x)], sources[0]
                )
                for y, x, c in places
            }
        case GlobalPool():
            pixels = list(np.ndindex(*shapes[0][:2]))
            return {
                (0, 0, c): mean([qs[0][y, x, c] for y, x in pixels], sources[0])
                for c in range(node.shape[2])
            }
        case Add():
            target, frac = network.formats[node.name], max(s.frac for s in sources)
            return {
                i: clamp(
                    divide(
                        sum(q[i] * 2 ** (frac - s.frac) for q, s in zip(qs, sources, strict=True)),
                        frac - target.frac,
                        rounding,
                    ),
                    target,
                )
                for i in places
            }
        case Concat():
            target, out, offset = network.formats[node.name], {}, 0
            for q, s, shape in zip(qs, sources, shapes, strict=True):
                for y, x, c in np.ndindex(*shape):
                    out[y, x, offset + c] = clamp(
                        divide(q[y, x, c], s.frac - target.frac, rounding), target
                    )
                offset += shape[2]
            return out
    raise AssertionError(node)


def slow_run(network, image):
    tensors = {network.graph.input.name: {i: int(image[i]) for i in np.ndindex(*image.shape)}}
    for node in network.graph.nodes[1:]:
        tensors[node.name] = slow_node(network, node, [tensors[name] for name in node.inputs])
    return tensors


# --- networks to compare on -------------------------------------------------------------------


def random_codes(rng, shape, bits):
    codes = rng.integers(0, 1 << bits, shape).astype(np.uint8)
    codes[codes == 1 << (bits - 1)] = 0
    return codes


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
    for number, image in enumerate(images):
        for name, expected in slow_run(network, image).items():
            values = found[name][number]
            assert values.shape == network.graph[name].shape
            assert values.dtype in (np.int64, object)
            for index in np.ndindex(*values.shape):
                assert values[index] == expected[index], (name, number, index)
    return found


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_equals_the_slow_implementation(operation, arithmetic):
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
