"""The planner: proposes a plan for a network and a board.

One rule: every layer starts as the cheapest variant of its datapath; while the frame rate asked for
is not reached, the layer that limits it gets its next faster variant, as long as the estimated LUT
stay within the budget. Stores and FIFOs are made as large as the resulting speed needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from heapq import heapify, heappop, heappush
from math import inf

from hw.dataflow import cost
from hw.dataflow.design.design import Design, design
from hw.dataflow.fabric import Device
from hw.dataflow.flow import buffers, deadlock
from hw.dataflow.flow.contract import Process, processes
from hw.dataflow.flow.schedule import busy
from hw.dataflow.flow.timing import pipelines, timings
from hw.dataflow.ladder import extra_blocks, variants
from hw.dataflow.plan import ENGINES, JOINS, MIN_FIFO_DEPTH, Plan
from hw.errors import CheckFailed
from hw.ir.network import Network

CLOCK_MHZ = 50.0

SHARE = 0.8
"""Of the board's LUT that a network may take if no budget is given; and of its block RAMs."""


def propose(
    network: Network,
    device: Device,
    *,
    fps: float | None = None,
    luts: int | None = None,
    loadable: bool = False,
    cover: Sequence[Network] = (),
) -> Design:
    """A design, and with it a plan, by the rule above.

    With `loadable` the weights can be loaded at run time; there is room for the scales and biases
    of the networks in `cover` too, which have the same structure.

    Without `fps` it is the fastest one within the budget of `luts` LUT sites (default: 80 % of the
    device's), with `fps` the first on the way that reaches so many frames a second. For a device
    without limits only `luts` is one.

    Raises
    ------
    CheckFailed: no plan reaches `fps`, or none fits the budget or the device's block RAM
    """
    budget = luts if luts is not None else int(SHARE * device.luts) if device.luts else inf
    search = _Search(network, device.board, (network, *cover) if loadable else ())
    # Every step is kept: buffers are only known at the end, and may cost the last one or two.
    while fps is None or search.fps() < fps:
        if not search.faster() or search.lut > budget:
            break
    reached = search.fps()
    while True:
        design = search.design()
        lut = cost.logic(design).lut
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
    fifos = deadlock.repaired(design.graph, design.stores, design.fifos, pipelines(design))
    design = design.with_buffers(design.stores, fifos)
    if device.ram_blocks is None:
        return design
    if not loadable:
        design = _within_ram(design, int(SHARE * device.ram_blocks))
    blocks = cost.ram_blocks(design)
    if blocks > device.ram_blocks:
        raise CheckFailed(
            f"plan: {blocks} block RAMs needed, {device.board} has {device.ram_blocks};"
            " choose a larger board, or plan without limits: --board none"
        )
    return design


class _Search:
    """The variants of every engine, from the cheapest to the fastest, and the one chosen of each.

    A step costs the same however many layers there are: only what it changes is looked at again.
    """

    def __init__(self, network: Network, board: str, covered: Sequence[Network]):
        self.graph = network.graph
        self.contracts: Mapping[str, Process] = processes(self.graph)
        self.ladders = {
            node.name: variants(network, node, covered)
            for node in self.graph
            if isinstance(node, ENGINES)
        }
        self.chosen = dict.fromkeys(self.ladders, 0)
        cheapest = {name: ladder[0].plan for name, ladder in self.ladders.items()}
        shallow = {
            node.name: (MIN_FIFO_DEPTH,) * len(node.inputs)
            for node in self.graph
            if isinstance(node, JOINS)
        }
        self.base = design(network, Plan(network.digest, board, CLOCK_MHZ, cheapest, shallow))
        self.timings = timings(self.base)
        self.steps: list[str] = []
        cycles = {n: busy(self.graph, one, self.timings) for n, one in self.contracts.items()}
        self.cycles = cycles
        self.order = {name: position for position, name in enumerate(cycles)}
        # The busiest first, of equals the first; an entry that is no longer true is skipped.
        self.busiest = [(-count, self.order[name], name) for name, count in cycles.items()]
        heapify(self.busiest)
        # LUT, estimated with the FIFOs of the slowest choice.
        self.lut = sum(ladder[0].lut for ladder in self.ladders.values()) + sum(
            cost.layer_logic(layer).lut
            for name, layer in self.design().layers.items()
            if name not in self.ladders
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

    def design(self) -> Design:
        """The design of what is chosen, with stores and FIFOs as large as its speed needs."""
        chosen = {name: self.ladders[name][step] for name, step in self.chosen.items()}
        plan = replace(self.base.plan, layers={name: one.plan for name, one in chosen.items()})
        layers = {**self.base.layers, **{name: one.engine for name, one in chosen.items()}}
        return buffers.for_speed(
            replace(self.base, plan=plan, layers=layers), self.contracts, self.timings
        )


def _within_ram(design: Design, blocks: int) -> Design:
    """The design with as many programs back in logic as the block RAMs require, smallest first."""
    excess = cost.ram_blocks(design) - blocks
    price = {
        name: cost.layer_logic(design.engines[name].placed("logic")).lut
        for name, layer in design.plan.layers.items()
        if layer.weights == "block"
    }
    moved = {}
    for name in sorted(price, key=lambda name: price[name]):
        if excess <= 0:
            break
        excess -= extra_blocks(design.engines[name])
        moved[name] = "logic"
    return design.with_places(moved)
