"""Any operation and any small network: every width, every guard, every number of scale terms.

Hypothesis draws what shapes a case (so that it can make it smaller), a seed the many numbers.
"""

import random
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from hw.ir.arithmetic import accumulation
from hw.ir.clip import Clip, clipped_format
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
    Rounded,
    Select,
    Shape,
    Weighted,
)
from hw.ir.network import Network
from hw.ir.parameters import Arithmetic, LayerParams, Rounding
from hw.ir.validate import expected_shape, validate, weight_shape
from hw.ir.weights import P_MIN

KINDS = (Conv, FactorizedReduce, Linear, MaxPool, AvgPool, GlobalPool, Select, Add, Concat)
KEEP_FORMAT = (MaxPool, AvgPool, GlobalPool, Select)

sides = st.integers(1, 7)
channels = st.integers(1, 5)


@dataclass(frozen=True)
class One:
    """The operation "x" of a network, and codes (N, H, W, C) of each of its inputs."""

    network: Network
    sources: tuple[np.ndarray, ...]


@st.composite
def formats(draw: Any) -> Format:
    """2 to 32 bits, wide ones more often than not; fractional bits to both sides of them."""
    width = draw(st.one_of(st.integers(2, 32), st.sampled_from((24, 31, 32))))
    frac = draw(st.one_of(st.integers(-8, 40), st.sampled_from((-30, 0, 25, 60))))
    return Format(draw(st.integers(0, 4)) > 0, width, frac)


@st.composite
def clipped_formats(draw: Any) -> Format:
    """Formats as above, and those of tensors that are clipped."""
    drawn = draw(formats())
    clip = draw(st.sampled_from((None, *Clip)))
    if clip is None:
        return drawn
    # Few fractional bits are enough for six.
    return clipped_format(clip, drawn.width, draw(st.integers(-3, drawn.width + 2)))


def arithmetics() -> st.SearchStrategy[Arithmetic]:
    return st.builds(
        Arithmetic,
        weight_bits=st.sampled_from((5, 6)),
        guard=st.one_of(st.none(), st.integers(0, 32), st.integers(28, 32)),
        rounding=st.sampled_from(tuple(Rounding)),
        scale_terms=st.integers(1, 4),
    )


@st.composite
def nodes(draw: Any, kind: type[Node], name: str, inputs: tuple[str, ...], shapes: Any) -> Node:
    """A node of the kind that reads tensors of these shapes (which suit it)."""
    fields: dict[str, Any] = {"name": name, "inputs": inputs, "shape": shapes[0]}
    if kind is Conv:
        fields |= _windows(draw, shapes[0], dilations=True) | {
            "relu_in": draw(st.booleans()),
            "batch_norm": draw(st.integers(0, 3)) > 0,
        }
        fields["bias"] = not fields["batch_norm"] and draw(st.booleans())
        depth = shapes[0][2]
        fields["groups"] = draw(st.sampled_from([g for g in range(1, depth + 1) if not depth % g]))
    elif kind in (MaxPool, AvgPool):
        fields |= _windows(draw, shapes[0], dilations=False)
    elif kind is Select:
        one = st.integers(0, shapes[0][2] - 1)
        fields["channels"] = tuple(draw(st.lists(one, min_size=1, max_size=6)))
    elif kind is FactorizedReduce:
        fields["relu_in"] = draw(st.booleans())
    if issubclass(kind, Rounded):
        fields["clip"] = draw(st.sampled_from((None, None, *Clip)))
    out = fields.get("groups", 1) * draw(channels)
    trial = kind(**fields | {"shape": (*shapes[0][:2], out)})
    shape = expected_shape(trial, shapes)
    assert shape is not None
    return kind(**fields | {"shape": shape})


def _windows(draw: Any, shape: Shape, *, dilations: bool) -> dict[str, Any]:
    kernel, stride, padding, end, dilation = [], [], [], [], []
    for side in shape[:2]:
        dilation.append(draw(st.integers(1, 2)) if dilations else 1)
        most = 5 if dilations else 3
        kernel.append(draw(st.integers(1, most)))
        reach = dilation[-1] * (kernel[-1] - 1) + 1
        least = max(0, -(-(reach - side) // 2))
        limit = kernel[-1] // 2 if not dilations else reach
        if least > limit:  # a pool's window larger than its map
            kernel[-1], least, limit = 1, 0, 0
        padding.append(draw(st.integers(least, limit)))
        end.append(draw(st.integers(least, limit)))
        stride.append(draw(st.integers(1, 3)))
    found = {"kernel": tuple(kernel), "stride": tuple(stride), "padding": tuple(padding)}
    if draw(st.integers(0, 2)) == 0:
        found["padding_end"] = tuple(end)
    return found | ({"dilation": tuple(dilation)} if dilations else {})


@st.composite
def one_operation(draw: Any, kind: type[Node]) -> One:
    """One operation on inputs of any formats, which no network need have made."""
    shape = (1, 1) if kind is Linear else (draw(sides), draw(sides))
    count = draw(st.integers(2, 3)) if kind is Add else 1
    count = draw(st.integers(1, 3)) if kind is Concat else count
    depth = draw(channels)
    shapes = [(*shape, draw(channels) if kind is Concat else depth) for _ in range(count)]
    names = tuple(f"i{k}" for k in range(count))
    inputs = [Input(name=n, inputs=(), shape=s) for n, s in zip(names, shapes, strict=True)]
    node = draw(nodes(kind, "x", names, shapes))
    known = {name: draw(clipped_formats()) for name in names}
    rng = random.Random(draw(st.integers(0, 2**32)))
    network = Network(Graph((*inputs, node)), known, {}, draw(arithmetics()))
    _finish(draw, network, node, rng)
    sources = tuple(
        codes(rng, (2, *source.shape), network.formats[source.name]) for source in inputs
    )
    return One(network, sources)


@st.composite
def networks(draw: Any) -> tuple[Network, np.ndarray]:
    """A valid network of some nodes of any kinds and formats, and two images."""
    image = (draw(sides), draw(sides), draw(st.integers(1, 3)))
    found: list[Node] = [Input(name="input", inputs=(), shape=image)]
    network = Network(Graph(), {"input": IMAGE_FORMAT}, {}, draw(arithmetics()))
    rng = random.Random(draw(st.integers(0, 2**32)))
    for number in range(draw(st.integers(2, 6))):
        kind = draw(st.sampled_from([k for k in KINDS if k not in (Linear, GlobalPool)]))
        first = found[-1] if draw(st.booleans()) else draw(st.sampled_from(found))
        inputs = [first]
        if kind in (Add, Concat):
            alike = 3 if kind is Add else 2
            others = [n for n in found if n.shape[:alike] == first.shape[:alike]]
            inputs += [draw(st.sampled_from(others)) for _ in range(draw(st.integers(1, 2)))]
        names, shapes = tuple(n.name for n in inputs), [n.shape for n in inputs]
        found.append(draw(nodes(kind, f"n{number}", names, shapes)))
    for kind, name in ((GlobalPool, "pool"), (Linear, "classifier")):
        found.append(draw(nodes(kind, name, (found[-1].name,), [found[-1].shape])))
    network = replace(network, graph=Graph(tuple(found)).pruned())
    for node in network.graph.nodes[1:]:
        _finish(draw, network, node, rng)
    validate(network)
    return network, codes(rng, (2, *image), IMAGE_FORMAT).astype(np.uint8)


def _finish(draw: Any, network: Network, node: Node, rng: random.Random) -> None:
    """Parameters and format of a node whose inputs have theirs."""
    if isinstance(node, KEEP_FORMAT):
        network.formats[node.name] = network.formats[node.inputs[0]]
    elif isinstance(node, Rounded):
        drawn = draw(formats())
        if node.clip is not None:
            frac = draw(st.one_of(st.just(drawn.frac), st.integers(-3, drawn.width + 2)))
            drawn = clipped_format(node.clip, drawn.width, max(-3, frac))
        network.formats[node.name] = drawn
    if isinstance(node, Weighted):
        spread = draw(st.sampled_from((2, 5, 15, 30)))
        network.params[node.name] = _params(rng, network, node, spread)


def codes(rng: random.Random, shape: tuple[int, ...], target: Format) -> np.ndarray:
    """Codes of a format, int64: its ends as often as anything between them."""
    ends = (target.qmin, target.qmax, 0)
    values = [
        rng.choice(ends) if rng.random() < 0.4 else rng.randint(target.qmin, target.qmax)
        for _ in range(int(np.prod(shape)))
    ]
    return np.array(values, np.int64).reshape(shape)


def _params(rng: random.Random, network: Network, node: Node, spread: int) -> LayerParams:
    """Weights, scales whose terms lie up to `spread` bits apart, biases as large as the sums."""
    bits, terms = network.arithmetic.weight_bits, network.arithmetic.scale_terms
    shape = weight_shape(network, node)
    zeros = rng.choice((0.0, 0.2, 0.2, 0.9, 1.0))
    drawn = [
        0 if rng.random() < zeros else rng.choice((0, 1)) << (bits - 1) | rng.randint(1, most)
        for most in [min(1 - P_MIN[bits], rng.choice((4, 31)))]
        for _ in range(int(np.prod(shape)))
    ]
    weights = np.array(drawn, np.uint8).reshape(shape)
    count = shape[0]
    none = np.zeros((count, 0), np.int8), np.zeros((count, 0), np.int16)
    network.params[node.name] = LayerParams(weights, *none, (0,) * count)
    acc = accumulation(network, node.name)
    size = max(1, *acc.high, *(-low for low in acc.low))
    if isinstance(node, Linear):
        return LayerParams(weights, *none, tuple(rng.randint(-size, size) for _ in range(count)))
    if isinstance(node, Conv) and not node.batch_norm:
        one = np.ones((count, 1))
        bias = tuple(rng.randint(-size, size) if node.bias else 0 for _ in range(count))
        return LayerParams(weights, one.astype(np.int8), 0 * one.astype(np.int16), bias)
    target = network.formats[node.name]
    top = acc.frac - target.frac + target.width - size.bit_length() + rng.randint(-3, 3)
    top += rng.choice((0, 0, 0, 0, -20, 20, 40))
    signs, exps, bias = np.zeros((count, terms), np.int8), np.zeros((count, terms), np.int16), []
    for c in range(count):
        at = top
        for k in range(rng.choice((0, *range(1, terms + 1), terms, terms))):
            signs[c, k], exps[c, k] = rng.choice((-1, 1)), at
            at -= rng.randint(1, spread)
    e_min = int(exps[signs != 0].min()) if signs.any() else 0
    for _ in range(count):
        most = size << max(0, top - e_min)
        bias.append(rng.choice((0, rng.randint(-most, most), rng.randint(-most // 9, most // 9))))
    return LayerParams(weights, signs, exps, tuple(bias))
