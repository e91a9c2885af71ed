"""Convolutions and FactorizedReduce: every output channel a group."""

import copy
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
from hw.overlay.compiler.chain import chained
from hw.overlay.compiler.common import captured, fitting, pairs
from hw.overlay.compiler.emitter import Group, View
from hw.overlay.compiler.halo import with_halo
from hw.overlay.compiler.in_place import (
    fits_in_place,
    fits_one_by_one,
    in_place,
    one_by_one,
)
from hw.overlay.compiler.ladder import Ladder, ladder_of
from hw.overlay.compiler.levels import digits, without_idle
from hw.overlay.compiler.max_pool import chunks
from hw.overlay.compiler.move import move
from hw.overlay.compiler.placement import words
from hw.overlay.compiler.ranges import Range, folded, known, read
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


class Layer:
    """The numbers of a convolution, and its channels' groups.

    Members
    -------
    met: what the weights meet of each input channel
    codes: of output channels that have one code only
    uses: how often each tap is read, for every output channel: channels × kernel
    above: levels of the highest term above the last one
    ending: of every channel
    common: planes of sums of two channels, see `shared`
    """

    def __init__(self, builder: Builder, node: Conv | FactorizedReduce):
        network = builder.network
        params = network.params[node.name]
        self.builder, self.node = builder, node
        self.sign, power = decode(params.codes, network.arithmetic.weight_bits)
        acc = accumulation(network, node.name)
        self.derived = requantisation(network, node.name, acc)
        _, _, multipliers = scale_multipliers(params.scale_sign, params.scale_exp)
        self.scales = [digits(multiplier) for multiplier in multipliers]
        # Constant inputs are no terms: what they add is a constant of the sum.
        self.met = met = read(node, builder.ranges[node.inputs[0]])
        extra = folded(network, node, met)
        self.bias = [b + e * m for b, e, m in zip(params.bias, extra, multipliers, strict=True)]
        self.level = power.astype(np.int64) - acc.p0
        self.ending, self.bounds = builder.finish(node), operand_range(network, node.name)
        self.channels, self.inside, *self.kernel = self.sign.shape
        self.codes = known(builder.ranges, node.name)
        self.groups = node.groups if isinstance(node, Conv) else 1
        self.common = np.zeros(0, np.int64)
        groups = np.arange(self.channels) * self.groups // self.channels
        constant = met.constant.reshape(self.groups, self.inside)[groups]
        self.sign = np.where(constant[:, :, None, None], 0, self.sign)
        self.sign[list(self.codes)] = 0
        terms = np.array([len(scale) for scale in self.scales])
        self.uses = ((self.sign != 0) * terms[:, None, None, None]).sum(1)
        highest = max((scale[-1][0] for scale in self.scales if scale), default=0)
        self.above = int(self.level[self.sign != 0].max(initial=0)) + highest - self.derived.shift

    def emit(
        self,
        view: View,
        sources: np.ndarray,
        channel: int,
        target: int,
        ladder: Ladder | None = None,
    ) -> int:
        """A channel's sum into its plane; index of the capture.

        sources: planes of all input channels
        """
        builder = self.builder
        if builder.dry:
            return 0
        wanted = self._wanted(view, sources, channel)
        if ladder:
            wanted = ladder.climb(builder, self.node, wanted, self.ending)
        group = Group()
        found = builder.arrange(self.node, wanted, self.ending)
        builder.sum(group, chained(found, view))
        builder.end(group, target, self.ending)
        return builder.emitter.group(group)

    def _wanted(self, view: View, sources: np.ndarray, channel: int) -> Wanted:
        """A channel's sum, without the terms that change nothing."""
        begin = channel // (self.channels // self.groups) * self.inside
        mine = slice(begin, begin + self.inside)
        terms = _terms(
            self.builder,
            view,
            self.sign[channel],
            self.level[channel],
            sources[mine],
            self.scales[channel],
            self.met[mine].with_zero(),
        )
        if channel in self.codes:
            return Wanted(terms, self.codes[channel], 0)
        constant = self.bias[channel] + self.derived.rounding
        wanted = without_idle(Wanted.of(terms, constant, self.derived.shift))
        # Lanes between those of the image may have pixels of any code.
        terms = wanted.terms.bounded(self.bounds)
        of_two = np.isin(terms.plane, self.common)
        low = np.where(of_two, min(2 * self.bounds[0], -self.bounds[1]), terms.low)
        high = np.where(of_two, max(2 * self.bounds[1], -self.bounds[0]), terms.high)
        return replace(wanted, terms=replace(terms, low=low, high=high))

    def shared(
        self, view: View, sources: Sequence[int], mine: range, spare: int
    ) -> tuple["Layer", tuple[int, ...]]:
        """The layer with common sums as further inputs, and all planes that it reads then.

        Those sums have been emitted; their planes stand behind the sources.

        mine: channels that are to be computed
        spare: planes that are left free
        """
        builder, chosen = self.builder, slice(mine.start, mine.stop)
        pixelwise = view.pitch_in == view.pitch_out and view.stride == (1, 1) and self.groups == 1
        alone = self.kernel == [1, 1] and view.offset == (0, 0)
        if builder.dry or not (pixelwise and alone) or view.image or any(view.cut):
            return self, tuple(sources)
        room = builder.memory.room(view.pitch_in) - spare
        sign, level = self.sign[chosen, :, 0, 0].astype(np.int64), self.level[chosen, :, 0, 0]
        levels = np.unique(level[sign != 0])
        rows = np.where(level == levels[:, None, None], sign, 0).reshape(-1, self.inside)
        saves = np.tile([len(self.scales[channel]) for channel in mine], len(levels))
        bits = builder.hardware.data_bits
        fit = fitting(self.met, bits, differences=not view.relu)
        found = list(pairs(rows, saves, *fit, room))
        planes = captured(builder, view, sources, found, self.node.name) if found else ()
        if not planes:
            return self, tuple(sources)
        # What is left of the weights, and the sums: at one level of a channel each.
        more = np.zeros((len(rows), len(found)), np.int64)
        for n, pair in enumerate(found):
            more[pair.rows, n] = pair.signs
        left = np.concatenate([rows, more], 1).reshape(len(levels), len(mine), -1)
        made = copy.copy(self)
        made.common, made.inside = np.array(planes), left.shape[2]
        shape = self.channels, made.inside, 1, 1
        made.sign, made.level = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        made.sign[chosen, :, 0, 0] = left.sum(0)
        made.level[chosen, :, 0, 0] = (np.abs(left) * levels[:, None, None]).sum(0)
        sums = [pair.bounds(self.met) for pair in found]
        made.met = Range(
            np.append(self.met.low, [low for low, _ in sums]),
            np.append(self.met.high, [high for _, high in sums]),
        )
        return made, tuple(sources) + planes


def convolution(builder: Builder, node: Conv | FactorizedReduce) -> None:
    """Every channel a group: its terms, its capture."""
    check_guard(builder, node)
    layer = Layer(builder, node)
    channels = layer.channels
    view = _view(builder, node, layer.kernel)
    if fits_in_place(builder, node, view, layer.kernel):
        planes = in_place(builder, node, view, layer.emit)
        indices = [builder.emitter.length - 1] * channels
    elif fits_one_by_one(builder, node, view, layer.inside):
        planes, indices = one_by_one(builder, node, view, layer.emit)
    else:
        planes = builder.take(node, channels)
        indices = _halves(builder, layer, view, planes)
    if node.name in builder.gathered:
        builder.memory.drop(builder.gathered.pop(node.name)[1])
    builder.give(node, planes)
    builder.complete(node, range(channels), planes, indices, layer.ending)


def _halves(builder: Builder, layer: Layer, view: View, planes: Sequence[int]) -> list[int]:
    """All channels, those of a reduction in two parts; indices of the captures."""
    channels = layer.channels
    moved = moves_later(view, builder.placement.batch, int(layer.uses.sum()) / channels)
    if moved:
        view = replace(view, cut=(False, False))
    if not isinstance(layer.node, FactorizedReduce):
        return _part(builder, layer, view, planes, range(channels), moved)
    half, farther = channels // 2, (view.offset[0] + 1, view.offset[1] + 1)
    first = _part(builder, layer, view, planes, range(half), moved)
    rest = range(half, channels)
    return first + _part(builder, layer, replace(view, offset=farther), planes, rest, moved)


def _part(
    builder: Builder, layer: Layer, view: View, planes: Sequence[int], mine: range, moved: bool
) -> list[int]:
    """These channels; indices of the captures. moved: computed as the first image's, then moved."""
    if not mine:
        return []
    node = layer.node
    sources = builder.source(node).planes
    halo = with_halo(builder, node, view, sources, layer.uses[mine.start : mine.stop].sum(0))
    if halo:
        view, sources = halo
    ladder = ladder_of(builder, node, view, layer.above)
    layer, reads = layer.shared(view, sources, mine, len(mine) if moved else 0)
    read = np.array(reads, np.int64)
    indices: list[int] = []
    for chunk in chunks(builder, len(mine), [view.pitch_out] if moved else []):
        builder.emitter.configure(view)
        builder.aim([*reads, *(ladder.planes if ladder else ())])
        if halo and not indices:
            builder.emitter.settle()
        chosen = mine[chunk.start : chunk.stop]
        own = planes[chosen.start : chosen.stop]
        targets = builder.memory.take(node.name, len(own), view.pitch_out) if moved else own
        found = [layer.emit(view, read, c, t, ladder) for c, t in zip(chosen, targets, strict=True)]
        if moved:
            found = move(builder, node, targets, own)
            builder.memory.drop(targets)
        indices += found
    if halo and sources != builder.source(node).planes:
        builder.memory.drop(sources)
    builder.memory.drop(reads[len(sources) :])
    if ladder:
        builder.memory.drop(ladder.planes)
    return indices


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
    met: Range,
) -> Terms:
    """Of a channel with weights (channels in, kernel): each one times each digit of its scale.

    met: codes of each input channel, 0 among them
    """
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
    many = max(digits, 1)
    return Terms(
        np.concatenate([powers + e for e, _ in scale] or [powers]),
        np.concatenate([negative ^ (s < 0) for _, s in scale] or [negative]),
        *(np.tile(a, many) for a in (operand, plane, met.low[channel], met.high[channel])),
    )
