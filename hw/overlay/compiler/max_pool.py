"""Max pool: the largest of a row's taps, then the largest of a column's.

max(m, x) is: subtract x, clear where negative, add x. Beyond the image there are zeros, which win
over negative pixels; so where a window reaches there, a signed plane is lifted above zero first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from hw.errors import InputError
from hw.ir.graph import MaxPool, Pair
from hw.overlay import isa
from hw.overlay.compiler.builder import Builder
from hw.overlay.compiler.emitter import Group, View
from hw.overlay.compiler.finish import immediates
from hw.overlay.compiler.placement import words
from hw.overlay.isa import Flow, Mode


def max_pool(builder: Builder, node: MaxPool) -> None:
    """Every channel: lifted if need be, then in one pass or two."""
    bits = builder.hardware.data_bits
    code, source = builder.in_format(node), builder.source(node)
    height, width = builder.network.graph[node.inputs[0]].shape[:2]
    lift = -code.qmin if _looks_beyond(node, (height, width)) else 0
    if lift and code.qmax + lift >= 1 << (bits - 1):
        raise InputError(
            f"{node.name}: its window reaches beyond the image, and {code} lifted above zero does"
            f" not fit pixels of {bits} bits: use narrower activations, or a wider data_bits"
        )
    low, high = code.qmin + lift, code.qmax + lift
    inner, between = fitting_mode(low, high, bits), fitting_mode(code.qmin, code.qmax, bits)
    window = builder.windowed(node, node.kernel, node.stride, node.padding)
    planes = builder.take(node, node.shape[2])
    across = _across(builder, node, window)
    extra = [source.pitch] * bool(lift) + [across.pitch_out] * (across is not window)
    for chunk in chunks(builder, node.shape[2], extra):
        taken = [builder.memory.take(node.name, len(chunk), pitch) for pitch in extra]
        reads = [source.planes[channel] for channel in chunk]
        image, temporaries = source.image, iter(taken)
        if lift:
            lifted = next(temporaries)
            builder.pixelwise(
                node,
                pitch_in=source.pitch,
                pitch_out=source.pitch,
                size=(height, width),
                image=image,
                cut=(False, False),
            )
            for plane, target in zip(reads, lifted, strict=True):
                builder.aim([plane])
                group = Group()
                builder.read(group, plane)
                group.packed(immediates(lift))
                group.capture(target, Mode.UNSIGNED)
                builder.emitter.group(group)
            reads, image = list(lifted), False
        down = window
        if across is not window:
            rows = next(temporaries)
            taps = [(0, tap) for tap in _nearest(node.kernel[1], node.padding[1])]
            _largest(builder, replace(across, image=image), reads, rows, taps, 0, inner)
            reads, image = list(rows), False
            down = replace(
                window,
                pitch_in=across.pitch_out,
                stride=(node.stride[0], 1),
                offset=(-node.padding[0], 0),
            )
            taps = [(tap, 0) for tap in _nearest(node.kernel[0], node.padding[0])]
        else:
            taps = [
                (y, x)
                for y in _nearest(node.kernel[0], node.padding[0])
                for x in _nearest(node.kernel[1], node.padding[1])
            ]
        targets = [planes[channel] for channel in chunk]
        down = replace(down, image=image)
        for channel, index in zip(
            chunk, _largest(builder, down, reads, targets, taps, -lift, between), strict=True
        ):
            builder.done(node, channel, planes[channel], index)
        for temporary in taken:
            builder.memory.drop(temporary)
    builder.give(node, planes)


def _looks_beyond(node: MaxPool, size: Pair) -> bool:
    """Whether a window has taps that are no pixels."""
    return any(
        node.padding[a] or (node.shape[a] - 1) * node.stride[a] + node.kernel[a] > size[a]
        for a in (0, 1)
    )


def _across(builder: Builder, node: MaxPool, window: View) -> View:
    """The first of two passes, over the rows' taps; `window` itself where one pass is better."""
    if min(node.kernel) == 1:
        return window
    height = builder.network.graph[node.inputs[0]].shape[0]
    return replace(
        window,
        pitch_out=(window.pitch_in[0], window.pitch_out[1]),
        size=(height, node.shape[1]),
        stride=(1, node.stride[1]),
        offset=(0, -node.padding[1]),
        cut=(False, window.cut[1]),
    )


def _nearest(kernel: int, padding: int) -> list[int]:
    return sorted(range(kernel), key=lambda tap: abs(tap - padding))


def _largest(
    builder: Builder,
    view: View,
    reads: Sequence[int],
    targets: Sequence[int],
    taps: list[Pair],
    offset: int,
    mode: Mode,
) -> Iterator[int]:
    """Largest of the taps, plus an offset, of each plane; indices of the captures."""
    builder.emitter.configure(view)
    indices = []
    for plane, target in zip(reads, targets, strict=True):
        builder.aim([plane])
        group = Group()
        for n, tap in enumerate(taps):
            if n:
                builder.read(group, plane, negative=True, tap=tap)
                group.word(isa.Jump(Flow.CLEAR_NEGATIVE))
            builder.read(group, plane, tap=tap)
        group.packed(immediates(offset))
        group.capture(target, mode)
        indices.append(builder.emitter.group(group))
    return iter(indices)


def fitting_mode(low: int, high: int, bits: int) -> Mode:
    """A capture that leaves the numbers of a range as they are."""
    if -1 << (bits - 2) <= low and high < 1 << (bits - 2):
        return Mode.SIGNED
    return Mode.UNSIGNED if low >= 0 else Mode.WIDE


CHUNK = 16
"""Channels whose half-done planes are held at a time."""


def chunks(builder: Builder, channels: int, extra: Sequence[Pair]) -> Iterator[range]:
    """The channels, as many at a time as there is room for planes of these pitches beside."""
    size = sum(words(pitch) for pitch in extra)
    largest = max(extra, key=words, default=(0, 0))
    blocks = builder.memory.room(largest) * words(largest)
    many = min(channels, CHUNK, max(1, blocks // (2 * size))) if size else channels
    for first in range(0, channels, many):
        yield range(first, min(first + many, channels))
