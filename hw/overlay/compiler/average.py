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

    @property
    def masks(self) -> tuple[tuple[Pair, Pair], tuple[tuple[Class, ...], tuple[Class, ...]]] | None:
        """Bounds of the classes on each axis, and the class of each segment; None: too many."""
        rows, columns = (_classes(segments) for segments in self.segments)
        return ((rows[0], columns[0]), (rows[1], columns[1])) if rows and columns else None


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
        if 0 < split < bits - 1 and -(low // half * half) >> split >= half:
            # The high plane's sign is turned, see `_part`: its least number has no opposite.
            continue
        ways = [mean(code, n, code.qmin * n, code.qmax * n, split) for n in counts]
        steps = [way.steps for way in ways if way is not None]
        if len(steps) == len(ways):
            apart = split + 2 if 0 < split < bits - 1 else 0
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
    """Sums of the windows and their means, of as many channels at a time as there is room for."""
    code, channels = builder.in_format(node), node.shape[2]
    split = split_of(builder, node, windows.counts)
    most = max(windows.counts)
    builder.check(node, min(code.qmin * most, 0), code.qmax * most)
    room = builder.memory.room(builder.placement.pitches[node.name])
    if windows.masks is None or builder.deferred(node) or room < channels + 4:
        # Each low plane beside its high one: a body's captures must reach both.
        planes = builder.take(node, channels << (split > 0), pairs=split > 0)
        lows, highs = (planes[::2], planes[1::2]) if split else (planes, planes)
        parts = list(zip(range(channels), lows, highs, strict=True))
        _sums(builder, node, windows, split, parts)

        def finish() -> None:
            means(builder, node, windows, split, parts, lows)
            if split:
                builder.memory.drop(highs)

        if builder.deferred(node):
            builder.later.append(finish)
        else:
            finish()
        builder.give(node, lows)
        return
    targets = builder.take(node, channels)
    # No more planes at a time than if each channel's mean took the place of its sum.
    many = max(1, min(channels // 2, (room - channels) // 4))
    pitch = builder.placement.pitches[node.name]
    for first in range(0, channels, many):
        mine = range(first, min(first + many, channels))
        planes = builder.memory.take(node.name, len(mine) << (split > 0), pitch, pairs=split > 0)
        lows, highs = (planes[::2], planes[1::2]) if split else (planes, planes)
        parts = list(zip(mine, lows, highs, strict=True))
        _sums(builder, node, windows, split, parts)
        means(builder, node, windows, split, parts, targets[mine.start : mine.stop])
        builder.memory.drop(planes)
    builder.give(node, targets)


def _sums(
    builder: Builder,
    node: AvgPool | GlobalPool,
    windows: Windows,
    split: int,
    parts: Sequence[tuple[int, int, int]],
) -> None:
    """The windows' sums of these channels into their planes."""
    source = builder.source(node)
    view = builder.windowed(node, windows.kernel, windows.stride, windows.padding)
    builder.emitter.configure(view)
    for channel, low, high in parts:
        plane = source.planes[channel]
        builder.aim([plane])
        group = Group()
        for y in range(windows.kernel[0]):
            for x in range(windows.kernel[1]):
                builder.read(group, plane, tap=(y, x))
        _keep(builder, group, low, high, split)
        builder.emitter.group(group)


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
    parts: Sequence[tuple[int, int, int]],
    targets: Sequence[int],
) -> None:
    """Means of these channels, each with the planes of its sum, into the targets."""
    builder.pixelwise(node)
    indices = made(builder, node, windows, split, [part[1:] for part in parts], targets)
    for (channel, *_), target, index in zip(parts, targets, indices, strict=True):
        builder.done(node, channel, target, index)


def made(
    builder: Builder,
    node: AvgPool | GlobalPool,
    windows: Windows,
    split: int,
    sums: Sequence[tuple[int, int]],
    targets: Sequence[int],
) -> list[int]:
    """Means, as the emitter has been configured; indices of their last captures.

    targets: may be the planes of the sums' low bits
    """
    code, bits = builder.in_format(node), builder.hardware.data_bits
    mode = fitting_mode(code.qmin, code.qmax, bits)
    builder.aim([plane for planes in sums for plane in planes])
    if 0 < split < bits - 1:
        for low, high in sums:
            _part(builder, node, split, low, high)
    indices, most = [0] * len(sums), max(windows.counts)
    if windows.masks is None:
        for n in windows.counts:
            for at, (planes, target) in enumerate(zip(sums, targets, strict=True)):
                group = Group()
                _mean(builder, node, group, (n, most), split, planes)
                _with_bounds(group, windows, n, target, mode)
                indices[at] = builder.emitter.group(group)
                builder.emitter.forget_classes()
        return indices
    bounds, names = windows.masks
    builder.emitter.classes(bounds)
    counts = np.array(
        [[r.count * c.count for c in windows.segments[1]] for r in windows.segments[0]]
    )
    apart = all(target != low for target, (low, _) in zip(targets, sums, strict=True))
    for n in sorted(windows.counts, reverse=not apart):
        # What a mean writes too much, those of more pixels write again.
        spoiled = counts > n if apart else np.zeros_like(counts, bool)
        where = covers(counts == n, spoiled, names)
        for at, (planes, target) in enumerate(zip(sums, targets, strict=True)):
            group = Group()
            _mean(builder, node, group, (n, most), split, planes)
            for rows, columns in where:
                last = (rows, columns) == where[-1]
                group.capture(target, mode, clear=last, rows=rows, columns=columns)
            indices[at] = builder.emitter.group(group)
    return indices


def covers(
    wanted: np.ndarray, free: np.ndarray, names: tuple[tuple[Class, ...], tuple[Class, ...]]
) -> list[tuple[Class, Class]]:
    """Few captures that write the wanted segments and none but those and free ones.

    wanted, free: of each segment down and across
    names: classes of the segments on each axis
    """
    choices = [
        [(Class.ALL, np.ones(len(of), bool)), *((name, np.array(of) == name) for name in of)]
        for of in names
    ]
    left, found = wanted.copy(), []
    while left.any():
        ways = [
            (int((left & (rows[:, None] & columns)).sum()), row, column)
            for row, rows in choices[0]
            for column, columns in choices[1]
            if not (rows[:, None] & columns & ~(wanted | free)).any()
        ]
        _, row, column = max(ways, key=lambda way: way[0])
        found.append((row, column))
        mask = dict(choices[0])[row][:, None] & dict(choices[1])[column]
        left &= ~mask
    return found


def _with_bounds(group: Group, windows: Windows, n: int, target: int, mode: Mode) -> None:
    """Captures of the segments of n pixels, of which there are too many for the classes."""
    where = [
        (r, c) for r in windows.segments[0] for c in windows.segments[1] if r.count * c.count == n
    ]
    for pair in where:
        for axis, segment in enumerate(pair):
            register = isa.Register(isa.Register.FIRST_Y + 2 * axis)
            group.word(
                isa.Set(register, segment.first), isa.Set(isa.Register(register + 1), segment.last)
            )
        group.capture(
            target, mode, clear=pair == where[-1], rows=Class.MIDDLE, columns=Class.MIDDLE
        )


def _part(builder: Builder, node: AvgPool | GlobalPool, split: int, low: int, high: int) -> None:
    """Take those bits from the high plane that the low one has too: floor(low / 2^split).

    The sign of what is left is turned: so it takes no constant.
    """
    view = builder.emitter.view
    assert view is not None
    planes = np.array([low, high])
    slots = planes // words(view.pitch_in) - builder.emitter.base_slot
    top = 1 << (builder.hardware.data_bits - 1)
    taken = Terms(
        np.array([0, split]),
        np.array([False, True]),
        slots,
        planes,
        np.array([0, -top]),
        np.array([top - 1, top - 1]),
    )
    group = Group()
    group.sum(builder.arrange(node, Wanted(taken, 0, split)))
    group.capture(high, Mode.WIDE)
    builder.emitter.group(group)


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
    counts: Pair,
    split: int,
    planes: tuple[int, int],
) -> None:
    """The mean of n pixels from the planes of their sum.

    counts: n, and the most pixels of a window: all lanes compute what some of them keep
    """
    n, most = counts
    code = builder.in_format(node)
    found = mean(code, n, code.qmin * n, code.qmax * n, split)
    assert found is not None
    level, negative, part = terms(found.multiplier, split)
    view = builder.emitter.view
    assert view is not None
    slots = np.array(planes) // words(view.pitch_in) - builder.emitter.base_slot
    top, high = 1 << (builder.hardware.data_bits - 1), (code.qmin * most, code.qmax * most)
    if 0 < split < builder.hardware.data_bits - 1:
        # The high plane has what is above the low one's bits, its sign turned: see `_part`.
        high = -(high[1] // top * top), -(high[0] // top * top)
        negative ^= part == 1
    low = (0, top - 1) if split else high
    made = Terms(
        level,
        negative,
        slots[part],
        np.array(planes)[part],
        np.where(part, min(high[0] >> split, 0), min(low[0], 0)),
        np.where(part, max(high[1] >> split, 0), max(low[1], 0)),
    )
    group.sum(builder.arrange(node, Wanted(made, found.constant, found.shift)))
