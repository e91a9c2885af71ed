"""Buffers of a design: stores and FIFOs as large as its speed needs, and none that locks up."""

from collections.abc import Mapping
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


def needed_depths(design: Design) -> dict[str, tuple[Depth, ...]]:
    """Depths that each FIFO of a design needs, with its stores.

    One beat less than `deadlock` locks the network up (in a FIFO deeper than the least); with
    `throughput` beats everywhere it takes `cost.predict`'s cycles a frame.
    """
    graph = design.graph
    least = deadlock.depths(graph, design.stores, pipelines(design))
    fast = for_speed(design, processes(graph), timings(design)).fifos
    return {
        name: tuple(Depth(*pair) for pair in zip(least[name], fast[name], strict=True))
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
