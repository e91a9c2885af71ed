"""Convolutions and FactorizedReduce: every output channel a group."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hw.errors import InputError
from hw.ir.arithmetic import (
    accumulation,
    has_relu,
    layer_guard,
    operand_range,
    requantisation,
    scale_multipliers,
)
from hw.ir.graph import Conv, FactorizedReduce, Node, Pair
from hw.ir.weights import decode
from hw.overlay import isa
from hw.overlay.compiler.builder import Builder
from hw.overlay.compiler.emitter import Group, View
from hw.overlay.compiler.halo import with_halo
from hw.overlay.compiler.ladder import ladder_of
from hw.overlay.compiler.levels import digits
from hw.overlay.compiler.max_pool import chunks
from hw.overlay.compiler.move import move
from hw.overlay.compiler.placement import words
from hw.overlay.compiler.terms import Terms, Wanted


def check_guard(builder: Builder, node: Node) -> None:
    """Refuse a guard that cuts products: a halved sum would be cut elsewhere."""
    guard = layer_guard(builder.network, node.name)
    if guard is None:
        return
    codes = builder.network.params[node.name].codes
    sign, power = decode(codes, builder.network.arithmetic.weight_bits)
    least = int(power[sign != 0].min()) if (sign != 0).any() else 0
    if -least > guard:
        raise InputError(
            f"{node.name}: guard {guard} cuts products of weights down to 2^{least}; an overlay"
            f" rounds sums, not products: use guard {-least} or more, or none"
        )


def convolution(builder: Builder, node: Conv | FactorizedReduce) -> None:
    """Every channel a group: its terms, its capture."""
    check_guard(builder, node)
    network = builder.network
    params = network.params[node.name]
    sign, power = decode(params.codes, network.arithmetic.weight_bits)
    acc = accumulation(network, node.name)
    derived = requantisation(network, node.name, acc)
    _, _, multipliers = scale_multipliers(params.scale_sign, params.scale_exp)
    scales = [digits(multiplier) for multiplier in multipliers]
    level = power.astype(np.int64) - acc.p0
    ending, bounds = builder.finish(node), operand_range(network, node.name)
    channels, inside, *kernel = sign.shape
    groups = node.groups if isinstance(node, Conv) else 1
    planes = builder.take(node, channels)
    uses = ((sign != 0) * np.array([len(s) for s in scales])[:, None, None, None]).sum(1)
    view = _view(builder, node, kernel)
    moved = moves_later(view, builder.placement.batch, int(uses.sum()) / channels)
    if moved:
        view = replace(view, cut=(False, False))
    highest = int(level[sign != 0].max(initial=0)) + max((s[-1][0] for s in scales if s), default=0)

    def part(mine: range, view: View) -> list[int]:
        """These channels; indices of their captures."""
        if not mine:
            return []
        sources = builder.source(node).planes
        halo = with_halo(builder, node, view, sources, uses[mine.start : mine.stop].sum(0))
        if halo:
            view, sources = halo
        ladder = ladder_of(builder, node, view, highest - derived.shift)
        read = np.array(sources, np.int64)
        indices: list[int] = []
        for chunk in chunks(builder, len(mine), [view.pitch_out] if moved else []):
            builder.emitter.configure(view)
            builder.aim([*sources, *(ladder.planes if ladder else ())])
            if halo and not indices:
                builder.emitter.settle()
            chosen = mine[chunk.start : chunk.stop]
            own = planes[chosen.start : chosen.stop]
            targets = builder.memory.take(node.name, len(own), view.pitch_out) if moved else own
            found = []
            for channel, target in zip(chosen, targets, strict=True):
                begin = channel // (channels // groups) * inside
                near = read[begin : begin + inside]
                terms = _terms(
                    builder, view, sign[channel], level[channel], near, scales[channel], bounds
                )
                wanted = Wanted.of(terms, params.bias[channel] + derived.rounding, derived.shift)
                if ladder:
                    wanted = ladder.climb(builder, node, wanted, ending)
                group = Group()
                builder.sum(group, builder.arrange(node, wanted, ending))
                builder.end(group, target, ending)
                found.append(builder.emitter.group(group))
            if moved:
                found = move(builder, node, targets, own)
                builder.memory.drop(targets)
            indices += found
        if halo and sources != builder.source(node).planes:
            builder.memory.drop(sources)
        if ladder:
            builder.memory.drop(ladder.planes)
        return indices

    if isinstance(node, FactorizedReduce):
        half, farther = channels // 2, (view.offset[0] + 1, view.offset[1] + 1)
        indices = part(range(half), view)
        indices += part(range(half, channels), replace(view, offset=farther))
    else:
        indices = part(range(channels), view)
    if node.name in builder.gathered:
        builder.memory.drop(builder.gathered.pop(node.name)[1])
    builder.give(node, planes)
    builder.complete(node, range(channels), planes, indices, ending)


def moves_later(view: View, batch: Pair, steps: float) -> bool:
    """Whether a channel is better computed as the first image's and then moved to its own place.

    steps: that travel, of a channel
    """
    if words(view.pitch_out) > 1:
        return False
    way = sum((images - 1) / 2 for images, cut in zip(batch, view.cut, strict=True) if cut)
    return way * steps > way + MOVE


MOVE = 3
"""Cycles of a channel that is moved, beside the lanes on the way."""


def _view(builder: Builder, node: Conv | FactorizedReduce, kernel: Sequence[int]) -> View:
    if isinstance(node, FactorizedReduce):
        view = builder.windowed(node, kernel, stride=(2, 2), padding=(0, 0))
    else:
        view = builder.windowed(node, kernel, node.stride, node.padding)
        view = replace(view, dilation=node.dilation)
    return replace(view, relu=has_relu(node) and builder.in_format(node).signed)


def _terms(
    builder: Builder,
    view: View,
    sign: np.ndarray,
    level: np.ndarray,
    planes: np.ndarray,
    scale: list[tuple[int, int]],
    bounds: Pair,
) -> Terms:
    """Of a channel with weights (channels in, kernel): each one times each digit of its scale."""
    channel, ty, tx = np.nonzero(sign if scale else np.zeros_like(sign))
    plane = planes[channel]
    # Windows of slots one after the other, if there are several.
    room = isa.OPERAND_BITS - 2 * view.tap_bits
    slot = plane // words(view.pitch_in) - builder.emitter.base_slot
    order = np.argsort(slot >> room, kind="stable")
    channel, ty, tx, plane, slot = (a[order] for a in (channel, ty, tx, plane, slot))
    operand = (ty << view.tap_bits | tx) << room | slot & ((1 << room) - 1)
    powers = level[channel, ty, tx]
    negative = sign[channel, ty, tx] < 0
    digits = len(scale)
    return Terms.of(
        np.concatenate([powers + e for e, _ in scale] or [powers]),
        np.concatenate([negative ^ (s < 0) for _, s in scale] or [negative]),
        np.tile(operand, max(digits, 1)),
        np.tile(plane, max(digits, 1)),
        bounds,
    )
