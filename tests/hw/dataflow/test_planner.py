"""What the planner proposes, and when it gives up."""

from dataclasses import replace
from itertools import pairwise

import pytest

from hw.dataflow import cost, planner
from hw.dataflow import plan as plans
from hw.dataflow.flow import deadlock
from hw.dataflow.flow.contract import ENGINES, JOINS, least_store
from hw.dataflow.flow.schedule import busy
from hw.dataflow.flow.timing import pipelines
from hw.errors import CheckFailed, InputError
from hw.ir import graph as g
from hw.networks import space
from hw.networks.cells import build
from hw.networks.random_network import random_network

BOARD = "ulx3s-85f"


def small(**options):
    genotype = space.Genotype(
        normal=(("sep_conv_3x3", 0), ("skip_connect", 1), ("max_pool_3x3", 0), ("dil_conv_3x3", 2)),
        normal_concat=(2, 3),
        reduce=(("max_pool_3x3", 0), ("skip_connect", 1), ("skip_connect", 2), ("avg_pool_3x3", 0)),
        reduce_concat=(2, 3),
    )
    graph = build(genotype, channels=4, cells=2, image=(8, 8, 1), classes=10, stem="cifar")
    return random_network(graph, seed=1, **options)


@pytest.fixture(scope="module")
def network():
    return small()


@pytest.fixture(scope="module")
def fastest(network):
    return plans.propose(network, BOARD)


def test_every_layer_is_planned_and_fits(network, fastest):
    plans.check(fastest, network)
    names = [node.name for node in network.graph if isinstance(node, ENGINES)]
    assert list(fastest.layers) == names
    assert list(fastest.fifos) == [n.name for n in network.graph if isinstance(n, JOINS)]
    assert fastest.board == BOARD and fastest.network == network.digest
    for name in names:
        node = network.graph[name]
        assert fastest.layers[name].store >= least_store(node, network.graph.in_shapes(node)[0])


def test_the_layer_that_limits_was_made_fast(network, fastest):
    """Only the limiting layer is ever raised, until it is as fast as it can be."""
    predicted = cost.predict(network, fastest)
    limit = predicted.limiting_layer
    last = planner.variants(network, network.graph[limit])[-1].layer
    assert fastest.layers[limit].pe == last.pe
    assert any(layer.pe > 1 for layer in fastest.layers.values())
    assert any(layer.pe == 1 and layer.element == "barrel" for layer in fastest.layers.values())


def test_cheapest_for_a_frame_rate(network, fastest):
    most = cost.predict(network, fastest)
    slow = plans.propose(network, BOARD, fps=1)
    middle = plans.propose(network, BOARD, fps=0.8 * most.fps)
    predictions = [cost.predict(network, plan) for plan in (slow, middle, fastest)]
    assert predictions[0].lut < predictions[1].lut <= predictions[2].lut
    assert predictions[0].fps < 0.8 * most.fps <= predictions[1].fps <= predictions[2].fps
    assert all(layer.pe == 1 for layer in slow.layers.values())


def test_budget(network, fastest):
    least = cost.logic(network, plans.propose(network, BOARD, fps=1)).lut
    most = cost.logic(network, fastest).lut
    budget = (least + most) // 2
    plan = plans.propose(network, BOARD, luts=budget)
    assert least <= cost.logic(network, plan).lut <= budget
    with pytest.raises(CheckFailed, match=f"smallest plan takes about {least} LUT, more than the"):
        plans.propose(network, BOARD, luts=least - 1)


def test_targets_that_cannot_be_met(network):
    with pytest.raises(CheckFailed, match=r"are the most with no faster layer to choose, 1e\+06"):
        plans.propose(network, BOARD, fps=1e6)
    least = cost.logic(network, plans.propose(network, BOARD, fps=1)).lut
    with pytest.raises(CheckFailed, match=f"are the most within {least} LUT"):
        plans.propose(network, BOARD, fps=1e6, luts=least)
    with pytest.raises(InputError, match="no board is called 'toaster'"):
        plans.propose(network, "toaster")


def test_variants_get_larger_and_faster(network):
    for node in network.graph:
        if not isinstance(node, ENGINES):
            continue
        ladder = planner.variants(network, node)
        for one, other in pairwise(ladder):
            assert one.lut <= other.lut
            assert one.timing.interval > other.timing.interval
        for variant in ladder:
            dense = not isinstance(node, g.Conv) or node.groups == 1
            assert variant.layer.pe == 1 or dense
            assert node.shape[2] % variant.layer.pe == 0


def test_no_horner_with_guard_bits():
    rough = small(guard=6)
    plan = plans.propose(rough, BOARD, fps=1)
    plans.check(plan, rough)
    used = {name for name, layer in plan.layers.items() if layer.element == "horner"}
    assert used <= {"classifier"}


def test_fifos_are_as_deep_as_speed_needs(network, fastest):
    """More than what avoids deadlock, and no more than a frame."""
    stores = {name: layer.store for name, layer in fastest.layers.items()}
    least = deadlock.depths(network.graph, stores)
    assert sum(map(sum, fastest.fifos.values())) > sum(map(sum, least.values()))
    assert not deadlock.locks(network.graph, stores, fastest.fifos)
    for name, depths in fastest.fifos.items():
        for shape, depth in zip(network.graph.in_shapes(network.graph[name]), depths, strict=True):
            assert depth <= shape[0] * shape[1] * shape[2]


def test_needed_depths(network, fastest):
    needed = planner.needed_depths(network, fastest)
    stores = {name: layer.store for name, layer in fastest.layers.items()}
    assert {n: tuple(d.throughput for d in depths) for n, depths in needed.items()} == fastest.fifos
    least = {n: tuple(d.deadlock for d in depths) for n, depths in needed.items()}
    held = pipelines(network, fastest)
    assert least == deadlock.depths(network.graph, stores, 2, held)


def test_programs_leave_block_ram_that_is_short(network, fastest):
    plan = replace(
        fastest,
        layers={
            name: layer if layer.element == "pool" else replace(layer, weights="block")
            for name, layer in fastest.layers.items()
        },
    )

    def blocks(plan):
        return sum(cost.ram_blocks(network, node, plan) for node in network.graph)

    some = planner._within_ram(network, plan, blocks(plan) - 5)
    assert blocks(plan) - 8 <= blocks(some) <= blocks(plan) - 5
    none = planner._within_ram(network, plan, 0)
    assert all(layer.weights == "logic" for layer in none.layers.values())


def test_the_same_plan_every_time(network, fastest):
    assert plans.dumps(plans.propose(network, BOARD)) == plans.dumps(fastest)


def test_without_a_board_only_what_is_asked_for_limits(network, fastest):
    """The same plan as for a board that is large enough; a smaller budget still counts."""
    free = plans.propose(network, "None")
    assert free.board == "none"
    predicted = cost.predict(network, free)
    assert predicted.cycles_per_frame <= cost.predict(network, fastest).cycles_per_frame
    plans.check(free, network)
    budget = cost.logic(network, free).lut - 1
    assert cost.logic(network, plans.propose(network, "none", luts=budget)).lut <= budget
    small_board = "ulx3s-12f"
    with pytest.raises(CheckFailed, match="--board none"):
        plans.propose(network, small_board, luts=10)


def test_steps_look_at_what_changed(network):
    """The search's counts are those of the whole network, whatever was chosen."""
    search = planner._Search(network, BOARD, ())
    while search.faster():
        cycles = {n: flow_busy(search, n) for n in search.contracts}
        assert search.cycles == cycles
        assert search.limiting() == max(cycles, key=lambda name: cycles[name])
    before = dict(search.chosen)
    assert search.back() and search.chosen != before
    while search.back():
        pass
    assert not any(search.chosen.values())


def flow_busy(search, name: str) -> int:
    return busy(search.graph, search.contracts[name], search.timings)
