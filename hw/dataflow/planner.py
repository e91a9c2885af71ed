"""The planner: proposes a plan for a network and a board.

One rule: every layer starts as the cheapest variant of its datapath; while the frame rate asked for
is not reached, the layer that limits it gets its next faster variant, as long as the estimated LUT
stay within the budget. Stores and FIFOs are made as large as the resulting speed needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from math import inf
from typing import NamedTuple

from hw.board.boards import NONE, limits
from hw.dataflow import cost
from hw.dataflow.design.loadable import room_for
from hw.dataflow.flow import deadlock
from hw.dataflow.flow.contract import ENGINES, JOINS, Process, least_store, power_of_two, processes
from hw.dataflow.flow.schedule import Timing, busy, occupancy, schedule
from hw.dataflow.flow.timing import engine_timing, pipelines, pool_timing, timings
from hw.dataflow.plan import MIN_FIFO_DEPTH, LayerPlan, LoadPlan, Plan
from hw.errors import CheckFailed
from hw.ir.graph import AvgPool, Conv, GlobalPool, MaxPool, Node, Weighted
from hw.ir.network import Network

CLOCK_MHZ = 50.0

SHARE = 0.8
"""Of the board's LUT that a network may take if no budget is given; and of its block RAMs."""

LUTS_A_BLOCK = 100
"""Estimated LUT that a block RAM must save for a program to go there."""


@dataclass(frozen=True)
class Variant:
    """A way to build a layer, its timing and its estimated size."""

    layer: LayerPlan
    timing: Timing
    lut: int


def propose(
    network: Network,
    board: str,
    *,
    fps: float | None = None,
    luts: int | None = None,
    loadable: bool = False,
    cover: Sequence[Network] = (),
) -> Plan:
    """A plan by the rule above.

    With `loadable` the weights can be loaded at run time; there is room for the scales and biases
    of the networks in `cover` too, which have the same structure.

    Without `fps` it is the fastest one within the budget of `luts` LUT sites (default: 80 % of the
    board's), with `fps` the first on the way that reaches so many frames a second. For the board
    "none" only `luts` is a limit.

    Raises
    ------
    InputError: no such board
    CheckFailed: no plan reaches `fps`, or none fits the budget or the board's block RAM
    """
    target = limits(board)
    budget = luts if luts is not None else int(SHARE * target.luts) if target else inf
    name = target.name if target else NONE
    search = _Search(network, name, (network, *cover) if loadable else ())
    # Every step is kept: buffers are only known at the end, and may cost the last one or two.
    while fps is None or search.fps() < fps:
        if not search.faster() or search.lut > budget:
            break
    reached = search.fps()
    while True:
        plan = search.plan()
        lut = cost.logic(network, plan).lut
        if lut <= budget:
            break
        if not search.back():
            raise CheckFailed(
                f"plan: the smallest plan takes about {lut} LUT, more than the {budget} allowed;"
                " choose a larger --luts, a larger board or a smaller network, or plan without a"
                " board's limits: shiftnas plan NET --board none"
            )
    best = search.fps()
    if fps is not None and best < fps:
        limit = "with no faster layer to choose" if reached == best else f"within {budget} LUT"
        raise CheckFailed(
            f"plan: {best:.1f} frames/s at {CLOCK_MHZ:g} MHz are the most {limit}, {fps:g} were"
            f" asked for; the limit is {search.limiting()}"
        )
    # A schedule exists, so nothing locks up; the token model, which knows of no time, must agree.
    stores = {name: layer.store for name, layer in plan.layers.items()}
    held = pipelines(network, plan)
    plan = replace(plan, fifos=deadlock.repaired(network.graph, stores, plan.fifos, held))
    if target is None:
        return plan
    if not loadable:
        plan = _within_ram(network, plan, int(SHARE * target.ram_blocks))
    blocks = sum(cost.ram_blocks(network, node, plan) for node in network.graph)
    if blocks > target.ram_blocks:
        raise CheckFailed(
            f"plan: {blocks} block RAMs needed, {target.name} has {target.ram_blocks};"
            " choose a larger board, or plan without limits: --board none"
        )
    return plan


class _Search:
    """The variants of every engine, from the cheapest to the fastest, and the one chosen of each.

    A step costs the same however many layers there are: only what it changes is looked at again.
    """

    def __init__(self, network: Network, board: str, covered: Sequence[Network]):
        self.network, self.board, self.graph = network, board, network.graph
        self.contracts: Mapping[str, Process] = processes(self.graph)
        self.ladders = {
            node.name: variants(network, node, covered)
            for node in self.graph
            if isinstance(node, ENGINES)
        }
        self.chosen = dict.fromkeys(self.ladders, 0)
        self.timings: dict[str, Timing] = {
            node.name: pool_timing(network, node)
            for node in self.graph
            if isinstance(node, GlobalPool)
        }
        pools = set(self.timings)
        self.timings |= {name: ladder[0].timing for name, ladder in self.ladders.items()}
        self.steps: list[str] = []
        cycles = {n: busy(self.graph, one, self.timings) for n, one in self.contracts.items()}
        self.cycles = cycles
        self.order = {name: position for position, name in enumerate(cycles)}
        # The busiest first, of equals the first; an entry that is no longer true is skipped.
        self.busiest = [(-count, self.order[name], name) for name, count in cycles.items()]
        heapify(self.busiest)
        first = self.plan()
        # LUT, estimated with the FIFOs of the slowest choice.
        self.lut = sum(ladder[0].lut for ladder in self.ladders.values()) + sum(
            cost.layer_logic(network, node, first).lut
            for node in self.graph
            if node.name in first.fifos or node.name in pools
        )

    def limiting(self) -> str:
        """The node that needs the most cycles a frame."""
        while -self.busiest[0][0] != self.cycles[self.busiest[0][2]]:
            heappop(self.busiest)
        return self.busiest[0][2]

    def fps(self) -> float:
        return CLOCK_MHZ * 1e6 / self.cycles[self.limiting()]

    def faster(self) -> bool:
        """Takes the next variant of the layer that limits; false if it has none."""
        name = self.limiting()
        if name not in self.chosen or self.chosen[name] + 1 == len(self.ladders[name]):
            return False
        self._choose(name, self.chosen[name] + 1)
        self.steps.append(name)
        return True

    def back(self) -> bool:
        """Takes the last step back; false if there is none."""
        if not self.steps:
            return False
        name = self.steps.pop()
        self._choose(name, self.chosen[name] - 1)
        return True

    def _choose(self, name: str, position: int) -> None:
        ladder = self.ladders[name]
        self.lut += ladder[position].lut - ladder[self.chosen[name]].lut
        self.chosen[name] = position
        self.timings[name] = ladder[position].timing
        # Another node's cycles depend on this one only if this one is a global pool.
        self.cycles[name] = busy(self.graph, self.contracts[name], self.timings)
        heappush(self.busiest, (-self.cycles[name], self.order[name], name))

    def plan(self) -> Plan:
        """The plan of what is chosen, with stores and FIFOs as large as its speed needs."""
        layers = {name: self.ladders[name][step].layer for name, step in self.chosen.items()}
        plan = Plan(self.network.digest, self.board, CLOCK_MHZ, layers, {})
        return with_buffers(self.network, plan, self.contracts, self.timings)


def variants(network: Network, node: Node, covered: Sequence[Network] = ()) -> list[Variant]:
    """Ways to build an engine, each larger and faster than the one before.

    `covered`: networks whose weights are to be loadable; none: the weights are fixed.
    """
    (shape,) = network.graph.in_shapes(node)
    store = power_of_two(least_store(node, shape))
    if isinstance(node, MaxPool | AvgPool):
        kinds = [LayerPlan("pool", 1, store)]
    else:
        channels = node.shape[2]
        dense = not isinstance(node, Conv) or node.groups == 1
        lanes = [pe for pe in range(1, channels + 1) if channels % pe == 0] if dense else [1]
        kinds = [LayerPlan("barrel", pe, store) for pe in lanes]
        if network.arithmetic.guard is None:
            kinds.append(LayerPlan("horner", 1, store))
        if covered:
            assert isinstance(node, Weighted)
            kinds = [_loadable(network, node, layer, covered) for layer in kinds]
        else:
            kinds = [_placed(network, node, layer) for layer in kinds]
    found = [
        Variant(layer, engine_timing(network, node, layer), _lut(network, node, layer))
        for layer in kinds
    ]
    ladder: list[Variant] = []
    for variant in sorted(found, key=lambda one: (one.lut, one.timing.interval)):
        if not ladder or variant.timing.interval < ladder[-1].timing.interval:
            ladder.append(variant)
    return ladder


def _loadable(
    network: Network, node: Weighted, layer: LayerPlan, covered: Sequence[Network]
) -> LayerPlan:
    """The layer with room for the weights of all `covered` networks, where it is cheaper."""
    rooms = [room_for(one, node, layer) for one in covered]
    scales = [room.scale for room in rooms if room.scale is not None]
    biases = [room.bias for room in rooms if room.bias is not None]
    room = LoadPlan(
        rooms[0].words,
        (min(low for low, _ in scales), max(high for _, high in scales)) if scales else None,
        max(biases) if biases else None,
    )
    lutram, block = (replace(layer, weights=place, load=room) for place in ("lutram", "block"))
    saved = _lut(network, node, lutram) - _lut(network, node, block)
    blocks = [cost.ram_blocks(network, node, _alone(node, one)) for one in (lutram, block)]
    return block if saved >= LUTS_A_BLOCK * (blocks[1] - blocks[0]) else lutram


def _lut(network: Network, node: Node, layer: LayerPlan) -> int:
    return cost.layer_logic(network, node, _alone(node, layer)).lut


def _alone(node: Node, layer: LayerPlan) -> Plan:
    """A plan for one node, to ask for its cost."""
    return Plan("", "", CLOCK_MHZ, {node.name: layer}, {})


def _placed(network: Network, node: Node, layer: LayerPlan) -> LayerPlan:
    """The layer with its program where it is cheaper."""
    block = replace(layer, weights="block")
    saved = _lut(network, node, layer) - _lut(network, node, block)
    blocks = _extra_blocks(network, node, layer)
    return block if saved >= LUTS_A_BLOCK * blocks else layer


def _extra_blocks(network: Network, node: Node, layer: LayerPlan) -> int:
    """Block RAMs of a layer's program."""
    block, logic = (replace(layer, weights=place) for place in ("block", "logic"))
    return cost.ram_blocks(network, node, _alone(node, block)) - cost.ram_blocks(
        network, node, _alone(node, logic)
    )


def _within_ram(network: Network, plan: Plan, blocks: int) -> Plan:
    """The plan with as many programs back in logic as the block RAMs require, smallest first."""
    excess = sum(cost.ram_blocks(network, node, plan) for node in network.graph) - blocks
    moved = {
        name: replace(layer, weights="logic")
        for name, layer in plan.layers.items()
        if layer.weights == "block"
    }
    price = {n: _lut(network, network.graph[n], layer) for n, layer in moved.items()}
    layers = dict(plan.layers)
    for name in sorted(moved, key=lambda name: price[name]):
        if excess <= 0:
            break
        excess -= _extra_blocks(network, network.graph[name], layers[name])
        layers[name] = moved[name]
    return replace(plan, layers=layers)


class Depth(NamedTuple):
    """What a join's FIFO must hold: lest the network lock up, and lest it slow down."""

    deadlock: int
    throughput: int


def needed_depths(network: Network, plan: Plan) -> dict[str, tuple[Depth, ...]]:
    """Depths that each FIFO of a plan needs, with the plan's stores.

    One beat less than `deadlock` locks the network up (in a FIFO deeper than the least); with
    `throughput` beats everywhere it takes `cost.predict`'s cycles a frame.
    """
    graph = network.graph
    stores = {name: layer.store for name, layer in plan.layers.items()}
    least = deadlock.depths(graph, stores, MIN_FIFO_DEPTH, pipelines(network, plan))
    fast = with_buffers(network, plan, processes(graph), timings(network, plan)).fifos
    return {
        name: tuple(Depth(*pair) for pair in zip(least[name], fast[name], strict=True))
        for name in plan.fifos
    }


def with_buffers(
    network: Network,
    plan: Plan,
    contracts: Mapping[str, Process],
    timings: Mapping[str, Timing],
) -> Plan:
    """The plan with the stores and FIFOs that let its slowest process run without a pause."""
    graph = network.graph
    period = max(busy(graph, one, timings) for one in contracts.values())
    space = occupancy(graph, contracts, schedule(graph, contracts, timings, period, even=True))
    layers = {
        name: replace(layer, store=max(layer.store, power_of_two(space[name, 0])))
        for name, layer in plan.layers.items()
    }
    fifos = {
        node.name: tuple(max(MIN_FIFO_DEPTH, space[node.name, k]) for k in range(len(node.inputs)))
        for node in graph
        if isinstance(node, JOINS)
    }
    return replace(plan, layers=layers, fifos=fifos)
