"""The timed schedule against a cycle-by-cycle simulation with finite buffers."""

import random
from math import prod

import numpy as np
import pytest

from hw.dataflow.flow import contract as flow
from hw.dataflow.flow import deadlock
from hw.dataflow.flow.schedule import STREAMING, Timing, busy, occupancy, schedule
from hw.dataflow.plan import ENGINES
from hw.ir import graph as g
from hw.networks import space
from hw.networks.cells import build

FRAMES = 5


class Cycles:
    """All processes in step with a clock, with finite inputs; the source sends whenever it can.

    A process starts a group when its operands are in and the one before is an interval old; the
    beats come `offsets` later, one at a time through the output register.
    """

    def __init__(self, graph, contracts, timings, space_of):
        self.graph, self.contracts, self.space = graph, contracts, space_of
        self.timings = {node.name: timings.get(node.name, STREAMING) for node in graph}
        self.written = {node.name: 0 for node in graph}
        self.taken = dict.fromkeys(space_of, 0)
        self.started = {node.name: 0 for node in graph}
        self.free_from = {node.name: 0 for node in graph}
        self.due = {node.name: [] for node in graph}
        self.released = {node.name: [] for node in graph}
        self.passed = {node.name: 0 for node in graph}

    def run(self, limit: int) -> list[int]:
        """The cycles in which the frames' last beats appear."""
        last = self.graph.output
        ends, beats = [], prod(last.shape)
        for now in range(limit):
            for node in reversed(self.graph.nodes):
                self.write(node, now)
            for node in self.graph:
                self.take(node, now)
                self.start(node, now)
            while self.written[last.name] >= beats * (len(ends) + 1):
                ends.append(now)
            if len(ends) == FRAMES:
                return ends
        raise TimeoutError

    def take(self, node, now):
        for position, source in enumerate(node.inputs):
            place = (node.name, position)
            contract = self.contracts[node.name]
            frame, group = divmod(self.done(node, now), contract.groups)
            base = frame * contract.in_beats[position] + contract.base[position][group]
            if self.taken[place] < min(self.written[source], base + self.space[place]):
                self.taken[place] += 1

    def done(self, node, now):
        """Groups that have released their operands."""
        times = self.released[node.name]
        while self.passed[node.name] < len(times) and times[self.passed[node.name]] <= now:
            self.passed[node.name] += 1
        return self.passed[node.name]

    def start(self, node, now):
        contract, timing = self.contracts[node.name], self.timings[node.name]
        if self.started[node.name] == FRAMES * contract.groups or now < self.free_from[node.name]:
            return
        frame, group = divmod(self.started[node.name], contract.groups)
        for position, beats in enumerate(contract.in_beats):
            if self.taken[node.name, position] < frame * beats + contract.need[position][group]:
                return
        self.started[node.name] += 1
        self.free_from[node.name] = now + timing.interval
        self.due[node.name] += [now + offset for offset in timing.offsets]
        self.released[node.name].append(now + timing.reading)

    def write(self, node, now):
        """The output register: one beat at a time, kept until all readers took it."""
        done = self.written[node.name]
        if any(self.taken[place] < done for place in self.graph.readers[node.name]):
            return
        due = self.due[node.name]
        if due and due[0] <= now:
            due.pop(0)
            self.written[node.name] += 1


def small_graph(seed: int) -> g.Graph:
    """A random genotype's network of two cells, without its classifier's end."""
    rng = random.Random(seed)
    operations = sorted(space.OPERATIONS)

    def cell() -> tuple[tuple[str, int], ...]:
        return tuple((rng.choice(operations), rng.randrange(2 + n)) for n in range(2) for _ in "ab")

    genotype = space.Genotype(
        normal=cell(), normal_concat=(2, 3), reduce=cell(), reduce_concat=(2, 3)
    )
    graph = build(genotype, channels=2, cells=2, image=(6, 5, 1), classes=3, stem="cifar").pruned()
    nodes = [node for node in graph if not isinstance(node, g.GlobalPool | g.Linear)]
    return g.Graph(tuple(nodes))


def random_timings(graph: g.Graph, seed: int) -> dict[str, Timing]:
    rng = random.Random(seed)
    found = {}
    for node in graph:
        if isinstance(node, ENGINES):
            beats, apart = node.shape[2], rng.randint(1, 6)
            interval = beats * apart + rng.randint(0, 5)
            first = rng.randint(2, 30)
            offsets = tuple(first + k * apart for k in range(beats))
            found[node.name] = Timing(interval, rng.randint(1, interval), offsets)
    return found


def solved(seed: int, even: bool):
    graph = small_graph(seed)
    contracts, timings = flow.processes(graph), random_timings(graph, seed)
    period = max(busy(graph, one, timings) for one in contracts.values())
    plan = schedule(graph, contracts, timings, period, even=even)
    return graph, contracts, timings, plan


@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_the_buffers_found_let_the_slowest_process_run_without_a_pause(seed, even):
    """A cycle-by-cycle run with exactly these buffers gives a frame every period."""
    graph, contracts, timings, plan = solved(seed, even)
    ends = Cycles(graph, contracts, timings, occupancy(graph, contracts, plan)).run(40_000)
    assert np.diff(ends)[-2:].tolist() == [plan.period] * 2
    # What runs by itself is never later than what is planned.
    last = int(plan.written[graph.output.name][-1])
    assert all(end <= last + frame * plan.period for frame, end in enumerate(ends))


def test_fifos_that_only_avoid_deadlock_cost_speed():
    """The simulation can tell: with less than the schedule's buffers, frames take longer."""
    graph, contracts, timings, plan = solved(2, even=True)
    space_of = occupancy(graph, contracts, plan)
    stores = {node.name: space_of[node.name, 0] for node in graph if node.name in timings}
    less = flow.input_space(graph, stores, deadlock.depths(graph, stores))
    ends = Cycles(graph, contracts, timings, less).run(40_000)
    assert ends[-1] - ends[-2] > plan.period


@pytest.mark.parametrize("even", [False, True])
def test_frames_follow_without_overlap(even):
    for seed in range(4):
        graph, _, _, plan = solved(seed, even)
        for node in graph:
            written = plan.written[node.name]
            assert (np.diff(written) > 0).all()
            assert written[0] + plan.period > written[-1]


def test_beats_are_written_after_what_they_need():
    graph, contracts, _, plan = solved(1, even=False)
    for node in graph:
        contract = contracts[node.name]
        for position, source in enumerate(node.inputs):
            need = contract.need[position]
            first = plan.written[node.name][:: contract.group]
            assert (first > plan.written[source][np.maximum(need - 1, 0)])[need > 0].all()


def test_busy_counts_whatever_takes_longest():
    graph = g.Graph(
        (
            g.Input(name="input", inputs=(), shape=(4, 4, 2)),
            g.MaxPool(name="pool", inputs=("input",), shape=(2, 2, 2), stride=(2, 2)),
            g.Add(name="node", inputs=("pool", "pool"), shape=(2, 2, 2)),
            g.GlobalPool(name="mean", inputs=("node",), shape=(1, 1, 2)),
        )
    )
    contracts = flow.processes(graph)
    fast, slow = Timing(3, 2, (1, 2)), Timing(30, 2, (1, 2))
    mean = Timing(12, 0, (12,))
    assert busy(graph, contracts["pool"], {"pool": fast}) == 32  # its input's beats
    assert busy(graph, contracts["pool"], {"pool": slow}) == 4 * 30
    # The second-last beat waits for the last mean, and that for the 6 of the next frame and more.
    assert busy(graph, contracts["node"], {"mean": mean}) == 12 + 12
    assert busy(graph, contracts["node"], {"mean": Timing(4, 0, (4,))}) == 6 + 4 + 1
    assert busy(graph, contracts["mean"], {"mean": mean}) == 24
