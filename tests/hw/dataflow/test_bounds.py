"""LUT, flip-flops and block RAM of a plan keep to their bounds, or there is no plan."""

import re
from dataclasses import replace

import pytest

from hw.dataflow.bounds import SHARE, Bounds, Taken
from hw.dataflow.design.design import Design, design
from hw.dataflow.fabric import Device
from hw.dataflow.plan import ElementKind, Place
from hw.dataflow.planner import propose
from hw.errors import CheckFailed, InputError
from hw.networks import space
from hw.networks.cells import build
from hw.networks.random_network import random_network

FREE = Device("free")


@pytest.fixture(scope="module")
def network():
    genotype = space.Genotype(
        normal=(("sep_conv_5x5", 0), ("skip_connect", 1), ("max_pool_3x3", 0), ("dil_conv_3x3", 2)),
        normal_concat=(2, 3),
        reduce=(("max_pool_3x3", 0), ("skip_connect", 1), ("skip_connect", 2), ("avg_pool_3x3", 0)),
        reduce_concat=(2, 3),
    )
    graph = build(genotype, channels=4, cells=2, image=(8, 8, 1), classes=10, stem="cifar")
    return random_network(graph, seed=1)


@pytest.fixture(scope="module", params=[False, True], ids=["fixed", "loadable"])
def slow(network, request):
    """The smallest plan without limits."""
    made = propose(network, FREE, fps=1, loadable=request.param)
    assert Place.BLOCK in places(made)
    return made


def places(made: Design) -> set[Place]:
    layers = made.plan.layers.values()
    return {layer.weights for layer in layers if layer.element != ElementKind.POOL}


def device(lut: float, ram_blocks: float, ff: float = 1e6) -> Device:
    """One whose share is what is given."""
    return Device("b", *(int(most / SHARE) + 1 for most in (lut, ff, ram_blocks)))


def test_block_ram_is_paid_with_lut(network, slow):
    """Also by loadable programs; and the LUT that they cost there count."""
    taken, loadable = Taken.of(slow), slow.plan.loadable
    short = device(2 * taken.lut, taken.ram_blocks - 2)
    made = propose(network, short, fps=1, loadable=loadable)
    found, most = Taken.of(made), Bounds.of(short).most
    assert found.within(most)
    assert found.ram_blocks < taken.ram_blocks and found.lut > taken.lut
    lacking = device(taken.lut, taken.ram_blocks - 2)
    with pytest.raises(CheckFailed) as caught:
        propose(network, lacking, fps=1, loadable=loadable)
    said = re.match(
        rf"plan: the smallest plan takes about (\d+) block RAMs, more than the "
        rf"{taken.ram_blocks - 2} allowed of the {lacking.ram_blocks} that b has; with no more "
        rf"weights there than these hold it takes about (\d+) LUT, more than the {taken.lut} "
        r"allowed, most of them in .*; choose a larger --luts, a larger board or a smaller network",
        str(caught.value),
    )
    assert said, caught.value
    assert int(said[1]) <= taken.ram_blocks and int(said[2]) > taken.lut


def test_both_are_told_where_block_rams_would_not_do(network):
    """A budget of LUT below what the layers take with every program in block RAM."""
    lacking = replace(device(1e6, 12), luts=1_000_000)
    with pytest.raises(CheckFailed, match=(
        r"about \d+ block RAMs, more than the 12 allowed of the 16 that b has, and \d+ LUT, more "
        r"than the 99 allowed; with no more weights there than these hold it takes about \d+ LUT,"
    )):  # fmt: skip
        propose(network, lacking, luts=99)


def test_luts_are_advised_only_where_they_help(network):
    """A --luts within the device; with too few block RAMs or flip-flops it changes nothing."""
    taken = Taken.of(propose(network, FREE, fps=1))
    advice = {
        (taken.lut + 1000, 1000, 1e6): "a larger --luts, a larger board or a smaller network",
        (99, 1000, 1e6): "a larger board or a smaller network",
        (taken.lut + 1000, 1000, 10): "a larger board or a smaller network",
    }
    for (lut, blocks, ff), said in advice.items():
        with pytest.raises(CheckFailed) as caught:
            propose(network, device(lut, blocks, ff), luts=50)
        assert f"; choose {said} (fewer" in str(caught.value)
    with pytest.raises(CheckFailed, match=r"; choose a larger --luts or a smaller network \(fewer"):
        propose(network, FREE, luts=50)


def test_lut_is_paid_with_block_ram(network):
    slow = propose(network, FREE, fps=1)
    taken = Taken.of(slow)
    assert Place.LOGIC in places(slow)
    found = Taken.of(propose(network, device(taken.lut - 50, 100), fps=1))
    assert found.lut <= taken.lut - 50 and found.ram_blocks > taken.ram_blocks


def test_what_is_planned_keeps_to_every_bound(network):
    """Whatever the device: a plan within its bounds, or an error that says what to edit."""
    fastest = Taken.of(propose(network, FREE))
    least = Taken.of(propose(network, FREE, fps=1))
    planned = refused = 0
    for lut in (least.lut * 0.9, least.lut * 1.1, fastest.lut * 1.1):
        for blocks in (2, least.ram_blocks - 1, least.ram_blocks, 100):
            for ff in (least.ff - 1, 1e6):
                target = device(lut, blocks, ff)
                try:
                    made = propose(network, target)
                except CheckFailed as error:
                    refused += 1
                    assert "more than the" in str(error) and "most of them in" in str(error)
                    assert "\n" not in str(error) and "--board none" in str(error)
                else:
                    planned += 1
                    assert Taken.of(made).within(Bounds.of(target).most)
    assert planned >= 6 and refused >= 6


@pytest.mark.parametrize(
    ("bound", "unit", "field"),
    [
        ({"lut": 10}, "LUT", r"layers: \S+: (element|weights|pe)|fifos: \S+"),
        ({"ff": 10}, "flip-flops", r"layers: \S+: (element|pe)|fifos: \S+"),
        ({"ram_blocks": 1}, "block RAMs", r"layers: \S+: (store|weights)|fifos: \S+"),
    ],
)
def test_an_error_names_the_largest_and_their_fields(network, bound, unit, field):
    with pytest.raises(CheckFailed) as raised:
        propose(network, device(**{"lut": 1e6, "ram_blocks": 1000, **bound}))
    (most,) = bound.values()
    words = rf"\d+ {unit}, more than the {most} allowed on b, most of them in (.*); choose"
    found = re.search(words, str(raised.value))
    assert found, raised.value
    named = re.findall(r"(.+?) \((\d+)\)(?:, |$)", found[1])
    assert len(named) == 3 and all(re.fullmatch(field, name) for name, _ in named)
    sizes = [int(size) for _, size in named]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] > 0


def test_no_more_programs_move_than_must(network, slow):
    plan = replace(
        slow.plan,
        layers={
            name: layer if layer.element == ElementKind.POOL else replace(layer, weights="block")
            for name, layer in slow.plan.layers.items()
        },
    )
    made = design(network, plan)
    taken = Taken.of(made)
    bounds = Bounds(Taken(1e6, 1e6, taken.ram_blocks), FREE)
    assert bounds.placed(made) is made
    some = replace(bounds, most=Taken(1e6, 1e6, taken.ram_blocks - 5)).placed(made)
    assert taken.ram_blocks - 8 <= Taken.of(some).ram_blocks <= taken.ram_blocks - 5
    none = replace(bounds, most=Taken(1e6, 1e6, 0)).placed(made)
    assert places(none) == {Place.LUTRAM if plan.loadable else Place.LOGIC}
    assert Taken.of(some) == Taken.of(design(network, some.plan))


def test_a_budget_beyond_the_device():
    with pytest.raises(InputError, match=r"--luts: 101 are more than the 100 that b has; choose"):
        Bounds.of(Device("b", 100), 101)
    assert Bounds.of(Device("b", 100), 100).most.lut == 100


def test_bounds_in_words():
    assert str(Bounds.of(Device("b", 100, 200, 10))) == "80 LUT, 160 flip-flops and 8 block RAMs"
    assert str(Bounds.of(FREE, 7)) == "7 LUT"
