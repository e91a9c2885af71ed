"""Cycles of the layers: when an engine's pixel is read and when its beats appear.

The figures follow from a layer's program of taps and its scales, which the generator uses too. Of a
loadable layer they are those of the network at hand; other weights take other times, never others'
results.
"""

import numpy as np

from hw.dataflow.design.loadable import loaded_scales, smallest_power
from hw.dataflow.design.program import geometry
from hw.dataflow.flow.contract import ENGINES, Pipeline
from hw.dataflow.flow.schedule import Timing
from hw.dataflow.layers.engine import average_scales, channel_scales, pixel_counts
from hw.dataflow.layers.requantise import Scale, digit_count, is_unit
from hw.dataflow.plan import LayerPlan, Plan
from hw.ir.arithmetic import accumulation, in_formats
from hw.ir.graph import (
    AvgPool,
    Conv,
    FactorizedReduce,
    GlobalPool,
    Linear,
    MaxPool,
    Node,
    Weighted,
)
from hw.ir.network import Network
from hw.ir.weights import P_MIN, decode

PIXELS = 12
"""Pixels in a row looked at: by then they follow each other at their final pace."""


def group_taps(network: Network, node: Node, layer: LayerPlan) -> list[int]:
    """Steps of an engine's program for each group of output channels that are computed together."""
    if isinstance(node, MaxPool | AvgPool):
        return [node.kernel[0] * node.kernel[1]] * node.shape[2]
    sign, power = decode(network.params[node.name].codes, network.arithmetic.weight_bits)
    used = sign.reshape(len(sign), -1) != 0
    # What `weighted_program` makes of them, counted without making it.
    if layer.element == "horner":
        # A step for each weight, and one for each doubling from the largest exponent down to p0.
        p0 = program_exponent(network, node, layer)
        highest = np.where(used, power.reshape(used.shape), P_MIN[6]).max(axis=1)
        steps = used.sum(axis=1) + np.where(used.any(axis=1), highest.astype(np.int64) - p0, 1)
        return steps.tolist()
    # A step for each place where some lane has a weight; a group without any keeps one.
    if layer.pe == 1:
        return np.maximum(used.sum(axis=1), 1).tolist()
    # Channels of different parts see different places.
    groups = node.groups if isinstance(node, Conv) else 1
    part = np.arange(len(used))[:, None] // (len(used) // groups)
    if isinstance(node, FactorizedReduce):
        part = np.arange(len(used))[:, None] >= len(used) // 2
    steps = np.zeros(len(used) // layer.pe, np.int64)
    for number in np.unique(part):
        lanes = (used & (part == number)).reshape(len(steps), layer.pe, -1)
        steps += lanes.any(axis=1).sum(axis=1)
    return np.maximum(steps, 1).tolist()


def program_exponent(network: Network, node: Node, layer: LayerPlan) -> int:
    """The exponent that a weighted layer's program counts from."""
    if layer.load is not None and not isinstance(node, Linear):
        return smallest_power(network, node.name)
    return accumulation(network, node.name).p0


def requantiser_rows(network: Network, node: Node, layer: LayerPlan) -> list[list[Scale]] | None:
    """Rows of scales of an engine's requantiser; None where a rounding shift, or nothing, does."""
    if isinstance(node, MaxPool | Linear):
        return None
    if layer.load is not None:
        assert isinstance(node, Weighted)
        return loaded_scales(network, node, layer) or None
    rows = scales(network, node, layer.pe)
    return None if is_unit(rows) and not isinstance(node, AvgPool) else rows


def scales(network: Network, node: Node, pe: int) -> list[list[Scale]]:
    """Rows of scales of the requantiser of an average or weighted layer other than a classifier."""
    if isinstance(node, AvgPool | GlobalPool):
        (fmt,) = in_formats(network, node.name)
        if isinstance(node, AvgPool):
            counts = pixel_counts(geometry(network, node))
        else:
            ((height, width, _),) = network.graph.in_shapes(node)
            counts = [height * width]
        return average_scales(fmt.width, counts)[0]
    return channel_scales(network, node, pe)


def engine_timing(network: Network, node: Node, layer: LayerPlan) -> Timing:
    """Timing of an engine, its operands there and its output taken at once."""
    taps, pe = group_taps(network, node, layer), layer.pe
    rows = requantiser_rows(network, node, layer)
    if rows is not None:
        # Taken, digits and the constant added up, then a beat for each lane; busy until the last.
        digits = digit_count(rows)
        again, free, first = digits + 1 + pe, 0, digits + 2
    elif isinstance(node, MaxPool):
        again, free, first = 1, 0, 0
    else:
        # Rounding or the classifier's bias: the sums stay where they are until the last lane left.
        again, free, first = pe, pe - 1, 1
    tap = last = free_at = 0
    beats: list[list[int]] = []
    moved: list[int] = []
    for pixel in range(PIXELS):
        # The window's move leaves a gap of one; the very first tap comes two cycles after it could.
        tap += 1
        for group, steps in enumerate(taps):
            tap = max(tap + steps, free_at)
            last = max(tap + 1, last + again) if pixel or group else tap + 1
            free_at = last + free
            beats.append([last + first + k for k in range(pe)])
        moved.append(tap)
    half = PIXELS // 2
    interval = -((moved[half - 1] - moved[-1]) // half)
    flat = [beat for group in beats for beat in group]
    per_pixel = len(flat) // PIXELS
    offsets = tuple(
        max(flat[n * per_pixel + k] - n * interval for n in range(PIXELS)) for k in range(per_pixel)
    )
    reading = max(done - n * interval for n, done in enumerate(moved))
    return Timing(interval, reading, offsets)


def pool_timing(network: Network, node: GlobalPool) -> Timing:
    """Timing of a global pool: of each mean, once the channel's last beat is there."""
    digits = digit_count(scales(network, node, 1))
    return Timing(digits + 2, 0, (digits + 2,))


def timings(network: Network, plan: Plan) -> dict[str, Timing]:
    """Timing of every engine and global pool of a network built as planned."""
    found = {}
    for node in network.graph:
        if isinstance(node, ENGINES):
            found[node.name] = engine_timing(network, node, plan.layers[node.name])
        elif isinstance(node, GlobalPool):
            found[node.name] = pool_timing(network, node)
    return found


def pipeline(network: Network, node: Node, layer: LayerPlan) -> Pipeline:
    """What the registers of an engine hold."""
    if isinstance(node, MaxPool):
        # On the output is the element's result; the next maximum waits for it.
        return Pipeline(1, False, 1)
    if requantiser_rows(network, node, layer) is None:
        # Behind the rounded beat the element's result, and the sums under way.
        return Pipeline(layer.pe, False, 2)
    return Pipeline(layer.pe, True, 3)


def pipelines(network: Network, plan: Plan) -> dict[str, Pipeline]:
    """What the registers of every engine of a network built as planned hold."""
    return {
        node.name: pipeline(network, node, plan.layers[node.name])
        for node in network.graph
        if isinstance(node, ENGINES)
    }
