"""Convolutions whose output takes the planes of their input, where there is little room.

A pointwise one reads of every plane only the word that it writes. So it is done word by word: all
channels' results of one word go into spare words first, then to where that word of the input was. A
plane's words outside of a body are planes of one word. A depthwise one reads one plane for each
that it writes, and is done with it then.
"""

from collections.abc import Callable, Sequence

import numpy as np

from hw.ir.graph import Conv, FactorizedReduce
from hw.overlay.compiler.builder import Builder
from hw.overlay.compiler.emitter import Group, View
from hw.overlay.isa import Mode

Emit = Callable[[View, np.ndarray, int, int], int]


def fits_in_place(
    builder: Builder, node: Conv | FactorizedReduce, view: View, kernel: Sequence[int]
) -> bool:
    """Whether a convolution can be done in place, and there is no room to do it otherwise."""
    if isinstance(node, FactorizedReduce) or node.name in {*builder.reserved, *builder.gathered}:
        return False
    alike = view.stride == (1, 1) and view.offset == (0, 0) and view.pitch_in == view.pitch_out
    return (
        max(kernel) == 1
        and alike
        and not (view.image or any(view.cut))
        and node.shape[2] <= len(builder.source(node).planes)
        and builder.memory.room(view.pitch_out) < node.shape[2]
        and builder.sole_reader(node)
    )


def in_place(
    builder: Builder, node: Conv | FactorizedReduce, view: View, emit: Emit
) -> tuple[int, ...]:
    """Do it; the output's planes.

    emit: a channel's sum from the planes of all input channels into a plane
    """
    memory, read = builder.memory, np.array(builder.source(node).planes, np.int64)
    planes = builder.source(node).planes[: node.shape[2]]
    memory.hold(planes)
    spare = memory.take(node.name, len(planes), (0, 0))
    counts = [1 << max(p, 0) for p in view.pitch_out]
    for row in range(counts[0]):
        for column in range(counts[1]):
            size = _lanes(view, 0, row), _lanes(view, 1, column)
            if min(size) == 0:
                # All lanes lie beyond the image: the input's zeros are the output's.
                continue
            word = row * counts[1] + column
            pitch = min(view.pitch_out[0], 0), min(view.pitch_out[1], 0)
            one = View(pitch_in=pitch, pitch_out=pitch, size=size, relu=view.relu)
            builder.emitter.configure(one)
            builder.aim([*(read + word), *spare])
            for channel, target in enumerate(spare):
                emit(one, read + word, channel, target)
            # What is copied may be negative.
            builder.emitter.configure(View(pitch_in=pitch, pitch_out=pitch, size=size))
            for plane, source in zip(planes, spare, strict=True):
                group = Group()
                builder.read(group, source)
                group.capture(plane + word, Mode.WIDE)
                builder.emitter.group(group)
    memory.drop(spare)
    return planes


def fits_one_by_one(
    builder: Builder, node: Conv | FactorizedReduce, view: View, inside: int
) -> bool:
    """Whether a convolution can give back a plane for each that it takes, and has to."""
    if isinstance(node, FactorizedReduce) or node.name in {*builder.reserved, *builder.gathered}:
        return False
    return (
        inside == 1
        and node.shape[2] == len(builder.source(node).planes)
        and not (view.image or any(view.cut))
        and builder.memory.room(view.pitch_out) < node.shape[2]
        and builder.sole_reader(node)
    )


def one_by_one(
    builder: Builder, node: Conv | FactorizedReduce, view: View, emit: Emit
) -> tuple[tuple[int, ...], list[int]]:
    """Do it; the output's planes, and indices of the captures."""
    read = np.array(builder.source(node).planes, np.int64)
    builder.emitter.configure(view)
    planes, indices = [], []
    for channel, source in enumerate(read.tolist()):
        (plane,) = builder.memory.take(node.name, 1, view.pitch_out)
        builder.aim([source])
        indices.append(emit(view, read, channel, plane))
        planes.append(plane)
        builder.release(node.inputs[0], channel)
    return tuple(planes), indices


def _lanes(view: View, axis: int, word: int) -> int:
    """Pixels on an axis that are in this word: of the plane's, or lanes of images apart."""
    pitch, side = view.pitch_out[axis], view.size[axis]
    return max(0, (side - 1 - word >> pitch) + 1) if pitch > 0 else side
