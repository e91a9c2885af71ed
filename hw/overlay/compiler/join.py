"""Add, concat, select: planes pixel by pixel, or only their names."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hw.ir.arithmetic import Alignment, alignment, alignments, in_formats
from hw.ir.format import Format
from hw.ir.graph import Add, Concat, Node, Select
from hw.overlay import isa
from hw.overlay.compiler.builder import Builder
from hw.overlay.compiler.emitter import Group
from hw.overlay.compiler.planes import Tensor
from hw.overlay.compiler.ranges import known
from hw.overlay.compiler.terms import Terms, Wanted
from hw.overlay.isa import Mode


@dataclass(frozen=True)
class _Part:
    """A channel of the output: channels of tensors that are aligned and summed."""

    sources: tuple[tuple[str, int], ...]
    alignment: Alignment
    formats: tuple[Format, ...]


def add(builder: Builder, node: Add) -> None:
    """Each input at its level."""
    derived = alignment(builder.network, node.name)
    formats = in_formats(builder.network, node.name)
    parts = {
        channel: _Part(tuple((name, channel) for name in node.inputs), derived, formats)
        for channel in range(node.shape[2])
    }
    planes = _sums(builder, node, parts)
    builder.give(node, [planes[channel] for channel in range(node.shape[2])])


def concat(builder: Builder, node: Concat) -> None:
    """Where an input has the node's format its planes are renamed, else they are brought to it."""
    target = builder.out_format(node)
    parts: dict[int, _Part] = {}
    renamed: dict[int, tuple[str, int]] = {}
    at = 0
    formats = in_formats(builder.network, node.name)
    derived = alignments(builder.network, node.name)
    for name, source, aligned in zip(node.inputs, formats, derived, strict=True):
        within = source.qmin >= target.qmin and source.qmax <= target.qmax
        for channel in range(len(builder.tensors[name].planes)):
            if within and source.frac == target.frac and not builder.tensors[name].image:
                renamed[at] = name, channel
            else:
                parts[at] = _Part(((name, channel),), aligned, (source,))
            at += 1
    for channel, (name, other) in renamed.items():
        builder.memory.hold([builder.tensors[name].planes[other]])
        builder.places.setdefault(node.name, {})[channel] = builder.places[name][other]
    planes = {at: builder.tensors[name].planes[c] for at, (name, c) in renamed.items()}
    planes |= _sums(builder, node, parts)
    builder.give(node, [planes[channel] for channel in range(node.shape[2])])


def select(builder: Builder, node: Select) -> None:
    """Planes renamed."""
    rename(builder, node, node.channels)


def rename(builder: Builder, node: Node, channels: tuple[int, ...]) -> None:
    """The node's tensor is made of these channels of its input."""
    (name,) = builder.inputs[node.name]
    source = builder.tensors[name]
    planes = [source.planes[channel] for channel in channels]
    if not source.image:
        builder.memory.hold(planes)
    builder.tensors[node.name] = Tensor(tuple(planes), source.pitch, source.image)
    old = builder.places[name]
    builder.places[node.name] = {at: old[channel] for at, channel in enumerate(channels)}


def _sums(builder: Builder, node: Node, parts: Mapping[int, _Part]) -> dict[int, int]:
    """Planes of these channels; what is read for the last time makes room for them."""
    if not parts:
        return {}
    ending = builder.finish(node)
    last = builder.last_read(node)
    uses: dict[tuple[str, int], int] = {}
    for part in parts.values():
        for source in set(part.sources):
            uses[source] = uses.get(source, 0) + 1
    builder_planes = {
        name: _without_image(builder, node, name)
        for name in dict.fromkeys(name for part in parts.values() for name, _ in part.sources)
    }
    constants = {name: known(builder.ranges, name) for name in builder_planes}
    codes = known(builder.ranges, node.name)
    builder.pixelwise(node)
    planes, indices = {}, []
    for channel, part in parts.items():
        sources = [builder_planes[name].planes[at] for name, at in part.sources]
        view = builder.emitter.view
        assert view is not None
        builder.aim(sources)
        slots = builder_planes[part.sources[0][0]]
        size = 1 << sum(max(p, 0) for p in slots.pitch)
        operand = np.array(
            [isa.operand(plane // size - builder.emitter.base_slot) for plane in sources]
        )
        constant, varies = part.alignment.rounding, np.full(len(sources), channel not in codes)
        for at, (name, source) in enumerate(part.sources):
            if source in constants[name]:
                constant += constants[name][source] << part.alignment.left[at]
                varies[at] = False
        terms = Terms.of(
            np.array(part.alignment.left, np.int64),
            np.zeros(len(sources), bool),
            operand,
            np.array(sources),
            (min(0, *(f.qmin for f in part.formats)), max(0, *(f.qmax for f in part.formats))),
        )[varies]
        wanted = Wanted.of(terms, constant, part.alignment.shift)
        if channel in codes:
            wanted = Wanted(terms, codes[channel], 0)
        found = builder.arrange(node, wanted, ending)
        group = Group()
        group.sum(found)
        for source in set(part.sources):
            uses[source] -= 1
            if source[0] in last and not uses[source] and source not in builder.released:
                builder.release(*source)
        (planes[channel],) = builder.take(node, 1)
        builder.end(group, planes[channel], ending)
        indices.append(builder.emitter.group(group))
    builder.complete(node, list(parts), list(planes.values()), indices, ending)
    for name, tensor in builder_planes.items():
        if tensor is not builder.tensors[name]:
            builder.memory.drop(tensor.planes)
    return planes


def _without_image(builder: Builder, node: Node, name: str) -> Tensor:
    """A tensor, or its copy if it lies in the image's buffer, of which there are two."""
    tensor = builder.tensors[name]
    if not tensor.image:
        return tensor
    size = builder.network.graph[name].shape[:2]
    planes = builder.memory.take(node.name, len(tensor.planes), tensor.pitch)
    builder.pixelwise(node, image=True, size=size)
    builder.aim(tensor.planes)
    for source, plane in zip(tensor.planes, planes, strict=True):
        group = Group()
        builder.read(group, source)
        group.capture(plane, Mode.WIDE)
        builder.emitter.group(group)
    return Tensor(planes, tensor.pitch)
