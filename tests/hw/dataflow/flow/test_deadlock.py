"""The token model against a simulation, beat by beat, of the same processes under random stalls."""

import random
from dataclasses import replace
from itertools import product
from math import prod

import pytest
from amaranth.sim import Simulator

from hw.board.boards import device
from hw.dataflow import cost
from hw.dataflow.design.design import design
from hw.dataflow.design.geometry import Geometry, store_of
from hw.dataflow.flow import deadlock
from hw.dataflow.flow.timing import pipelines
from hw.dataflow.plan import ENGINES, LayerPlan, Plan
from hw.dataflow.planner import propose
from hw.dataflow.top import Top
from hw.ir import graph as g
from hw.ir.format import IMAGE_FORMAT, Format
from hw.ir.network import Network
from hw.networks import space
from hw.networks.cells import build
from hw.networks.random_network import random_network

FRAMES = 2


class Beats:
    """Processes that do one thing at a time, in random order: take a beat or write one.

    Written from the description of the hardware, without `hw.dataflow.flow.contract`'s tables.
    """

    def __init__(self, graph: g.Graph, stores: dict, fifos: dict, seed: int):
        self.graph, self.stores, self.fifos = graph, stores, fifos
        self.random = random.Random(seed)
        self.written = {node.name: 0 for node in graph}
        self.taken = {(node.name, k): 0 for node in graph for k in range(len(node.inputs))}

    def run(self) -> bool:
        """True if all frames come out."""
        actions = [(self.write, node) for node in self.graph]
        actions += [(self.take, (self.graph[name], k)) for name, k in self.taken]
        while True:
            self.random.shuffle(actions)
            # A stalled action is tried again in a later round; only a round without any may end.
            if not sum([self.random.random() < 0.8 and act(what) for act, what in actions]) and (
                not sum([act(what) for act, what in actions])
            ):
                break
        return self.written[self.graph.output.name] == FRAMES * prod(self.graph.output.shape)

    def take(self, place: tuple[g.Node, int]) -> bool:
        """A reader takes the beat in its source's output register."""
        node, k = place
        source = self.graph[node.inputs[k]]
        beat = self.taken[node.name, k]
        if beat == self.written[source.name] or beat >= self.room(node, k, source):
            return False
        self.taken[node.name, k] += 1
        return True

    def room(self, node: g.Node, k: int, source: g.Node) -> int:
        """Number of the first beat there is no place for."""
        done, shape = self.written[node.name], source.shape
        if isinstance(node, g.Add):
            return done + self.fifos[node.name][k]
        if isinstance(node, g.Concat):
            return self.used(node, k, done) + self.fifos[node.name][k]
        if isinstance(node, g.GlobalPool):
            frame, channel = divmod(done, shape[2])
            return frame * prod(shape) + (shape[0] * shape[1] - 1) * shape[2] + channel + 1
        return self.first_beat(node, shape, done // node.shape[2]) + self.stores[node.name]

    def used(self, node: g.Concat, k: int, done: int) -> int:
        """Beats of input k among the first `done` of a concatenation."""
        order = [n for n, name in enumerate(node.inputs) for _ in range(self.graph[name].shape[2])]
        pixels, rest = divmod(done, len(order))
        return pixels * order.count(k) + order[:rest].count(k)

    def first_beat(self, node: g.Node, shape: g.Shape, pixel: int) -> int:
        """The top-left tap's beat, in the padding a virtual one, counted through all frames."""
        frame, pixel = divmod(pixel, node.shape[0] * node.shape[1])
        oy, ox = divmod(pixel, node.shape[1])
        (sy, sx), (ph, pw) = node_window(self.graph, node)[1:3]
        return frame * prod(shape) + ((oy * sy - ph) * shape[1] + ox * sx - pw) * shape[2]

    def write(self, node: g.Node) -> bool:
        """The next output beat, if all readers took the last one and its operands are in."""
        done = self.written[node.name]
        if done == FRAMES * prod(node.shape):
            return False
        if any(self.taken[place] < done for place in self.graph.readers[node.name]):
            return False
        if not all(self.ready(node, k, done) for k in range(len(node.inputs))):
            return False
        self.written[node.name] += 1
        return True

    def ready(self, node: g.Node, k: int, done: int) -> bool:
        have, shape = self.taken[node.name, k], self.graph[node.inputs[k]].shape
        if isinstance(node, g.Add):
            return have > done
        if isinstance(node, g.Concat):
            return have >= self.used(node, k, done + 1)
        if isinstance(node, g.GlobalPool):
            frame, channel = divmod(done, shape[2])
            return have > frame * prod(shape) + (shape[0] * shape[1] - 1) * shape[2] + channel
        frame, pixel = divmod(done // node.shape[2], node.shape[0] * node.shape[1])
        oy, ox = divmod(pixel, node.shape[1])
        (kh, kw), (sy, sx), (ph, pw), (dy, dx) = node_window(self.graph, node)
        rows = [oy * sy - ph + ky * dy for ky in range(kh)]
        columns = [ox * sx - pw + kx * dx for kx in range(kw)]
        places = product(rows, columns)
        real = [y * shape[1] + x for y, x in places if 0 <= y < shape[0] and 0 <= x < shape[1]]
        return have >= frame * prod(shape) + (max(real) + 1) * shape[2]


def node_window(graph: g.Graph, node: g.Node) -> tuple[g.Pair, g.Pair, g.Pair, g.Pair]:
    """Kernel, stride, padding, dilation."""
    place = Geometry.of(graph, node)
    return place.kernel, place.stride, place.padding, place.dilation


def random_graph(seed: int) -> g.Graph:
    """A network of two or three small cells of a random genotype; sides odd, even and unequal."""
    rng = random.Random(seed)
    operations = sorted(space.OPERATIONS)

    def cell() -> tuple[tuple[str, int], ...]:
        return tuple(
            (rng.choice(operations), rng.randrange(2 + node)) for node in range(3) for _ in range(2)
        )

    genotype = space.Genotype(
        normal=cell(), normal_concat=(2, 3, 4), reduce=cell(), reduce_concat=(3, 4)
    )
    image = (rng.choice([5, 6]), rng.choice([4, 7]), 1)
    cells = rng.choice([2, 3])
    return build(genotype, channels=2, cells=cells, image=image, classes=3, stem="cifar").pruned()


def least_stores(graph: g.Graph) -> dict[str, int]:
    return {
        node.name: store_of(Geometry.of(graph, node).span)
        for node in graph
        if isinstance(node, ENGINES)
    }


def without_one(fifos: dict, name: str, position: int) -> dict:
    depths = list(fifos[name])
    depths[position] -= 1
    return {**fifos, name: tuple(depths)}


def reconvergent() -> tuple[g.Graph, dict[str, int]]:
    """Two windows in a row beside a plain skip: the skip's FIFO bridges their rows."""
    shape = (6, 5, 2)
    graph = g.Graph(
        (
            g.Input(name="input", inputs=(), shape=shape),
            g.MaxPool(name="first", inputs=("input",), shape=shape),
            g.MaxPool(name="second", inputs=("first",), shape=shape),
            g.Add(name="node", inputs=("input", "second"), shape=shape),
        )
    )
    return graph, least_stores(graph)


@pytest.mark.parametrize("seed", range(6))
def test_networks_run_with_the_depths_found(seed):
    graph = random_graph(seed)
    stores = least_stores(graph)
    fifos = deadlock.depths(graph, stores)
    assert not deadlock.locks(graph, stores, fifos)
    assert Beats(graph, stores, fifos, seed).run()


@pytest.mark.parametrize("seed", range(6))
def test_a_beat_less_locks_up(seed):
    """The depths are hardly larger than they must be: with one beat less the network locks up."""
    graph = random_graph(seed)
    stores = least_stores(graph)
    fifos = deadlock.depths(graph, stores)
    grown = [(name, k) for name in fifos for k, depth in enumerate(fifos[name]) if depth > 2]
    binding = [p for p in grown if deadlock.locks(graph, stores, without_one(fifos, *p))]
    # A FIFO that grew early can turn out larger than needed once another one has grown too.
    assert binding and len(binding) >= len(grown) - 1
    place = random.Random(seed).choice(binding)
    assert not Beats(graph, stores, without_one(fifos, *place), seed).run()


@pytest.mark.parametrize("seed", range(10))
def test_the_model_and_the_simulation_agree_on_any_depths(seed):
    rng = random.Random(seed)
    graph = random_graph(100 + seed)
    stores = least_stores(graph)
    found = deadlock.depths(graph, stores)
    fifos = {n: tuple(max(2, d + rng.choice([-2, -1, 0, 0, 3])) for d in found[n]) for n in found}
    assert deadlock.locks(graph, stores, fifos) is not Beats(graph, stores, fifos, seed).run()


def test_a_skip_beside_two_windows():
    """The depth by hand: the beats that both windows take in before the first sum."""
    graph, stores = reconvergent()
    fifos = deadlock.depths(graph, stores)
    # The first pixel of `second` needs pixel (1, 1) of `first`, that one pixel (2, 2) of the image,
    # the 13th: 26 beats, of which the last one can wait in the source's register.
    assert fifos == {"node": (25, 2)}
    assert Beats(graph, stores, fifos, 0).run()
    assert not Beats(graph, stores, without_one(fifos, "node", 0), 0).run()


def test_larger_stores_do_not_need_larger_fifos():
    graph, stores = reconvergent()
    larger = {name: 4 * store for name, store in stores.items()}
    small, large = deadlock.depths(graph, stores), deadlock.depths(graph, larger)
    assert large["node"][0] <= small["node"][0]


def test_given_depths_only_grow_where_they_lock_up():
    graph, stores = reconvergent()
    assert deadlock.repaired(graph, stores, {"node": (40, 9)}) == {"node": (40, 9)}
    assert deadlock.repaired(graph, stores, {"node": (10, 9)}) == {"node": (25, 9)}


def test_a_store_that_is_too_small_is_told_apart():
    graph, stores = reconvergent()
    with pytest.raises(ValueError, match="store"):
        deadlock.depths(graph, {**stores, "second": 8})


# --- the hardware


def hardware_runs(network: Network, plan: Plan) -> bool:
    """Whether all frames come out of the generated hardware, nothing holding it back."""
    patience = 2 * cost.predict(design(network, plan)).latency
    top = Top(design(network, plan))
    count = FRAMES * prod(network.graph.output.shape)
    left, idle = [0], [0]

    async def source(ctx):
        ctx.set(top.s_axis_tvalid, 1)

    async def sink(ctx):
        ctx.set(top.m_axis_tready, 1)
        while left[0] < count and idle[0] < patience:
            _, _, valid, ready = await ctx.tick().sample(top.m_axis_tvalid, top.s_axis_tready)
            left[0] += valid
            idle[0] = 0 if valid or ready else idle[0] + 1

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(source, background=True)
    simulator.add_testbench(sink)
    simulator.run()
    return left[0] >= count


@pytest.mark.slow
def test_the_depths_are_those_of_the_hardware_to_the_beat():
    """With the engines' registers the model is exact: a beat less and the hardware locks up."""
    seed = 3
    network = random_network(random_graph_of_one_cell(seed), seed=seed)
    graph, rng = network.graph, random.Random(seed)
    plan = propose(network, device("none"), fps=1).plan
    layers = {name: lanes(graph[name], layer, rng) for name, layer in plan.layers.items()}
    plan = replace(plan, layers=layers)
    stores = {name: layer.store for name, layer in layers.items()}
    held = pipelines(design(network, plan))
    fifos = deadlock.depths(graph, stores, held)
    assert hardware_runs(network, replace(plan, fifos=fifos))
    grown = [(name, k) for name in fifos for k, depth in enumerate(fifos[name]) if depth > 2]
    binding = [p for p in grown if deadlock.locks(graph, stores, without_one(fifos, *p), held)]
    assert binding
    place = rng.choice(binding)
    assert not hardware_runs(network, replace(plan, fifos=without_one(fifos, *place)))
    # Without the registers the model asks for a beat or two more.
    assert sum(map(sum, fifos.values())) < sum(map(sum, deadlock.depths(graph, stores).values()))


def random_graph_of_one_cell(seed: int) -> g.Graph:
    """A reduction cell of two nodes behind a stem."""
    rng = random.Random(seed)
    operations = sorted(space.OPERATIONS)
    edges = [tuple((rng.choice(operations), rng.randrange(2 + k)) for _ in "ab") for k in (0, 1)]
    cell = edges[0] + edges[1]
    genotype = space.Genotype(cell, (2, 3), cell, (2, 3))
    return build(genotype, channels=2, cells=1, image=(5, 4, 1), classes=3, stem="cifar")


def lanes(node: g.Node, layer: LayerPlan, rng: random.Random) -> LayerPlan:
    """The layer with some number of lanes, where it can have more than one."""
    if layer.element == "pool" or (isinstance(node, g.Conv) and node.groups > 1):
        return layer
    choices = [pe for pe in range(1, node.shape[2] + 1) if node.shape[2] % pe == 0]
    return replace(layer, element="barrel", pe=rng.choice(choices))


@pytest.mark.parametrize(("missing", "finishes"), [(0, True), (1, False)])
def test_the_hardware_locks_up_with_a_beat_less(missing, finishes):
    graph, stores = reconvergent()
    fifos = deadlock.depths(graph, stores)
    assert fifos == {"node": (25, 2)}
    wide = Format(signed=True, width=9, frac=8)
    formats = {name: IMAGE_FORMAT for name in ("input", "first", "second")} | {"node": wide}
    network = Network(graph, formats, {})
    layers = {name: LayerPlan("pool", 1, store) for name, store in stores.items()}
    depths = {"node": (25 - missing, 2)}
    plan = Plan(network.digest, "ulx3s-85f", 50.0, layers, depths)
    assert deadlock.depths(graph, stores, pipelines(design(network, plan))) == fifos
    assert hardware_runs(network, plan) is finishes
