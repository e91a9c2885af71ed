"""Frames of corners: inputs of a node that drive its output to as many corners as have room."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from hw.corners.layer import Layer, Place
from hw.corners.nodes import kinds_of, layer_of, shares_of, spacing_of
from hw.ir import reference
from hw.ir.arithmetic import in_formats, out_format
from hw.ir.format import Format
from hw.ir.graph import Node
from hw.ir.integers import codes_of
from hw.ir.network import Network

PLAIN = 2
"""The first frames, where there are more: all codes the smallest, all the largest."""

LEAST_FRAMES, MOST_FRAMES, PIXELS = 8, 32, 2048
"""Frames where no number is asked for: as many as have room for all corners, but no more than have
`PIXELS` of the network's image, and between the first two whatever that says."""

TRIED = 8
"""Corners that are tried at a place: at a border not every one can be had."""


class Corner(NamedTuple):
    """A corner that an input reaches.

    Parameters
    ----------
    frame, y, x, channel: of the output; frames count from the first one of corners
    kind: what is reached there
    code: of the output, before any clamp
    """

    frame: int
    y: int
    x: int
    channel: int
    kind: str
    code: int


@dataclass(frozen=True)
class Corners:
    """Frames of corners for one node.

    Parameters
    ----------
    inputs: codes of each input of the node, int64 (frames, H, W, C)
    output: what the reference makes of them
    reached: the corners in them
    out_of_reach: (channel, kind) of those that no input of the formats gives
    no_room: (channel, kind) of those that more frames would have
    """

    inputs: tuple[np.ndarray, ...]
    output: np.ndarray
    reached: tuple[Corner, ...] = ()
    out_of_reach: tuple[tuple[int, str], ...] = ()
    no_room: tuple[tuple[int, str], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The corners, not the frames."""
        return {
            "reached": [corner._asdict() for corner in self.reached],
            "out_of_reach": list(self.out_of_reach),
            "no_room": list(self.no_room),
        }


def make(network: Network, node: Node, frames: int, seed: int) -> Corners:
    """The corners of one node, as many as `frames` frames have room for."""
    rng = np.random.default_rng([seed, crc32(node.name.encode())])
    layer = layer_of(network, node)
    shapes, formats = network.graph.in_shapes(node), in_formats(network, node.name)
    inputs = [
        _background(fmt, frames, shape, rng) for fmt, shape in zip(formats, shapes, strict=True)
    ]
    reached, beyond, no_room = [], [], []
    for share in layer.shares:
        waiting: deque[tuple[int, str]] = deque()
        first = int(rng.integers(len(share)))
        for kind in layer.rules[share[0]].kinds:
            for channel in (*share[first:], *share[:first]):
                fits = layer.solvable(channel, kind, *layer.middle)
                (waiting if fits else beyond).append((channel, kind))
        for place in _places(layer, _plain(frames), frames, rng):
            for _ in range(min(TRIED, len(waiting))):
                channel, kind = waiting.popleft()
                code = layer.solve(inputs, place, channel, kind, rng)
                if code is not None:
                    reached.append(Corner(*place, channel, kind, code))
                    break
                waiting.append((channel, kind))
        no_room += waiting
    return replace(
        fed(network, node, inputs),
        reached=tuple(reached),
        out_of_reach=tuple(beyond),
        no_room=tuple(no_room),
    )


def fed(network: Network, node: Node, inputs: Sequence[np.ndarray]) -> Corners:
    """These inputs of a node, and what it makes of them."""
    output = reference.operation(network, node.name)(inputs)
    return Corners(tuple(inputs), codes_of(output, out_format(network, node.name).width))


def frames_for(network: Network, names: Iterable[str]) -> int:
    """Frames of corners for the nodes named, where no number is asked for."""
    height, width, _ = network.graph.input.shape
    most = min(max(PIXELS // (height * width), LEAST_FRAMES), MOST_FRAMES)
    needed = LEAST_FRAMES
    for name in names:
        node = network.graph[name]
        down, across = spacing_of(network, node)
        places = max(1, node.shape[0] // down) * max(1, node.shape[1] // across)
        corners = len(kinds_of(node)) * max(map(len, shares_of(node)))
        # At a border some cannot be had: a quarter more room than there are corners.
        needed = max(needed, PLAIN - (-5 * corners // (4 * places)))
    return min(needed, most)


def with_corners(
    node: Node, tensors: Mapping[str, np.ndarray], corners: Corners | None
) -> tuple[list[np.ndarray], np.ndarray]:
    """What a node reads and what it gives: the reference's tensors, then its corners if it has
    any."""
    fed, given = [tensors[name] for name in node.inputs], tensors[node.name]
    if corners is None:
        return fed, given
    pairs = zip(fed, corners.inputs, strict=True)
    return [np.concatenate(pair) for pair in pairs], np.concatenate([given, corners.output])


def counts(made: Collection[Corners]) -> dict[str, int]:
    """Frames, as many for each, and corners of all of them."""
    return {
        "frames": max((len(corners.output) for corners in made), default=0),
        "reached": sum(len(corners.reached) for corners in made),
        "out_of_reach": sum(len(corners.out_of_reach) for corners in made),
        "no_room": sum(len(corners.no_room) for corners in made),
    }


def _plain(frames: int) -> int:
    return PLAIN if frames > PLAIN else 0


def _background(
    fmt: Format, frames: int, shape: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """Frames of noise, a fifth of it at the ends of the range, behind the plain ones."""
    noise = rng.integers(fmt.qmin, fmt.qmax, (frames, *shape), endpoint=True)
    dice = rng.random(noise.shape)
    noise[dice < 0.1], noise[dice > 0.9] = fmt.qmin, fmt.qmax
    for frame, code in zip(range(_plain(frames)), (fmt.qmin, fmt.qmax), strict=False):
        noise[frame] = code
    return noise


def _places(layer: Layer, first: int, frames: int, rng: np.random.Generator) -> Iterator[Place]:
    """Output pixels, in any order, whose windows do not overlap."""
    found = []
    for frame in range(first, frames):
        # Two frames of three have a window that sees all it can, as the ends of its sum take it.
        starts = [at % step for at, step in zip(layer.middle, layer.spacing, strict=True)]
        if frame % 3 == 2:
            starts = [
                int(rng.integers(min(step, side)))
                for step, side in zip(layer.spacing, layer.out, strict=True)
            ]
        found += [
            (frame, y, x)
            for y in range(starts[0], layer.out[0], layer.spacing[0])
            for x in range(starts[1], layer.out[1], layer.spacing[1])
        ]
    for k in rng.permutation(len(found)).tolist():
        yield found[k]
