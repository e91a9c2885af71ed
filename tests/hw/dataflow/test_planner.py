"""What the planner proposes, and when it gives up."""

from dataclasses import replace
from itertools import pairwise

import pytest

from hw.board.boards import device
from hw.dataflow import cost, plan_file, planner
from hw.dataflow.check import check
from hw.dataflow.design.design import design
from hw.dataflow.design.geometry import Geometry
from hw.dataflow.flow import deadlock
from hw.dataflow.flow.buffers import needed_depths
from hw.dataflow.flow.schedule import busy
from hw.dataflow.flow.timing import pipelines
from hw.dataflow.ladder import variants
from hw.dataflow.plan import ENGINES, JOINS
from hw.dataflow.planner import propose
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
    return propose(network, device(BOARD)).plan


def test_every_layer_is_planned_and_fits(network, fastest):
    check(fastest, network)
    names = [node.name for node in network.graph if isinstance(node, ENGINES)]
    assert list(fastest.layers) == names
    assert list(fastest.fifos) == [n.name for n in network.graph if isinstance(n, JOINS)]
    assert fastest.board == BOARD and fastest.network == network.digest
    for name in names:
        node = network.graph[name]
        assert fastest.layers[name].store >= Geometry.of(network.graph, node).span


def test_the_layer_that_limits_was_made_fast(network, fastest):
    """Only the limiting layer is ever raised, until it is as fast as it can be."""
    predicted = cost.predict(design(network, fastest))
    limit = predicted.limiting_layer
    last = variants(network, network.graph[limit])[-1].plan
    assert fastest.layers[limit].pe == last.pe
    assert any(layer.pe > 1 for layer in fastest.layers.values())
    assert any(layer.pe == 1 and layer.element == "barrel" for layer in fastest.layers.values())


def test_cheapest_for_a_frame_rate(network, fastest):
    most = cost.predict(design(network, fastest))
    slow = propose(network, device(BOARD), fps=1).plan
    middle = propose(network, device(BOARD), fps=0.8 * most.fps).plan
    predictions = [cost.predict(design(network, plan)) for plan in (slow, middle, fastest)]
    assert predictions[0].lut < predictions[1].lut <= predictions[2].lut
    assert predictions[0].fps < 0.8 * most.fps <= predictions[1].fps <= predictions[2].fps
    assert all(layer.pe == 1 for layer in slow.layers.values())


def test_budget(network, fastest):
    least = cost.logic(propose(network, device(BOARD), fps=1)).lut
    most = cost.logic(design(network, fastest)).lut
    budget = (least + most) // 2
    plan = propose(network, device(BOARD), luts=budget).plan
    assert least <= cost.logic(design(network, plan)).lut <= budget
    with pytest.raises(CheckFailed, match=r"smallest plan takes about \d+ LUT, more than the 99"):
        propose(network, device(BOARD), luts=99)


def test_targets_that_cannot_be_met(network):
    with pytest.raises(CheckFailed, match=r"are the most with no faster layer to choose, 1e\+06"):
        propose(network, device(BOARD), fps=1e6)
    least = cost.logic(propose(network, device(BOARD), fps=1)).lut
    with pytest.raises(CheckFailed, match=f"are the most within {least} LUT"):
        propose(network, device(BOARD), fps=1e6, luts=least)
    with pytest.raises(InputError, match="no board is called 'toaster'"):
        propose(network, device("toaster"))


def test_variants_get_larger_and_faster(network):
    for node in network.graph:
        if not isinstance(node, ENGINES):
            continue
        ladder = variants(network, node)
        for one, other in pairwise(ladder):
            assert one.lut <= other.lut
            assert one.timing.interval > other.timing.interval
        for variant in ladder:
            dense = not isinstance(node, g.Conv) or node.groups == 1
            assert variant.plan.pe == 1 or dense
            assert node.shape[2] % variant.plan.pe == 0


def test_no_horner_with_guard_bits():
    rough = small(guard=6)
    plan = propose(rough, device(BOARD), fps=1).plan
    check(plan, rough)
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
    needed = needed_depths(design(network, fastest))
    stores = {name: layer.store for name, layer in fastest.layers.items()}
    assert {n: tuple(d.throughput for d in depths) for n, depths in needed.items()} == fastest.fifos
    least = {n: tuple(d.deadlock for d in depths) for n, depths in needed.items()}
    held = pipelines(design(network, fastest))
    assert least == deadlock.depths(network.graph, stores, held)


def test_a_clock(network, fastest):
    """The plan has the clock that the board gives, and the frames a second are at that clock."""
    crystal_of_48 = replace(device(BOARD), clock_mhz=48.0)
    made = propose(network, crystal_of_48)
    assert made.plan == replace(fastest, clock_mhz=48.0)
    predicted = cost.predict(made)
    assert predicted.fps == 48e6 / predicted.cycles_per_frame
    rate = cost.predict(design(network, fastest)).fps
    with pytest.raises(CheckFailed, match="frames/s at 48 MHz are the most with no faster layer"):
        propose(network, crystal_of_48, fps=0.98 * rate)
    propose(network, device(BOARD), fps=0.98 * rate)


def test_the_same_plan_every_time(network, fastest):
    assert plan_file.dumps(propose(network, device(BOARD)).plan) == plan_file.dumps(fastest)


def test_without_a_board_only_what_is_asked_for_limits(network, fastest):
    """The same plan as for a board that is large enough; a smaller budget still counts."""
    free = propose(network, device("None")).plan
    assert free.board == "none"
    predicted = cost.predict(design(network, free))
    assert predicted.cycles_per_frame <= cost.predict(design(network, fastest)).cycles_per_frame
    check(free, network)
    budget = cost.logic(design(network, free)).lut - 1
    assert cost.logic(propose(network, device("none"), luts=budget)).lut <= budget
    small_board = "ulx3s-12f"
    with pytest.raises(CheckFailed, match="--board none"):
        propose(network, device(small_board), luts=10)


def test_steps_look_at_what_changed(network):
    """The search's counts are those of the whole network, whatever was chosen."""
    search = planner._Search(network, device(BOARD), ())
    while search.faster():
        cycles = {n: flow_busy(search, n) for n in search.contracts}
        assert search.cycles == cycles
        assert search.limiting() == max(cycles, key=lambda name: cycles[name])
    last, count = dict(search.chosen), len(search.steps)
    search.take(count - 1)
    assert search.chosen != last
    search.take(0)
    assert not any(search.chosen.values())
    assert search.cycles == {n: flow_busy(search, n) for n in search.contracts}
    search.take(count)
    assert search.chosen == last


def flow_busy(search, name: str) -> int:
    return busy(search.graph, search.contracts[name], search.timings)
