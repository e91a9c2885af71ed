"""Convolutions where a batch's images come together, done once for all of them.

Such a convolution reads planes of one image and writes among those of the others. Done in the
prefix it is done for each image. Instead the pixels that its taps see are copied there for each
image, to where the image lies in the batch, and the suffix does the convolution for all at once.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from hw.ir.arithmetic import scale_multipliers
from hw.ir.graph import Conv, FactorizedReduce, Graph, Node, Select
from hw.ir.network import Network
from hw.ir.weights import decode
from hw.overlay import isa
from hw.overlay.compiler.builder import Builder
from hw.overlay.compiler.emitter import View
from hw.overlay.compiler.halo import copy
from hw.overlay.compiler.levels import digits
from hw.overlay.compiler.placement import Gather, Placement, strides, words
from hw.overlay.compiler.planes import MemoryFull
from hw.overlay.compiler.reach import Reach, words_of

GROUP = 3.5
"""Cycles of an output channel beside its weights, about."""


def view_of(placement: Placement, node: Conv | FactorizedReduce) -> View:
    """How a convolution would read its input, without the registers' details."""
    padding = node.padding if isinstance(node, Conv) else (0, 0)
    return View(
        pitch_in=placement.pitches[node.inputs[0]],
        pitch_out=placement.pitches[node.name],
        size=node.shape[:2],
        stride=strides(node),
        dilation=node.dilation if isinstance(node, Conv) else (1, 1),
        offset=(-padding[0], -padding[1]),
    )


def _reaches(placement: Placement, node: Node) -> tuple[Reach, Reach]:
    assert isinstance(node, Conv | FactorizedReduce)
    view = view_of(placement, node)
    # The second half of a reduction reads a pixel farther, as a second tap would.
    kernel = node.kernel if isinstance(node, Conv) else (2, 2)
    return Reach.of(view, 0, kernel[0]), Reach.of(view, 1, kernel[1])


def gathers(
    network: Network, placement: Placement, inputs: Mapping[str, Sequence[str]]
) -> tuple[Gather, ...]:
    """What is better copied; `inputs`: tensors that each node reads."""
    graph = network.graph
    readers: dict[str, list[Node]] = {}
    for node in graph:
        if isinstance(node, Conv | FactorizedReduce) and _crosses(placement, node):
            (source,) = inputs[node.name]
            if not _is_image(graph, source):
                readers.setdefault(source, []).append(node)
    found = []
    for source, nodes in readers.items():
        ways = _ways(network, placement, source, nodes)
        saved, way = max(ways, key=lambda way: way[0], default=(0, None))
        if way is not None and saved > 0:
            found.append(way)
    return tuple(found)


def _is_image(graph: Graph, name: str) -> bool:
    """Whether it lies where images arrive: the image, or some of its channels by another name."""
    node = graph[name]
    while isinstance(node, Select):
        node = graph[node.inputs[0]]
    return not node.inputs


def _crosses(placement: Placement, node: Node) -> bool:
    """Whether a node's input is one image's and its output the batch's."""
    pitch = placement.pitches[node.inputs[0]]
    return placement.shared(node.name) and all(
        pitch[axis] >= 0 for axis in (0, 1) if placement.batch[axis] > 1
    )


def _ways(
    network: Network, placement: Placement, source: str, nodes: Sequence[Node]
) -> Iterator[tuple[float, Gather]]:
    """Copies for all of these readers or for one, with the cycles of a frame that each saves."""
    images = placement.batch[0] * placement.batch[1]
    planes = network.graph[source].shape[2]
    for chosen in (nodes, *([node] for node in nodes if len(nodes) > 1)):
        rows, columns = _reaches(placement, chosen[0])
        for other in chosen[1:]:
            more = _reaches(placement, other)
            rows, columns = rows | more[0], columns | more[1]
        if max(rows.pitch, columns.pitch) > isa.MOST_TAP_BITS:
            continue
        way = Gather(source, tuple(node.name for node in chosen), (rows.used, columns.used))
        saved = 0.0
        for node in chosen:
            weights = _weights(network, node)
            near = _copying(placement, source, _reaches(placement, node), home=True) * planes
            far = weights * _travel(placement, source, _reaches(placement, node))
            beside = GROUP * node.shape[2]
            passes = _passes(placement, node)
            now = passes * (weights + beside) + min(near, passes * far) + GROUP * node.shape[2]
            saved += now - passes * (weights + beside) / images
        yield saved - planes * _copying(placement, source, (rows, columns), home=False), way


def _passes(placement: Placement, node: Node) -> int:
    return words(placement.pitches[node.name])


def _weights(network: Network, node: Node) -> int:
    """Words that read, of all channels in one pass."""
    params = network.params[node.name]
    sign, _ = decode(params.codes, network.arithmetic.weight_bits)
    _, _, multipliers = scale_multipliers(params.scale_sign, params.scale_exp)
    terms = np.array([len(digits(multiplier)) for multiplier in multipliers])
    return int(((sign != 0).sum((1, 2, 3)) * terms).sum())


def _lanes(placement: Placement, source: str, reaches: Sequence[Reach]) -> list[np.ndarray]:
    """How many lanes away each row and each column lies, of the first image."""
    return [
        np.array(reach.used) >> p if p >= 0 else np.array(reach.used) << -p
        for reach, p in zip(reaches, placement.pitches[source], strict=True)
    ]


def _travel(placement: Placement, source: str, reaches: Sequence[Reach]) -> float:
    """Lanes that a weight's pixel travels, on average."""
    return sum(float(np.abs(lanes).mean()) for lanes in _lanes(placement, source, reaches))


def _copying(placement: Placement, source: str, reaches: Sequence[Reach], *, home: bool) -> float:
    """Cycles of copying a plane; home: not to the image's place."""
    rows, columns = (
        np.mean(
            [np.abs(lanes - place) for place in range(1 if home else placement.batch[axis])], axis=0
        )
        for axis, lanes in enumerate(_lanes(placement, source, reaches))
    )
    return float((2 + rows[:, None] + columns).sum())


def reserve(builder: Builder, gather: Gather) -> None:
    """Room for the copies of a whole batch."""
    planes = builder.network.graph[gather.source].shape[2]
    rows, columns = map(Reach, gather.used)
    size, used = 1 << rows.pitch + columns.pitch, words_of((rows, columns))
    found = builder.memory.take_sparse(planes, size, used)
    if found is None:
        raise MemoryFull(
            f"{gather.source}: {planes} copies of {len(used)} words do not fit the data memory"
        )
    for _ in gather.nodes[1:]:
        builder.memory.hold(found)
    builder.gathered |= {name: (gather, found) for name in gather.nodes}


def collect(builder: Builder, gather: Gather) -> None:
    """Copy the image's pixels to its place."""
    placement, hardware = builder.placement, builder.hardware
    tensor, (_, targets) = builder.tensors[gather.source], builder.gathered[gather.nodes[0]]
    node = builder.network.graph[gather.nodes[0]]
    out = placement.pitches[node.name]
    pitch = tuple(min(p, 0) for p in out)
    cut = tuple(p < 0 and images > 1 for p, images in zip(out, placement.batch, strict=True))
    sides = hardware.rows, hardware.columns
    rows, columns = map(Reach, gather.used)
    builder.emitter.configure(
        View(
            pitch_in=tensor.pitch,
            pitch_out=(pitch[0], pitch[1]),
            size=(sides[0] >> -pitch[0], sides[1] >> -pitch[1]),
            offset=(rows.low, columns.low),
            cut=(cut[0], cut[1]),
            tap_bits=max(rows.pitch, columns.pitch),
        )
    )
    for source, target in zip(tensor.planes, targets, strict=True):
        copy(builder, source, target, (rows, columns))
