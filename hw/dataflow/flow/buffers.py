"""Buffers of a design: stores and FIFOs as large as its speed needs, and none that locks up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from hw.dataflow.design.design import Design
from hw.dataflow.design.geometry import store_of
from hw.dataflow.flow import deadlock
from hw.dataflow.flow.contract import Process, processes
from hw.dataflow.flow.schedule import Timing, busy, occupancy, schedule
from hw.dataflow.flow.timing import pipelines, timings
from hw.dataflow.plan import JOINS, MIN_FIFO_DEPTH


class Depth(NamedTuple):
    """What a join's FIFO must hold: lest the network lock up, and lest it slow down."""

    deadlock: int
    throughput: int


@dataclass(frozen=True)
class Short:
    """A buffer that is smaller than full speed asks for: the network may be slower.

    Parameters
    ----------
    field: of the plan, "fifos: cell0/node2: input 1" or "layers: stem/conv: store"
    depth, throughput: beats that it holds, and those with which nothing is held up
    """

    field: str
    depth: int
    throughput: int

    def __str__(self) -> str:
        return f"{self.field}: {self.depth} beats, full speed asks for {self.throughput}"


def at_full_speed(design: Design) -> Design:
    """The design with buffers that hold nobody up."""
    return for_speed(design, processes(design.graph), timings(design))


def short(design: Design, fast: Design | None = None) -> list[Short]:
    """The buffers of a design that are smaller than those `at_full_speed` (`fast`, if given)."""
    fast = fast or at_full_speed(design)
    stores = [
        Short(f"layers: {name}: store", store, fast.stores[name])
        for name, store in design.stores.items()
    ]
    fifos = [
        Short(f"fifos: {name}: input {position}", *pair)
        for name, depths in design.fifos.items()
        for position, pair in enumerate(zip(depths, fast.fifos[name], strict=True))
    ]
    return [one for one in (*stores, *fifos) if one.depth < one.throughput]


def needed_depths(design: Design, fast: Design | None = None) -> dict[str, tuple[Depth, ...]]:
    """Depths that each FIFO of a design needs, with its stores.

    One beat less than `deadlock` locks the network up (in a FIFO deeper than the least); with
    `throughput` beats everywhere, those of `at_full_speed` (`fast`, if given), it takes
    `cost.predict`'s cycles a frame.
    """
    graph = design.graph
    least = deadlock.depths(graph, design.stores, pipelines(design))
    fast_depths = (fast or at_full_speed(design)).fifos
    return {
        name: tuple(Depth(*pair) for pair in zip(least[name], fast_depths[name], strict=True))
        for name in design.fifos
    }


def for_speed(
    design: Design, contracts: Mapping[str, Process], timings: Mapping[str, Timing]
) -> Design:
    """The design with the stores and FIFOs that let its slowest process run without a pause."""
    graph = design.graph
    period = max(busy(graph, one, timings) for one in contracts.values())
    space = occupancy(graph, contracts, schedule(graph, contracts, timings, period, even=True))
    stores = {name: max(store, store_of(space[name, 0])) for name, store in design.stores.items()}
    fifos = {
        node.name: tuple(max(MIN_FIFO_DEPTH, space[node.name, k]) for k in range(len(node.inputs)))
        for node in graph
        if isinstance(node, JOINS)
    }
    return design.with_buffers(stores, fifos)
