"""Small layers with random parameters, for tests of the RTL against the reference."""

import numpy as np

from hw.dataflow.design.design import design
from hw.dataflow.design.geometry import Geometry, store_of
from hw.dataflow.layers.component import component
from hw.dataflow.loading.addresses import address_map
from hw.dataflow.plan import LayerPlan, Plan
from hw.ir import graph as g
from hw.ir.arithmetic import in_formats
from hw.ir.format import Format
from hw.ir.network import Network
from hw.ir.parameters import Arithmetic, LayerParams
from hw.ir.reference import operation
from hw.ir.weights import P_MIN, encode

EXACT = Arithmetic()


def weight_shape(node: g.Node, channels: int) -> tuple[int, ...]:
    if isinstance(node, g.Conv):
        return (node.shape[2], channels // node.groups, *node.kernel)
    return (node.shape[2], channels) + ((1, 1) if isinstance(node, g.FactorizedReduce) else ())


def layer_network(
    node: g.Node,
    in_shapes: list[g.Shape],
    *,
    seed: int,
    sources: list[Format] | None = None,
    fmt: Format,
    arithmetic: Arithmetic = EXACT,
    p_min: int | None = None,
    zeros: float = 0.3,
) -> Network:
    """A graph of inputs and one node, with random weights, scales and biases."""
    rng = np.random.default_rng(seed)
    sources = sources or [Format(True, 8, 5)] * len(in_shapes)
    inputs = tuple(
        g.Input(name=name, inputs=(), shape=shape)
        for name, shape in zip(dict.fromkeys(node.inputs), in_shapes, strict=True)
    )
    formats = {n.name: f for n, f in zip(inputs, sources, strict=True)} | {node.name: fmt}
    params = {}
    if isinstance(node, g.Conv | g.FactorizedReduce | g.Linear):
        shape = weight_shape(node, in_shapes[0][2])
        sign = rng.choice([-1, 0, 1], shape, p=[(1 - zeros) / 2, zeros, (1 - zeros) / 2])
        power = rng.integers(p_min or P_MIN[arithmetic.weight_bits], 1, shape)
        channels, K = node.shape[2], arithmetic.scale_terms
        codes = encode(sign, power, arithmetic.weight_bits)
        if isinstance(node, g.Linear):
            none = np.zeros((channels, 0), np.int8)
            bias = tuple(rng.integers(-5000, 5000, channels).tolist())
            params[node.name] = LayerParams(codes, none, none.astype(np.int16), bias)
            del formats[node.name]
        elif isinstance(node, g.Conv) and not node.batch_norm:
            one = np.zeros((channels, K), np.int8)
            one[:, 0] = 1
            params[node.name] = LayerParams(
                codes, one, np.zeros((channels, K), np.int16), (0,) * channels
            )
        else:
            exps = np.sort(rng.permuted(np.tile(np.arange(-8, 1), (channels, 1)), axis=1)[:, :K])[
                :, ::-1
            ]
            signs = rng.choice([-1, 1], (channels, K)).astype(np.int8)
            signs[rng.random((channels, K)) < 0.2] = 0
            exps = np.where(signs == 0, 0, exps).astype(np.int16)
            bias = tuple(int(b) << 8 for b in rng.integers(-4000, 4000, channels))
            params[node.name] = LayerParams(codes, signs, exps, bias)
    return Network(g.Graph((*inputs, node)), formats, params, arithmetic)


def random_frames(network: Network, name: str, frames: int, seed: int) -> list[np.ndarray]:
    """Full-range codes for each input of node `name`, corners included: (frames, H, W, C)."""
    rng = np.random.default_rng(seed)
    arrays = []
    for source, fmt in zip(network.graph[name].inputs, in_formats(network, name), strict=True):
        shape = (frames, *network.graph[source].shape)
        codes = rng.integers(fmt.qmin, fmt.qmax, shape, endpoint=True)
        corner = rng.random(shape)
        codes = np.where(corner < 0.1, fmt.qmin, np.where(corner > 0.9, fmt.qmax, codes))
        arrays.append(codes)
    return arrays


def expected(network: Network, name: str, arrays: list[np.ndarray]) -> list[int]:
    """What the reference says the node's output stream is."""
    return [int(q) for q in np.asarray(operation(network, name)(arrays)).reshape(-1)]


def saturating(network: Network, name: str, arrays: list[np.ndarray], width: int) -> Network:
    """The same layer in the output format, `width` bits wide, that saturates on some but not most
    of its outputs."""
    for frac in range(24, -24, -1):
        fmt = Format(True, width, frac)
        trial = Network(
            network.graph, {**network.formats, name: fmt}, network.params, network.arithmetic
        )
        q = np.asarray(expected(trial, name, arrays))
        if np.mean((q == fmt.qmin) | (q == fmt.qmax)) < 0.4:
            return trial
    raise ValueError("no format keeps the outputs in range")


def layer_plan(
    network: Network, name: str, element: str = "barrel", pe: int = 1, slack: int = 1
) -> Plan:
    """A plan for the one layer; `slack` is a factor on the least store, which only just avoids
    deadlock."""
    node = network.graph[name]
    layers, fifos = {}, {}
    if isinstance(node, g.Add | g.Concat):
        fifos[name] = tuple(4 + 40 * k for k in range(len(node.inputs)))
    elif not isinstance(node, g.GlobalPool):
        store = slack * store_of(Geometry.of(network.graph, node).span)
        pool = isinstance(node, g.MaxPool | g.AvgPool)
        layers[name] = LayerPlan("pool" if pool else element, pe, store, "logic")
    return Plan("0" * 64, "ulx3s-85f", 50.0, layers, fifos)


def layer(network: Network, plan: Plan, name: str = "x"):
    """The component of a node."""
    made = design(network, plan)
    return component(made.layers[name], address_map(made))


S8 = Format(True, 8, 5)


def conv(shape, out, **fields) -> tuple[g.Node, list[g.Shape]]:
    return g.Conv(name="x", inputs=("a",), shape=out, **fields), [shape]


LAYERS = {
    "pointwise": conv((4, 5, 6), (4, 5, 4), relu_in=True),
    "stem": conv((5, 4, 1), (5, 4, 6), kernel=(3, 3), padding=(1, 1)),
    "dense_stride2_odd": conv((5, 7, 2), (3, 4, 2), kernel=(3, 3), padding=(1, 1), stride=(2, 2)),
    "depthwise3": conv(
        (5, 6, 3),
        (5, 6, 3),
        kernel=(3, 3),
        padding=(1, 1),
        groups=3,
        relu_in=True,
        batch_norm=False,
    ),
    "depthwise5_stride2": conv(
        (6, 6, 2),
        (3, 3, 2),
        kernel=(5, 5),
        padding=(2, 2),
        stride=(2, 2),
        groups=2,
        relu_in=True,
        batch_norm=False,
    ),
    "dilated5": conv(
        (6, 7, 2),
        (6, 7, 2),
        kernel=(5, 5),
        padding=(4, 4),
        dilation=(2, 2),
        groups=2,
        relu_in=True,
        batch_norm=False,
    ),
    "dilated3_stride2_tiny": conv(
        (3, 3, 2),
        (2, 2, 2),
        kernel=(3, 3),
        padding=(2, 2),
        dilation=(2, 2),
        stride=(2, 2),
        groups=2,
    ),
    "conv1x7": conv(
        (4, 5, 2),
        (4, 3, 2),
        kernel=(1, 7),
        padding=(0, 3),
        stride=(1, 2),
        relu_in=True,
        batch_norm=False,
    ),
    "grouped": conv((3, 4, 4), (3, 4, 4), kernel=(3, 3), padding=(1, 1), groups=2),
    "reduce_even": (g.FactorizedReduce(name="x", inputs=("a",), shape=(2, 3, 5)), [(4, 6, 4)]),
    "reduce_odd": (g.FactorizedReduce(name="x", inputs=("a",), shape=(3, 2, 4)), [(5, 3, 3)]),
    "linear": (g.Linear(name="x", inputs=("a",), shape=(1, 1, 6)), [(1, 1, 9)]),
    "max": (g.MaxPool(name="x", inputs=("a",), shape=(5, 4, 3)), [(5, 4, 3)]),
    "max_stride2": (
        g.MaxPool(name="x", inputs=("a",), shape=(3, 2, 3), stride=(2, 2)),
        [(5, 4, 3)],
    ),
    "avg": (g.AvgPool(name="x", inputs=("a",), shape=(4, 5, 2)), [(4, 5, 2)]),
    "avg_stride2": (
        g.AvgPool(name="x", inputs=("a",), shape=(3, 2, 2), stride=(2, 2)),
        [(6, 3, 2)],
    ),
    "global": (g.GlobalPool(name="x", inputs=("a",), shape=(1, 1, 5)), [(3, 7, 5)]),
    "add": (g.Add(name="x", inputs=("a", "b"), shape=(3, 2, 4)), [(3, 2, 4), (3, 2, 4)]),
    "concat": (
        g.Concat(name="x", inputs=("a", "b", "c"), shape=(3, 2, 7)),
        [(3, 2, 2), (3, 2, 4), (3, 2, 1)],
    ),
}
DENSE = {"pointwise", "stem", "dense_stride2_odd", "reduce_even", "linear"}
