"""Deadlock: does a network of given buffers run, and which FIFOs are just large enough.

An untimed token model over the whole network (state 0 skips a cell, so joins reach across cells).
The network is determinate, so a single maximal run decides: if it ends before the last beat, every
run does. The model advances each process as far as it can go at once, not beat by beat.

One frame is enough in theory (a frame at a time is a possible schedule and returns every process to
where it began); the functions here run two, so that the borders between frames are walked over.
"""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from math import prod
from pathlib import Path
from types import MappingProxyType

import numpy as np

from hw import cache
from hw.dataflow.design import geometry
from hw.dataflow.flow import contract
from hw.dataflow.flow.contract import Pipeline, Process, input_space, processes
from hw.dataflow.plan import JOINS, MIN_FIFO_DEPTH
from hw.ir.graph import Graph

FRAMES = 2

LARGE = 1_000_000
"""Beats a frame, over all tensors, from which on the depths found are kept."""

DEPTHS = "depths.json"

NO_PIPELINES: Mapping[str, Pipeline] = MappingProxyType({})

Place = tuple[str, int]
"""An input: node name and position."""


class Run:
    """The token model of one network.

    Each process holds one finished beat in its output register until all its readers took it; a
    reader takes it when it has space (an eager fork: readers need not wait for each other).

    Parameters
    ----------
    graph: pruned
    space: beats each input can hold, see `contract.input_space`; may grow during the run
    frames: how many are sent
    pipelines: what the engines' registers hold; none: an engine reads a pixel's operands when it
        writes the pixel
    """

    def __init__(
        self,
        graph: Graph,
        space: Mapping[Place, int],
        frames: int = FRAMES,
        pipelines: Mapping[str, Pipeline] = NO_PIPELINES,
    ):
        self.graph = graph
        self.space = dict(space)
        self._nodes = [
            _Tokens(one, frames, pipelines.get(name)) for name, one in processes(graph).items()
        ]
        self._index = {tokens.name: i for i, tokens in enumerate(self._nodes)}
        self._sources = [[self._index[name] for name in node.inputs] for node in graph]
        self._readers = [
            [(self._index[reader], position) for reader, position in graph.readers[node.name]]
            for node in graph
        ]
        self._todo = deque(range(len(self._nodes)))
        self._queued = [True] * len(self._nodes)

    def advance(self) -> bool:
        """Runs as far as possible; true if the last beat came out."""
        while self._todo:
            index = self._todo.popleft()
            self._queued[index] = False
            self._step(index)
        last = self._nodes[-1]
        return last.written == last.total

    def _step(self, index: int) -> None:
        tokens = self._nodes[index]
        startable = tokens.startable()
        capacities = [
            self._nodes[reader].capacity(position, self.space[self._nodes[reader].name, position])
            for reader, position in self._readers[index]
        ]
        tokens.written = max(tokens.written, min([startable, *(one + 1 for one in capacities)]))
        read = tokens.reads(startable)
        if read > tokens.read:
            tokens.read = read
            for source in self._sources[index]:
                self._wake(source)
        for (reader, position), capacity in zip(self._readers[index], capacities, strict=True):
            taken = min(tokens.written, capacity)
            accepted = self._nodes[reader].accepted
            if taken > accepted[position]:
                accepted[position] = taken
                self._wake(reader)

    def _wake(self, index: int) -> None:
        if not self._queued[index]:
            self._queued[index] = True
            self._todo.append(index)

    def grow(self, place: Place) -> None:
        """Adds a beat of space at an input."""
        self.space[place] += 1
        self._wake(self._sources[self._index[place[0]]][place[1]])

    def cycle(self) -> list[Place]:
        """The full inputs in a circle of processes that wait for each other, after a deadlock."""
        chain: list[tuple[int, Place | None]] = []
        seen: dict[int, int] = {}
        index = len(self._nodes) - 1
        while index not in seen:
            seen[index] = len(chain)
            waits_for, full = self._blame(index)
            chain.append((index, full))
            index = waits_for
        return [full for _, full in chain[seen[index] :] if full is not None]

    def _blame(self, index: int) -> tuple[int, Place | None]:
        """What a stuck process waits for: a source that is empty or a reader that is full."""
        tokens = self._nodes[index]
        for position, source in enumerate(self._sources[index]):
            if tokens.startable_by(position) <= tokens.written:
                return source, None
        for reader, position in self._readers[index]:
            place = (self._nodes[reader].name, position)
            if self._nodes[reader].capacity(position, self.space[place]) < tokens.written:
                return reader, place
        raise AssertionError(f"{tokens.name} is not stuck")


class _Tokens:
    """Counters of one process."""

    def __init__(self, contract: Process, frames: int, registers: Pipeline | None):
        self.name = contract.name
        self.written = 0
        self.read = 0
        self._registers = registers
        self.total = contract.out_beats * frames
        self.accepted = [0] * len(contract.sources)
        self._group, self._groups = contract.group, contract.groups
        self._in_beats = contract.in_beats
        self._base = [base.tolist() for base in contract.base]
        # Groups that may start once a beats of the frame are there, a = 0 … beats of the frame.
        self._ready = [
            np.searchsorted(need, np.arange(beats), side="right").tolist()
            for need, beats in zip(contract.need, contract.in_beats, strict=True)
        ]

    def startable_by(self, position: int) -> int:
        """Output beats that input `position` allows."""
        frame, beats = divmod(self.accepted[position], self._in_beats[position])
        groups = frame * self._groups + self._ready[position][beats]
        return min(self.total, groups * self._group)

    def startable(self) -> int:
        """Output beats that all inputs allow."""
        return min(map(self.startable_by, range(len(self.accepted))), default=self.total)

    def reads(self, startable: int) -> int:
        """Groups whose operands may be forgotten, where `startable` beats could be written."""
        if self._registers is None:
            return self.written // self._group
        ahead = self._registers.read(self.written) * self._registers.lanes
        return max(self.written, min(startable, ahead)) // self._group

    def capacity(self, position: int, space: int) -> int:
        """Beats that input `position` can have accepted by now."""
        frame, group = divmod(self.read, self._groups)
        return frame * self._in_beats[position] + self._base[position][group] + space


def locks(
    graph: Graph,
    stores: Mapping[str, int],
    fifos: Mapping[str, tuple[int, ...]],
    pipelines: Mapping[str, Pipeline] = NO_PIPELINES,
) -> bool:
    """True if the network cannot bring out every frame with these stores and FIFO depths."""
    space = input_space(graph, stores, fifos)
    return not Run(graph, space, pipelines=pipelines).advance()


def depths(
    graph: Graph,
    stores: Mapping[str, int],
    pipelines: Mapping[str, Pipeline] = NO_PIPELINES,
) -> dict[str, tuple[int, ...]]:
    """The smallest FIFO depths, each for itself, with which the network runs.

    Those of a large network are kept on disk: they take about a minute to find.
    """
    shallow = MIN_FIFO_DEPTH
    joins = {node.name: (shallow,) * len(node.inputs) for node in graph if isinstance(node, JOINS)}
    if sum(prod(node.shape) for node in graph) < LARGE:
        return repaired(graph, stores, joins, pipelines)
    code = [
        Path(module).read_bytes() for module in (__file__, contract.__file__, geometry.__file__)
    ]
    registers_of = {name: asdict(one) for name, one in sorted(pipelines.items())}
    asked = json.dumps([sorted(stores.items()), shallow, registers_of])

    def find(folder: Path) -> None:
        found = repaired(graph, stores, joins, pipelines)
        (folder / DEPTHS).write_text(json.dumps(found), encoding="utf-8")

    folder, _ = cache.entry("depths", cache.digest_of(repr(graph.nodes), asked, *code), find)
    found = json.loads((folder / DEPTHS).read_text(encoding="utf-8"))
    return {name: tuple(one) for name, one in found.items()}


def repaired(
    graph: Graph,
    stores: Mapping[str, int],
    fifos: Mapping[str, tuple[int, ...]],
    pipelines: Mapping[str, Pipeline] = NO_PIPELINES,
) -> dict[str, tuple[int, ...]]:
    """The given depths, made larger where the network locks up with them.

    Adds a beat to the smallest FIFO in a circle of waiting processes each time the network locks up
    (Parks' procedure), so hardly a FIFO grows that would not have to.
    """
    run = Run(graph, input_space(graph, stores, fifos), pipelines=pipelines)
    while not run.advance():
        run.grow(min(_full_fifos(graph, run), key=lambda place: run.space[place]))
    return {
        name: tuple(run.space[name, position] for position in range(len(depths)))
        for name, depths in fifos.items()
    }


def _full_fifos(graph: Graph, run: Run) -> list[Place]:
    full = [place for place in run.cycle() if isinstance(graph[place[0]], JOINS)]
    if not full:
        raise ValueError("the network locks up without a full FIFO: a store is too small")
    return full
