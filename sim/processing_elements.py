"""Processing elements on their own: the taps that a window would give them, and what they must make
of these.

The taps are written down from the layer's program and its input as the reference has it; the
results come from the reference's accumulators. The window's hardware has no part in either.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from amaranth import Shape
from amaranth.lib import data, wiring

from hw.dataflow.design.design import Design
from hw.dataflow.design.engine import EngineDesign, MaximumDesign, SumDesign
from hw.dataflow.design.envelope import smallest_power
from hw.dataflow.design.pools import GlobalPoolDesign
from hw.dataflow.layers.elements import processing_element
from hw.dataflow.layers.global_pool import ChannelSums
from hw.dataflow.layers.rounding import signed_of
from hw.dataflow.layers.window import tap_layout
from hw.ir import reference
from hw.ir.arithmetic import accumulation
from hw.ir.graph import Linear, Node
from hw.ir.integers import cast
from hw.ir.network import Network
from sim.harness import Stream

WORD = 63
"""Widest payload kept in NumPy's integers; wider ones are Python's."""


@dataclass(frozen=True)
class Element:
    """A processing element, its two streams, and their beats for given tensors of the network."""

    component: wiring.Component
    taps: Stream
    sums: Stream
    data: Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


def elements(network: Network, design: Design, names: Sequence[str]) -> dict[str, Element]:
    """The elements of the layers named: engines and global pools."""
    found = {}
    for name in names:
        node, layer = network.graph[name], design.layers[name]
        if isinstance(layer, GlobalPoolDesign):
            found[name] = _channel_sums(node, layer)
        else:
            assert isinstance(layer, EngineDesign), name
            found[name] = _element(network, node, layer)
    return found


def _element(network: Network, node: Node, engine: EngineDesign) -> Element:
    element = processing_element(engine.element, signed_of(engine.source))
    (source,) = node.inputs
    height, width, _ = node.shape
    layout = tap_layout(element.x, engine.program.operation_bits)
    steps, groups = len(engine.program), len(engine.program.groups)
    taps = Stream(f"{node.name} (taps)", "i", layout.size, False, (height, width, steps))
    sums = Stream(
        f"{node.name} (sums)", "o", Shape.cast(element.result).width, False, (height, width, groups)
    )

    def streams(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        x, real = taps_of(engine, tensors[source])
        return {
            taps.label: _packed_taps(engine, layout, x, real),
            sums.label: _results(network, node, engine, tensors, x, real),
        }

    return Element(element, taps, sums, streams)


def taps_of(engine: EngineDesign, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Activation of every tap, zero in the padding, and whether it is a real pixel.

    Both of shape (N, height, width, steps); `source` is the input's codes, NHWC.
    """
    g = engine.geometry
    q = np.maximum(source, 0) if engine.relu else source
    rows, columns = np.arange(g.out[0])[:, None], np.arange(g.out[1])[None, :]
    x = np.zeros((len(q), *g.out, len(engine.program)), q.dtype)
    real = np.zeros(x.shape, bool)
    for step, tap in enumerate(engine.program):
        y = rows * g.stride[0] + tap.ky * g.dilation[0] - g.padding[0]
        at = columns * g.stride[1] + tap.kx * g.dilation[1] - g.padding[1]
        inside = (y >= 0) & (y < g.shape[0]) & (at >= 0) & (at < g.shape[1])
        y, at = y.clip(0, g.shape[0] - 1), at.clip(0, g.shape[1] - 1)
        x[..., step] = np.where(inside, q[:, y, at, tap.channel], 0)
        real[..., step] = inside
    return x, real


def _packed_taps(
    engine: EngineDesign, layout: data.StructLayout, x: np.ndarray, real: np.ndarray
) -> np.ndarray:
    """Payloads of the tap stream, as the layout has its fields."""
    wide = _number(layout.size)
    offset = {name: field.offset for name, field in layout}
    return (
        (x.astype(wide) & (1 << engine.source.width) - 1) << offset["x"]
        | real.astype(wide) << offset["real"]
        | engine.program.last.astype(wide) << offset["last"]
        | engine.program.operations.astype(wide) << offset["operation"]
    )


def _results(
    network: Network,
    node: Node,
    engine: EngineDesign,
    tensors: Mapping[str, np.ndarray],
    x: np.ndarray,
    real: np.ndarray,
) -> np.ndarray:
    """Payloads of the result stream."""
    element = engine.element
    if isinstance(element, MaximumDesign):
        return tensors[node.name] & (1 << engine.source.width) - 1
    if isinstance(element, SumDesign):
        # The program goes through the whole window of one channel after the other.
        shape = (*x.shape[:3], node.shape[2], -1)
        counts = real.reshape(shape).sum(axis=-1)
        total = x.reshape(shape).sum(axis=-1)[..., None]
        return _packed_sums(total, element.width, np.searchsorted(element.counts, counts))
    acc = reference.accumulate(network, node.name)([tensors[node.inputs[0]]])
    if isinstance(node, Linear):
        acc = acc - np.array(network.params[node.name].bias, acc.dtype)
    elif engine.loadable:
        # A loadable layer's sums count in the smallest power of any code.
        finer = accumulation(network, node.name).p0 - smallest_power(network, node.name)
        acc = cast(acc, _number(element.width)) << finer
    return _packed_sums(acc.reshape(*acc.shape[:3], -1, engine.pe), element.width)


def _packed_sums(acc: np.ndarray, width: int, rows: np.ndarray | int = 0) -> np.ndarray:
    """Payloads of sums (…, group, lane): lane 0 lowest, the row of scales above the lanes."""
    lanes = acc.shape[-1]
    wide = _number(width * lanes + int(np.max(rows)).bit_length())
    acc = cast(acc, wide)
    packed = np.zeros(acc.shape[:-1], wide) + np.asarray(rows).astype(wide)
    for lane in reversed(range(lanes)):
        packed = packed << width | acc[..., lane] & (1 << width) - 1
    return packed


def _channel_sums(node: Node, pool: GlobalPoolDesign) -> Element:
    element = ChannelSums(pool.shape, signed_of(pool.out), pool.width)
    (source,) = node.inputs
    taps = Stream(f"{node.name} (taps)", "i", element.x.width, element.x.signed, pool.shape)
    sums = Stream(f"{node.name} (sums)", "o", element.width, True, node.shape)

    def streams(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        total = tensors[source].sum(axis=(1, 2), keepdims=True)
        return {taps.label: tensors[source], sums.label: total}

    return Element(element, taps, sums, streams)


def _number(bits: int) -> np.dtype:
    return np.dtype(np.int64 if bits <= WORD else object)
