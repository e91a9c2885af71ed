"""Edited plans: every choice is allowed, and stays with its layer."""

from dataclasses import replace

import pytest

from hw.board.boards import device
from hw.dataflow.check import check
from hw.dataflow.flow import deadlock
from hw.dataflow.planner import propose
from hw.errors import InputError
from sim.fuzz.case import hardware_of, network_of
from sim.fuzz.draw import draw
from sim.fuzz.plan_edits import POLICIES, PlanEdits, apply


@pytest.fixture(scope="module")
def small():
    """A network with engines of every kind, and its proposed plan."""
    case = next(
        case
        for case in (draw(5, number, of="cells") for number in range(99))
        if case.guard is None and case.net.channels > 1 and not (case.paper or case.loaded)
    )
    case = replace(case, plan=PlanEdits())
    network = network_of(case)
    return network, hardware_of(case, network).design.plan


@pytest.fixture(scope="module", params=["fixed", "loaded"])
def planned(request, small):
    """The same, and with weights that are loaded."""
    network, plan = small
    if request.param == "loaded":
        plan = propose(network, device("ulx3s-85f"), loadable=True).plan
    return network, plan


@pytest.mark.parametrize("field", POLICIES)
def test_every_choice_is_allowed(planned, field):
    network, plan = planned
    for policy in POLICIES[field]:
        for seed in range(3):
            edits = PlanEdits(seed=seed, **{field: policy})
            edited = apply(edits, network, plan)
            check(edited, network)
            assert edited.loadable == plan.loadable


def test_choices_are_made(small):
    network, plan = small
    edited = apply(PlanEdits(elements="horner", weights="block"), network, plan)
    engines = [layer for layer in edited.layers.values() if layer.element != "pool"]
    assert {(layer.element, layer.pe, layer.weights) for layer in engines} == {
        ("horner", 1, "block")
    }
    wide = apply(PlanEdits(elements="barrel", lanes="all"), network, plan)
    assert wide.layers["stem/conv" if "stem/conv" in wide.layers else "stem1/conv"].pe > 1
    assert wide.layers["classifier"].pe == network.graph["classifier"].shape[2]
    larger = apply(PlanEdits(seed=2, stores="random"), network, plan)
    assert any(larger.layers[name].store > layer.store for name, layer in plan.layers.items())


def test_deadlock_fifos_are_the_smallest(small):
    network, plan = small
    edited = apply(PlanEdits(fifos="deadlock"), network, plan)
    stores = {name: layer.store for name, layer in edited.layers.items()}
    assert edited.fifos == deadlock.depths(network.graph, stores)
    random = apply(PlanEdits(seed=1, fifos="random"), network, plan)
    assert random.fifos != edited.fifos
    for name, depths in random.fifos.items():
        assert all(given >= least for given, least in zip(depths, edited.fifos[name], strict=True))


def test_unknown_choice(small):
    with pytest.raises(InputError, match="plan: lanes: 'many'; expected one of proposed"):
        apply(PlanEdits(lanes="many"), *small)
