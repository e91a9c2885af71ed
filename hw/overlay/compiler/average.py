"""Average pools: a sum, kept as two planes, and the mean of those."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from hw.errors import InputError
from hw.ir.graph import AvgPool, GlobalPool, Pair
from hw.ir.reference import real_taps
from hw.overlay import isa
from hw.overlay.compiler.builder import Builder
from hw.overlay.compiler.emitter import Group
from hw.overlay.compiler.max_pool import fitting_mode
from hw.overlay.compiler.mean import mean, terms
from hw.overlay.compiler.placement import words
from hw.overlay.compiler.terms import Terms, Wanted
from hw.overlay.isa import Class, Mode


@dataclass(frozen=True)
class Segment:
    """Output pixels `first` to `last` along an axis, whose windows have `count` real taps."""

    first: int
    last: int
    count: int


@dataclass(frozen=True)
class Windows:
    kernel: Pair
    stride: Pair
    padding: Pair
    segments: tuple[tuple[Segment, ...], tuple[Segment, ...]]

    @property
    def counts(self) -> list[int]:
        """Numbers of real taps of a window, the largest first."""
        rows, columns = self.segments
        return sorted({r.count * c.count for r in rows for c in columns}, reverse=True)


def average_pool(builder: Builder, node: AvgPool) -> None:
    """Windows' sums, then for each number of real taps the mean, where it is that number."""
    size = builder.network.graph[node.inputs[0]].shape
    segments = tuple(
        _segments(
            real_taps(size[a], node.shape[a], node.kernel[a], node.stride[a], node.padding[a])
        )
        for a in (0, 1)
    )
    windows = Windows(node.kernel, node.stride, node.padding, (segments[0], segments[1]))
    window_means(builder, node, windows)


def _segments(counts: Sequence[int]) -> tuple[Segment, ...]:
    found, at = [], 0
    for count, run in groupby(counts):
        length = len(list(run))
        found.append(Segment(at, at + length - 1, count))
        at += length
    return tuple(found)


def split_of(builder: Builder, node: AvgPool | GlobalPool, counts: Sequence[int]) -> int:
    """Where a sum is cut into two planes: of as few steps as possible; 0: it fits one."""
    code, bits = builder.in_format(node), builder.hardware.data_bits
    low, high = min(code.qmin * counts[0], 0), code.qmax * counts[0]
    half = 1 << (bits - 1)
    costs = {}
    for split in range(bits):
        if not (-half <= low >> split and high >> split < half):
            continue
        ways = [mean(code, n, code.qmin * n, code.qmax * n, split) for n in counts]
        steps = [way.steps for way in ways if way is not None]
        if len(steps) == len(ways):
            apart = (1 << split) + 2 if 0 < split < bits - 1 else 0
            costs[split] = sum(steps) + split + apart
            if split == 0:
                break
    if not costs:
        raise InputError(
            f"{node.name}: sums of {counts[0]} pixels do not fit two of {bits} bits; take a wider"
            " data_bits"
        )
    return min(costs, key=lambda split: (costs[split], split))


def half_planes(builder: Builder, node: AvgPool) -> int:
    """Planes of a channel while its mean is still to be made."""
    size = builder.network.graph[node.inputs[0]].shape
    most = [
        max(real_taps(size[a], node.shape[a], node.kernel[a], node.stride[a], node.padding[a]))
        for a in (0, 1)
    ]
    code, half = builder.in_format(node), 1 << (builder.hardware.data_bits - 1)
    n = most[0] * most[1]
    return 1 if -half <= code.qmin * n and code.qmax * n < half else 2


def window_means(builder: Builder, node: AvgPool | GlobalPool, windows: Windows) -> None:
    source, code = builder.source(node), builder.in_format(node)
    split = split_of(builder, node, windows.counts)
    view = builder.windowed(node, windows.kernel, windows.stride, windows.padding)
    most = max(windows.counts)
    builder.check(node, min(code.qmin * most, 0), code.qmax * most)
    channels = node.shape[2]
    # Each low plane beside its high one: a body's captures must reach both.
    planes = builder.take(node, channels << (split > 0), pairs=split > 0)
    lows, highs = (planes[::2], planes[1::2]) if split else (planes, planes)
    builder.emitter.configure(view)
    for plane, low, high in zip(source.planes, lows, highs, strict=True):
        builder.aim([plane])
        group = Group()
        for y in range(windows.kernel[0]):
            for x in range(windows.kernel[1]):
                builder.read(group, plane, tap=(y, x))
        _keep(builder, group, low, high, split)
        builder.emitter.group(group)

    def finish() -> None:
        means(builder, node, windows, split, list(zip(range(channels), lows, highs, strict=True)))
        if split:
            builder.memory.drop(highs)

    if builder.deferred(node):
        builder.later.append(finish)
    else:
        finish()
    builder.give(node, lows)


def _keep(builder: Builder, group: Group, low: int, high: int, split: int) -> None:
    """Capture a sum as one plane, or as its low bits and what `split` halvings leave."""
    if not split:
        group.capture(low, Mode.WIDE)
        return
    group.capture(low, Mode.RAW, clear=False)
    group.word(*[isa.Imm(0, halve=True)] * split)
    group.capture(high, Mode.WIDE)


def means(
    builder: Builder,
    node: AvgPool | GlobalPool,
    windows: Windows,
    split: int,
    channels: list[tuple[int, int, int]],
) -> None:
    """Means of these channels, each with the planes of its sum; they lie in the first of them."""
    builder.pixelwise(node)
    for (channel, low, _), index in zip(
        channels, made(builder, node, windows, split, channels), strict=True
    ):
        builder.done(node, channel, low, index)


def made(
    builder: Builder,
    node: AvgPool | GlobalPool,
    windows: Windows,
    split: int,
    channels: list[tuple[int, int, int]],
) -> list[int]:
    """The means, as the emitter has been configured; indices of their last captures."""
    code, bits = builder.in_format(node), builder.hardware.data_bits
    mode = fitting_mode(code.qmin, code.qmax, bits)
    builder.aim([plane for _, *planes in channels for plane in planes])
    if 0 < split < bits - 1:
        # The low plane holds bits that the high one has too.
        for _, low, high in channels:
            group = Group()
            builder.read(group, low)
            for _ in range(1 << split):
                builder.read(group, high, negative=True)
            group.capture(low, Mode.RAW)
            builder.emitter.group(group)
    rows, columns = (_classes(segments) for segments in windows.segments)
    if rows is not None and columns is not None:
        builder.emitter.classes((rows[0], columns[0]))
    indices = [0] * len(channels)
    for n in windows.counts:
        for at, (_, low, high) in enumerate(channels):
            group = Group()
            _mean(builder, node, group, n, split, (low, high))
            where = [
                (r, c)
                for r in range(len(windows.segments[0]))
                for c in range(len(windows.segments[1]))
                if windows.segments[0][r].count * windows.segments[1][c].count == n
            ]
            for r, c in where:
                last = (r, c) == where[-1]
                if rows is not None and columns is not None:
                    group.capture(low, mode, clear=last, rows=rows[1][r], columns=columns[1][c])
                else:
                    for axis, segment in ((0, windows.segments[0][r]), (1, windows.segments[1][c])):
                        register = isa.Register(isa.Register.FIRST_Y + 2 * axis)
                        group.word(
                            isa.Set(register, segment.first),
                            isa.Set(isa.Register(register + 1), segment.last),
                        )
                    group.capture(low, mode, clear=last, rows=Class.MIDDLE, columns=Class.MIDDLE)
            indices[at] = builder.emitter.group(group)
            if rows is None or columns is None:
                builder.emitter.forget_classes()
    return indices


def _classes(segments: tuple[Segment, ...]) -> tuple[tuple[int, int], tuple[Class, ...]] | None:
    """Bounds of the classes of an axis and the class of each segment; None: they are too many."""
    middle = 1 if len(segments) == 3 else 0
    names = {
        1: (Class.ALL,),
        2: (Class.MIDDLE, Class.LAST),
        3: (Class.FIRST, Class.MIDDLE, Class.LAST),
    }.get(len(segments))
    return names and ((segments[middle].first, segments[middle].last), names)


def _mean(
    builder: Builder,
    node: AvgPool | GlobalPool,
    group: Group,
    n: int,
    split: int,
    planes: tuple[int, int],
) -> None:
    """The mean of n pixels from the planes of their sum."""
    code = builder.in_format(node)
    found = mean(code, n, code.qmin * n, code.qmax * n, split)
    assert found is not None
    level, negative, part = terms(found.multiplier, split)
    view = builder.emitter.view
    assert view is not None
    slots = np.array(planes) // words(view.pitch_in) - builder.emitter.base_slot
    least, most = code.qmin * n, code.qmax * n
    top = 1 << (builder.hardware.data_bits - 1)
    made = Terms.of(
        level,
        negative,
        slots[part],
        np.array(planes)[part],
        (min(least >> split, 0), max(most >> split, top - 1 if split else most)),
    )
    group.sum(builder.arrange(node, Wanted(made, found.constant, found.shift)))
