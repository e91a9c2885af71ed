"""The planner: proposes a plan for a network and a board.

One rule: every layer starts as the cheapest variant of its datapath; while the frame rate asked for
is not reached, the layer that limits it gets its next faster variant, as long as the estimated LUT
can stay within the budget. Stores and FIFOs are made as large as the resulting speed needs. Of the
steps taken, the plan keeps as many as leave LUT, flip-flops and block RAM within their bounds, all
at once, programs moved between logic and block RAM where that makes them fit (`bounds`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from heapq import heapify, heappop, heappush

from hw.dataflow import cost
from hw.dataflow.bounds import Bounds
from hw.dataflow.design.design import Design, design
from hw.dataflow.fabric import Device
from hw.dataflow.flow import buffers, deadlock
from hw.dataflow.flow.contract import Process, processes
from hw.dataflow.flow.schedule import busy
from hw.dataflow.flow.timing import pipelines, timings
from hw.dataflow.ladder import variants
from hw.dataflow.plan import ENGINES, JOINS, MIN_FIFO_DEPTH, Plan
from hw.errors import CheckFailed
from hw.ir.network import Network

BY_HAND = "or edit a plan without limits: shiftnas plan NET --board none"


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

    Without `fps` it is the fastest one within its bounds, with `fps` the first on the way that
    reaches so many frames a second. The bounds are 80 % of the device's LUT sites (`luts` if that
    is given), flip-flops and block RAMs; of a device without limits only `luts`.

    Raises
    ------
    InputError: `luts` are more than the device has
    CheckFailed: no plan reaches `fps`, or none keeps to the bounds
    """
    bounds = Bounds.of(device, luts)
    search = _Search(network, device, (network, *cover) if loadable else ())
    exhausted = False
    while not exhausted and (fps is None or search.fps() < fps) and search.least <= bounds.most.lut:
        exhausted = not search.faster()
    made = _most(search, bounds)
    best = search.fps()
    if fps is not None and best < fps:
        none_left = exhausted and search.taken == len(search.steps)
        limit = "with no faster layer to choose" if none_left else f"within {bounds}"
        raise CheckFailed(
            f"plan: {best:.1f} frames/s at {device.clock_mhz:g} MHz are the most {limit}, {fps:g}"
            f" were asked for; the limit is {search.limiting()}"
        )
    # A schedule exists, so nothing locks up; the token model, which knows of no time, must agree.
    fifos = deadlock.repaired(made.graph, made.stores, made.fifos, pipelines(made))
    made = bounds.placed(made.with_buffers(made.stores, fifos))
    if not bounds.allow(made):
        raise _too_large(bounds, made)
    return made


def _most(search: "_Search", bounds: Bounds) -> Design:
    """The design of as many of the steps taken as keep to the bounds.

    Buffers are known only when the steps are, and may cost the last ones: their number is found by
    halving.

    Raises
    ------
    CheckFailed: not even that of none
    """
    high = len(search.steps)
    made = bounds.placed(search.design())
    if bounds.allow(made):
        return made
    low, best = 0, None
    while best is None or high - low > 1:
        middle = low if best is None else (low + high) // 2
        search.take(middle)
        made = bounds.placed(search.design())
        if bounds.allow(made):
            low, best = middle, made
        elif best is None:
            raise _too_large(bounds, made)
        else:
            high = middle
    search.take(low)
    return best


def _too_large(bounds: Bounds, made: Design) -> CheckFailed:
    return CheckFailed(
        f"plan: the smallest plan takes about {bounds.shortage(made)}; {bounds.advice(made)}, "
        f"{BY_HAND}"
    )


class _Search:
    """The variants of every engine, from the cheapest to the fastest, and the one chosen of each.

    A step costs the same however many layers there are: only what it changes is looked at again.
    """

    def __init__(self, network: Network, device: Device, covered: Sequence[Network]):
        self.graph, self.clock_mhz = network.graph, device.clock_mhz
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
        plan = Plan(network.digest, device.board, self.clock_mhz, cheapest, shallow)
        self.base = design(network, plan)
        self.timings = timings(self.base)
        self.steps: list[str] = []
        self.taken = 0
        cycles = {n: busy(self.graph, one, self.timings) for n, one in self.contracts.items()}
        self.cycles = cycles
        self.order = {name: position for position, name in enumerate(cycles)}
        # The busiest first, of equals the first; an entry that is no longer true is skipped.
        self.busiest = [(-count, self.order[name], name) for name, count in cycles.items()]
        heapify(self.busiest)
        # LUT, wherever programs lie, estimated with the FIFOs of the slowest choice.
        self.least = sum(ladder[0].least for ladder in self.ladders.values()) + sum(
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
        return self.clock_mhz * 1e6 / self.cycles[self.limiting()]

    def faster(self) -> bool:
        """Takes a step more, the next variant of the layer that limits; false if it has none."""
        name = self.limiting()
        if name not in self.chosen or self.chosen[name] + 1 == len(self.ladders[name]):
            return False
        self._choose(name, self.chosen[name] + 1)
        self.steps.append(name)
        self.taken += 1
        return True

    def take(self, count: int) -> None:
        """As many of the steps as `count` says, the first ones."""
        for name in self.steps[self.taken : count]:
            self._choose(name, self.chosen[name] + 1)
        for name in reversed(self.steps[count : self.taken]):
            self._choose(name, self.chosen[name] - 1)
        self.taken = count

    def _choose(self, name: str, position: int) -> None:
        ladder = self.ladders[name]
        self.least += ladder[position].least - ladder[self.chosen[name]].least
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
