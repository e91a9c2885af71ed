"""What a network and its plan are made of: operations, formats, weights, elements."""

import re
from collections import Counter
from collections.abc import Iterator

import numpy as np

from hw.dataflow.design.design import Design
from hw.dataflow.design.geometry import Geometry, store_of
from hw.dataflow.fabric import LUT_RAM_DEPTH
from hw.dataflow.plan import ElementKind
from hw.errors import InputError
from hw.ir.arithmetic import requantisation
from hw.ir.graph import Add, Concat, Conv, FactorizedReduce, Linear, Node
from hw.ir.network import Network
from hw.ir.parameters import Rounding
from hw.ir.weights import decode
from sim.coverage import nodes
from sim.coverage.points import groups
from sim.coverage.store import Coverage

_EDGE = re.compile(r"(?P<edge>cell\d+/edge\d+_(?P<operation>\w+))/")
_ROUNDINGS = {Rounding.HALF_UP: "round half up", Rounding.FLOOR: "round down"}
_STATE = re.compile(r"cell\d+/node\d+")


def require_known(network: Network) -> None:
    """InputError, naming the operation, unless the coverage model has those of the network's cells:
    ask before long work.
    """
    known = groups()["operation"]
    for name in operations(network):
        if name not in known:
            raise InputError(
                f"coverage: no bin {name!r} in group operation: no operation of the search space; "
                "register it by --plugin, or leave --coverage out"
            )


def measure(coverage: Coverage, network: Network, design: Design) -> None:
    """Add what is seen in the network and its design to `coverage`."""
    for name in operations(network):
        coverage.hit("operation", name)
    for name in structure(network):
        coverage.hit("structure", name)
    nodes.measure(coverage, network)
    _image(coverage, network)
    _arithmetic(coverage, network)
    _weights(coverage, network)
    _requantisation(coverage, network)
    _plan(coverage, design)


def operations(network: Network) -> Iterator[str]:
    """Operation and stride of each edge; a skip at stride 1 has no node of its own."""
    seen = set()
    for node in network.graph.nodes[1:]:
        match = _EDGE.match(node.name)
        if match is None or match["edge"] in seen:
            continue
        seen.add(match["edge"])
        below = [other for other in network.graph if other.name.startswith(f"{match['edge']}/")]
        stride = max(max(Geometry.of(network.graph, engine).stride) for engine in below)
        yield f"{match['operation']} stride {stride}"
    for node in network.graph:
        if _STATE.fullmatch(node.name):
            for source in node.inputs:
                if not _EDGE.match(source):
                    yield "skip_connect stride 1"


def structure(network: Network) -> Iterator[str]:
    """Stems, preprocessing, cells and joins."""
    graph = network.graph
    names = [node.name for node in graph]
    if not any(_STATE.fullmatch(name) for name in names):
        yield "no cells"
        return
    if "stem/conv" in names:
        yield "stem cifar"
    if "stem1/conv" in names:
        yield "stem imagenet"
    for node in graph:
        if "/preprocess" in node.name:
            reduced = isinstance(node, FactorizedReduce)
            yield "preprocess FactorizedReduce" if reduced else "preprocess 1x1"
        elif isinstance(node, Add):
            if len(set(node.inputs)) < len(node.inputs):
                yield "one state read twice by an addition"
            if any(not _EDGE.match(source) for source in node.inputs):
                yield "identity into an addition"
        elif isinstance(node, Concat):
            cell = node.name.partition("/")[0]
            states = [name for name in names if _STATE.fullmatch(name)]
            yield from _cell(node, [name for name in states if name.startswith(f"{cell}/")])


def _cell(concat: Node, states: list[str]) -> Iterator[str]:
    if len(states) in (4, 5):
        yield f"cell of {len(states)} nodes"
    some = any(state not in concat.inputs for state in states)
    yield "concatenation of some states" if some else "concatenation of all states"


def _image(coverage: Coverage, network: Network) -> None:
    height, width, channels = network.graph.input.shape
    found = [f"{channels} channels", "square" if height == width else "rectangular"]
    found += ["odd height"] * (height % 2) + ["odd width"] * (width % 2)
    found += ["even height and width"] * (height % 2 == width % 2 == 0)
    found += ["a side of 1 to 3"] * (min(height, width) <= 3)
    for name in found:
        if name in coverage.hits["image"]:
            coverage.hit("image", name)
    classes = network.graph.output.shape[2]
    bounds = {2: "1 or 2", 9: "3 to 9", 10: "10"}
    coverage.hit("classes", next((b for n, b in bounds.items() if classes <= n), "more than 10"))


def _arithmetic(coverage: Coverage, network: Network) -> None:
    arithmetic = network.arithmetic
    for width in {network.formats[n.name].width for n in network.graph.nodes[1:-1]}:
        name = str(width)
        if name in coverage.hits["activation bits"]:
            coverage.hit("activation bits", name)
    guard = "exact products"
    if arithmetic.guard is not None:
        bounds = {0: "guard bits 0", 4: "guard bits 1 to 4"}
        found = (name for most, name in bounds.items() if arithmetic.guard <= most)
        guard = next(found, "guard bits 5 or more")
    for name in (
        f"weights of {arithmetic.weight_bits} bits",
        guard,
        _ROUNDINGS[arithmetic.rounding],
        f"up to {arithmetic.scale_terms} scale terms",
    ):
        coverage.hit("arithmetic", name)


def _weights(coverage: Coverage, network: Network) -> None:
    bins: Counter[str] = Counter()
    for params in network.params.values():
        sign, power = decode(params.codes, network.arithmetic.weight_bits)
        bins["zero"] += int((sign == 0).sum())
        for p in np.unique(power[sign != 0]).tolist():
            for name, value in (("+", 1), ("-", -1)):
                bins[f"{name}2^{p}"] += int(((sign == value) & (power == p)).sum())
        used = (sign != 0).reshape(len(sign), -1).sum(axis=1)
        bins["channel without weights"] += int((used == 0).sum())
        bins["channel of one weight"] += int((used == 1).sum())
    for name, times in bins.items():
        coverage.hit("weight", name, times)


def _requantisation(coverage: Coverage, network: Network) -> None:
    for node in network.graph:
        if not isinstance(node, Conv | FactorizedReduce):
            continue
        params = network.params[node.name]
        for terms in (params.scale_sign != 0).sum(axis=1).tolist():
            coverage.hit("requantise", f"channel of {terms} terms" if terms else "dead channel")
        coverage.hit("requantise", "negative scale", int((params.scale_sign[:, :1] < 0).sum()))
        shift = requantisation(network, node.name).shift
        name = "right shift" if shift > 0 else "left shift" if shift < 0 else "no shift"
        coverage.hit("requantise", name)


def _plan(coverage: Coverage, design: Design) -> None:
    for name, layer in design.plan.layers.items():
        node = design.graph[name]
        if isinstance(node, Conv | FactorizedReduce | Linear):
            barrel = layer.element == ElementKind.BARREL
            lanes = (", 1 lane" if layer.pe == 1 else ", several lanes") if barrel else ""
            coverage.hit("plan", layer.element + lanes)
            place = {"logic": "program in logic", "block": "program in block RAM"}
            if layer.weights in place:
                coverage.hit("plan", place[layer.weights])
        least = store_of(design.engines[name].geometry.span)
        coverage.hit("plan", "store larger" if layer.store > least else "store as small as can be")
    for depths in design.fifos.values():
        for depth in depths:
            place = "LUT-RAM" if depth <= LUT_RAM_DEPTH else "block RAM"
            coverage.hit("plan", f"FIFO in {place}")
