"""Planes with their neighbours' pixels around them, for convolutions that read them many times.

A tap off the centre costs a cycle for each lane that its pixels travel. Where many output channels
read one plane, the travelling is done once: the halo is a plane of a larger pitch, of which a
lane's words are all pixels that any tap sees from there.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hw.ir.graph import Node
from hw.overlay import isa
from hw.overlay.compiler.builder import Builder
from hw.overlay.compiler.emitter import Group, View
from hw.overlay.compiler.reach import Reach, words_of
from hw.overlay.isa import Mode

SETTINGS = 24
"""Cycles for the registers of the copying, about."""


def copy(builder: Builder, source: int, target: int, reaches: Sequence[Reach]) -> None:
    """Copy what a plane's lanes reach, as the view says, into the words of another one."""
    rows, columns = (np.array(reach.used) - reach.low for reach in reaches)
    builder.aim([source])
    for row in rows.tolist():
        for column in columns.tolist():
            group = Group()
            builder.read(group, source, tap=(row, column))
            group.capture(target + (row << reaches[1].pitch) + column, Mode.WIDE)
            builder.emitter.group(group)


def with_halo(
    builder: Builder, node: Node, view: View, planes: Sequence[int], uses: np.ndarray
) -> tuple[View, tuple[int, ...]] | None:
    """The planes with a halo and the view of them, if that takes fewer cycles and there is room.

    uses: how often each tap is read, over all output channels: shape of the kernel. Where only one
    pixel is read, and nobody reads the planes after the node, they are overwritten.
    """
    if any(view.cut[a] and view.pitch_in[a] < 0 for a in (0, 1)):
        return None
    axes = [Reach.of(view, a, uses.shape[a]) for a in (0, 1)]
    pitch = axes[0].pitch, axes[1].pitch
    if max(pitch) > isa.MOST_TAP_BITS or not _pays(builder, view, axes, len(planes), uses):
        return None
    made: tuple[int, ...] | None
    own = sum(pitch) == 0 == sum(max(p, 0) for p in view.pitch_in)
    if own and not view.image and builder.sole_reader(node):
        made = tuple(planes)
    else:
        made = builder.memory.take_sparse(len(planes), 1 << sum(pitch), words_of(axes))
    if made is None:
        return None
    hardware = builder.hardware
    builder.emitter.configure(
        View(
            pitch_in=view.pitch_in,
            pitch_out=(0, 0),
            size=(hardware.rows, hardware.columns),
            offset=(axes[0].low, axes[1].low),
            image=view.image,
            tap_bits=max(pitch),
        )
    )
    for source, target in zip(planes, made, strict=True):
        copy(builder, source, target, axes)
    offset = view.offset[0] - axes[0].low, view.offset[1] - axes[1].low
    return replace(view, pitch_in=pitch, offset=offset, spare=(0, 0), image=False), made


def _pays(
    builder: Builder, view: View, axes: Sequence[Reach], planes: int, uses: np.ndarray
) -> bool:
    """Whether copying and reading takes fewer cycles than reading from afar."""
    travel, places, words = [], [], 1
    for axis in (0, 1):
        pitch, images = view.pitch_in[axis], builder.placement.batch[axis]
        count = 1 << max(view.pitch_out[axis], 0)
        at = (
            np.arange(count)[:, None] * view.stride[axis]
            + np.arange(uses.shape[axis]) * view.dilation[axis]
            + view.offset[axis]
        )
        lanes = at >> pitch if pitch >= 0 else at << -pitch
        place = np.arange(images) if view.cut[axis] else np.zeros(1, int)
        travel.append(np.abs(lanes[None] - place[:, None, None]).mean(axis=(0, 1)))
        places.append(float(place.mean()))
        words *= count
    afar = words * (uses * (1 + travel[0][:, None] + travel[1])).sum()
    near = words * uses.sum() * (1 + sum(places))
    copied = [
        np.abs(np.array(axis.used) >> p if p >= 0 else np.array(axis.used) << -p)
        for axis, p in zip(axes, view.pitch_in, strict=True)
    ]
    copying = planes * (2 + copied[0][:, None] + copied[1]).sum() + SETTINGS
    return near + copying < afar
