"""Throughput: timed schedules of the whole network at full speed, and the buffers they need.

The source sends beats evenly so that a frame takes as long as the slowest process needs for one.
Then every process keeps up, and buffers as large as one such schedule fills them hold nobody back.
A source or a process that runs sooner can only make every beat come sooner, never later.

All times are clock cycles. Arrays have a time for each beat of one frame in the steady state; the
frame before is a period earlier. (From reset, every beat can only come sooner.)
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hw.dataflow.flow.contract import Process
from hw.ir.graph import GlobalPool, Graph

HANDOVER = 1
"""Cycles from a beat's appearance on a stream to its being readable in a store or FIFO."""


@dataclass(frozen=True)
class Timing:
    """Timing of one process; a group is what `contract.Process` calls so, for an engine a pixel.

    Parameters
    ----------
    interval: cycles from the start of an output group to the next one's at the earliest
    reading: cycles from the start of a group until its operands may be forgotten
    offsets: cycles from the start to each of the group's beats, increasing
    """

    interval: int
    reading: int
    offsets: tuple[int, ...]


STREAMING = Timing(interval=1, reading=2, offsets=(2,))
"""A join's timing: a beat a cycle. Its FIFO may lie in block RAM, which takes a cycle more."""


@dataclass(frozen=True)
class Schedule:
    """What happens when.

    Parameters
    ----------
    period: cycles a frame
    written: for each node, when each output beat appears; shape (beats,), increasing
    released: for each node but the input, when each output group (see `contract.Process`) is done
        with its operands; shape (groups,), increasing
    """

    period: int
    written: Mapping[str, np.ndarray]
    released: Mapping[str, np.ndarray]


def pace(graph: Graph, contract: Process, timings: Mapping[str, Timing]) -> np.ndarray:
    """Cycles from each output group's start to the next one's at the least, for one frame."""
    interval = timings.get(contract.name, STREAMING).interval
    cycles = np.full(contract.groups, interval, np.int64)
    for reader, _ in graph.readers[contract.name]:
        node = graph[reader]
        if isinstance(node, GlobalPool):
            # It takes the channels of the frame's last pixel at the pace at which the means leave,
            # but goes on with the next frame while it works on the last mean.
            wait = timings[reader].interval - 1
            others = contract.out_beats - node.shape[2]
            if contract.group == 1:
                cycles[-node.shape[2] : -1] += wait
                cycles[-1] += max(0, wait - others)
            else:
                cycles[-1] += (node.shape[2] - 1) * wait + max(0, wait - others)
    return cycles


def busy(graph: Graph, contract: Process, timings: Mapping[str, Timing]) -> int:
    """Cycles a process needs for one frame at the least."""
    cycles = max(contract.out_beats, *contract.in_beats, 0)
    return max(cycles, int(pace(graph, contract, timings).sum())) if contract.sources else cycles


def schedule(
    graph: Graph,
    contracts: Mapping[str, Process],
    timings: Mapping[str, Timing],
    period: int,
    *,
    even: bool,
) -> Schedule:
    """A schedule with a frame every `period` cycles and buffers without limit.

    Every process starts its groups as early as it can; with `even` it spreads them over the period.
    That needs the smallest buffers, because nothing runs ahead of its readers, but is late.
    `timings` has an entry for each engine and global pool of the graph.
    """
    written: dict[str, np.ndarray] = {}
    released: dict[str, np.ndarray] = {}
    for node in graph:
        contract = contracts[node.name]
        if not contract.sources:
            beat = np.arange(contract.out_beats, dtype=np.int64)
            written[node.name] = beat * period // contract.out_beats
            continue
        timing = timings.get(node.name, STREAMING)
        cycles = pace(graph, contract, timings)
        if even:
            spare = period - int(cycles.sum())
            cycles += np.diff(np.arange(len(cycles) + 1, dtype=np.int64) * spare // len(cycles))
        start = _paced(_ready(contract, written, period), cycles, period)
        written[node.name] = (start[:, None] + np.array(timing.offsets, np.int64)).ravel()
        released[node.name] = start + timing.reading
    return Schedule(period, written, released)


def _ready(contract: Process, written: Mapping[str, np.ndarray], period: int) -> np.ndarray:
    """When the beats that each output group needs are there."""
    arrivals = [
        # Needing none of a frame's beats is needing the last one of the frame before.
        np.where(need > 0, written[source][need - 1], written[source][-1] - period)
        for source, need in zip(contract.sources, contract.need, strict=True)
    ]
    return np.max(arrivals, axis=0) + HANDOVER


def _paced(ready: np.ndarray, cycles: np.ndarray, period: int) -> np.ndarray:
    """Earliest starts: max(ready[n], start[n - 1] + cycles[n - 1]), the frame before included."""
    offset = np.cumsum(cycles) - cycles
    early = np.maximum.accumulate(ready - offset)
    return np.maximum(early, early[-1] + int(cycles.sum()) - period) + offset


def occupancy(
    graph: Graph, contracts: Mapping[str, Process], plan: Schedule
) -> dict[tuple[str, int], int]:
    """Beats that each input, by (node, position), has to hold for the schedule to go ahead."""
    space = {}
    for node in graph:
        contract = contracts[node.name]
        for position, source in enumerate(contract.sources):
            arrival, released = plan.written[source], plan.released[node.name]
            # Groups done before each arrival, counted from this frame's first; the frames before
            # and after have done theirs whole periods earlier and later. A place freed in a cycle
            # is free in the next one.
            frame, rest = np.divmod(arrival - released[0], plan.period)
            done = np.searchsorted(released, rest + released[0], side="left")
            wrapped = done == len(released)
            frame, done = frame + wrapped, np.where(wrapped, 0, done)
            base = frame * contract.in_beats[position] + contract.base[position][done]
            space[node.name, position] = max(1, int((np.arange(len(arrival)) + 1 - base).max()))
    return space
