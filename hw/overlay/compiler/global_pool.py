"""Global pools: the rows' sums, then the sum of those, and the mean.

A row's sum is wanted in one lane. Those of several channels are put side by side, each in the lanes
of a column of its own, so that what follows is done for all of them at once: the sums down the
columns, and the means. At last each channel's mean goes to where it belongs.
"""

from dataclasses import replace

from hw.errors import InputError
from hw.ir.graph import GlobalPool
from hw.overlay import isa
from hw.overlay.compiler.average import Segment, Windows, made, window_means
from hw.overlay.compiler.builder import Builder
from hw.overlay.compiler.emitter import Group, View
from hw.overlay.compiler.join import rename
from hw.overlay.compiler.max_pool import chunks
from hw.overlay.compiler.placement import words
from hw.overlay.isa import Class, Direction, Mode, Register

SMALL = 16
"""Pixels that a global pool adds like an average pool does."""

BESIDE = 35
"""Cycles of what is done for the channels side by side, but for the lanes on the way, about."""


def global_pool(builder: Builder, node: GlobalPool) -> None:
    """All pixels of a plane: few as one window, more along the rows, then down a column."""
    source = builder.source(node)
    height, width, channels = builder.network.graph[node.inputs[0]].shape
    n = height * width
    if n == 1 and source.pitch == builder.placement.pitches[node.name]:
        rename(builder, node, tuple(range(channels)))
        return
    one = (Segment(0, 0, height),), (Segment(0, 0, width),)
    window = Windows((height, width), (1, 1), (0, 0), one)
    if n <= SMALL:
        window_means(builder, node, window)
        return
    code, bits = builder.in_format(node), builder.hardware.data_bits
    split, half = bits - 1, 1 << (bits - 1)
    if not (-half <= code.qmin * n >> split and code.qmax * n >> split < half):
        raise InputError(
            f"{node.name}: the sum of {n} pixels does not fit two of {bits} bits; take a wider"
            " data_bits"
        )
    builder.check(node, code.qmin * n, code.qmax * n)
    lows = builder.take(node, channels)
    many = _beside(builder, node)
    out = builder.placement.pitches[node.name]
    # Where its images are apart, so are those of what it reads: no pixel goes to another place.
    assert not builder.deferred(node)
    flat = View(pitch_in=(0, 0), pitch_out=out, size=(1, many))
    packs = [range(at, min(at + many, channels)) for at in range(0, channels, many)]
    for chunk in chunks(builder, len(packs), [out] * 4):
        row_low, row_high, low, high = (
            builder.memory.take(node.name, len(chunk), out) for _ in range(4)
        )
        for pack, *planes in zip(packs[chunk.start : chunk.stop], row_low, row_high, strict=True):
            _rows(builder, node, flat, pack, (planes[0], planes[1]))
        builder.emitter.configure(flat)
        builder.aim([*row_low, *row_high])
        for read, write in zip(
            zip(row_low, row_high, strict=True), zip(low, high, strict=True), strict=True
        ):
            _down(builder, flat, read, write, height, source.pitch[0])
        builder.pixelwise(node, size=(1, many))
        made(builder, node, window, split, list(zip(low, high, strict=True)), low)
        _spread(builder, node, flat, packs[chunk.start : chunk.stop], (low, lows))
        for planes in (row_low, row_high, low, high):
            builder.memory.drop(planes)
    builder.give(node, lows)


def _beside(builder: Builder, node: GlobalPool) -> int:
    """How many channels are put side by side."""
    source = builder.source(node)
    height, _, channels = builder.network.graph[node.inputs[0]].shape
    apart_y, apart_x = (1 << max(-p, 0) for p in source.pitch)
    shared = BESIDE + 2 * apart_y * _lanes(height, source.pitch[0])

    def cost(many: int) -> float:
        """Of a channel, beside what it costs alone."""
        if many == 1:
            return float(shared)
        # A word is read twice in all columns but the first; its bound; the way back.
        again = words(source.pitch) * (many - 1) / many + 1
        return shared / many + again + 2 + (many - 1) / 2 * apart_x

    most = min(builder.hardware.columns // apart_x, 1 << isa.MOST_TAP_BITS, channels)
    return min(range(1, most + 1), key=cost)


def _lanes(side: int, pitch: int) -> int:
    """Lanes that have pixels, of those of one image."""
    return side if pitch < 0 else -(-side // (1 << pitch))


def _rows(
    builder: Builder, node: GlobalPool, flat: View, pack: range, planes: tuple[int, int]
) -> None:
    """Sums of the rows of these channels, each in its column: low bits, and the rest."""
    source = builder.source(node)
    width = builder.network.graph[node.inputs[0]].shape[1]
    apart, lanes = 1 << max(-source.pitch[1], 0), _lanes(width, source.pitch[1])
    # Whatever row a lane is in: all of them are written. Tap 0 is the lane to the left.
    last_lane = min(builder.hardware.rows, isa.LONGEST_SIDE) - 1
    rows = (last_lane >> max(-flat.pitch_out[0], 0)) + 1
    builder.emitter.configure(
        replace(
            flat,
            size=(rows, flat.size[1]),
            image=source.image,
            offset=(0, -apart),
            dilation=(1, apart),
            tap_bits=1,
        )
    )
    for column, channel in enumerate(pack):
        plane = source.planes[channel]
        builder.aim(range(plane, plane + words(source.pitch)))
        group = Group()
        for word in range(words(source.pitch)):
            builder.read(group, plane + word, tap=(0, 1))
            group.reads[-1][:] = plane
            _neighbours(group, Direction.RIGHT, apart, lanes - 1 - column)
            if column:
                builder.read(group, plane + word, tap=(0, 0))
                group.reads[-1][:] = plane
                _neighbours(group, Direction.LEFT, apart, column - 1)
        if column:
            # The columns farther right are written again by those channels.
            builder.emitter.set(Register.FIRST_X, 0)
            builder.emitter.set(Register.LAST_X, column - 1)
        columns = Class.LAST if column else Class.ALL
        group.capture(planes[0], Mode.RAW, clear=False, columns=columns)
        group.word(*[isa.Imm(0, halve=True)] * (builder.hardware.data_bits - 1))
        group.capture(planes[1], Mode.WIDE, columns=columns)
        builder.emitter.group(group)


def _down(
    builder: Builder,
    flat: View,
    read: tuple[int, int],
    write: tuple[int, int],
    height: int,
    pitch: int,
) -> None:
    """The sum of the rows' sums, in the first row."""
    apart, lanes = 1 << max(-pitch, 0), _lanes(height, pitch)
    group = Group()
    builder.read(group, read[0])
    _neighbours(group, Direction.BELOW, apart, lanes - 1)
    group.capture(write[0], Mode.RAW, clear=False)
    group.word(*[isa.Imm(0, halve=True)] * (builder.hardware.data_bits - 2))
    builder.read(group, read[1], halve=True)
    _neighbours(group, Direction.BELOW, apart, lanes - 1)
    group.capture(write[1], Mode.WIDE)
    builder.emitter.group(group)


def _spread(
    builder: Builder,
    node: GlobalPool,
    flat: View,
    packs: list[range],
    planes: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    """Each channel's mean from its column to the first one.

    planes: of each pack, and of each channel
    """
    taps = (flat.size[1] - 1).bit_length()
    builder.emitter.configure(replace(flat, pitch_in=flat.pitch_out, size=(1, 1), tap_bits=taps))
    builder.aim(planes[0])
    for pack, plane in zip(packs, planes[0], strict=True):
        for column, channel in enumerate(pack):
            group = Group()
            builder.read(group, plane, tap=(0, column))
            group.capture(planes[1][channel], Mode.WIDE)
            builder.done(node, channel, planes[1][channel], builder.emitter.group(group))


def _neighbours(group: Group, direction: Direction, apart: int, lanes: int) -> None:
    """Add the pixels of so many lanes beyond this one."""
    for _ in range(lanes):
        group.word(*[isa.Shift(direction, add=False)] * (apart - 1), isa.Shift(direction))
