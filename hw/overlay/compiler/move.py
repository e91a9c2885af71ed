"""Planes of the prefix that the suffix reads: put where their image lies in its batch."""

from collections.abc import Sequence

from hw.ir.graph import Node
from hw.overlay.compiler.builder import Builder
from hw.overlay.compiler.emitter import Group, View
from hw.overlay.isa import Mode


def move(builder: Builder, node: Node, sources: Sequence[int], targets: Sequence[int]) -> list[int]:
    """Copy the first image's lanes to those of the image; indices of the captures."""
    pitch = builder.placement.pitches[node.name]
    rows, columns = (
        p < 0 and images > 1 for p, images in zip(pitch, builder.placement.batch, strict=True)
    )
    # Read as if each lane held a pixel: then it travels by the image's place.
    flat = [0 if cut else p for p, cut in zip(pitch, (rows, columns), strict=True)]
    builder.emitter.configure(
        View(
            pitch_in=(flat[0], flat[1]),
            pitch_out=pitch,
            size=node.shape[:2],
            cut=(rows, columns),
        )
    )
    builder.aim(sources)
    indices = []
    for source, target in zip(sources, targets, strict=True):
        group = Group()
        builder.read(group, source)
        group.capture(target, Mode.WIDE)
        indices.append(builder.emitter.group(group))
    return indices
