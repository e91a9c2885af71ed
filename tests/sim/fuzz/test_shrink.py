"""Shrinking, with failures that follow from the description alone."""

from dataclasses import replace

from hw.ir.graph import Conv
from sim.fuzz import shrink as shrinking
from sim.fuzz.case import graph_of
from sim.fuzz.draw import draw
from sim.fuzz.models import Model
from sim.fuzz.plan_edits import PlanEdits
from sim.fuzz.run import Failure, Outcome, Refused
from sim.fuzz.shrink import shrink, simpler


def runner(fails, kind="mismatch"):
    """Runs no hardware: a case fails where `fails` says so."""

    def run(case):
        return Outcome(case, failure=Failure(kind, "as planned") if fails(case) else None)

    return run


def operations(case) -> set[str]:
    return {operation for key in ("normal", "reduce") for operation, _ in case.net.genotype[key]}


def drawn_with(operation: str):
    return next(
        case
        for case in (draw(1, n, of="cells") for n in range(200))
        if operation in operations(case)
    )


def shrunk(case, fails):
    run = runner(fails)
    return shrink(run(case), 60, run)[0].case


def test_all_that_does_not_matter_goes():
    case = drawn_with("conv_7x1_1x7")
    small = shrunk(case, lambda one: "conv_7x1_1x7" in operations(one))
    edges = [*small.net.genotype["normal"], *small.net.genotype["reduce"]]
    assert [operation for operation, _ in edges].count("conv_7x1_1x7") == 1
    assert (small.net.cells, small.net.channels, small.classes, small.image) == (1, 1, 1, (1, 1, 1))
    assert (small.stall, small.plan, len(small.frames)) == (0.0, PlanEdits(), 1)
    assert (small.act_bits, small.scale_terms, small.guard, small.weight_bits) == (4, 1, None, 5)
    assert (small.net.stem, small.paper) == ("cifar", False)


def test_steps_that_do_not_matter_go():
    """Of any layers, one is left, as plain as can be but for what the failure is of."""

    def fails(case):
        return any(
            isinstance(node, Conv) and node.clip == "relu6" and node.stride[0] > 1
            for node in graph_of(case)
        )

    case = next(case for n in range(200) if fails(case := draw(1, n, of="layers")))
    small = shrunk(case, fails)
    (step,) = small.net.steps
    assert (step.clip, step.stride, step.kernel, step.channels) == ("relu6", (2, 1), (1, 1), 1)
    assert (step.padding, step.end, step.own, step.groups) == ((0, 0), None, "norm", 1)
    assert (small.net.head, small.image, small.mixed) == ("classifier", (1, 1, 1), False)


def test_a_conventional_network_is_cut_behind_what_matters():
    def fails(case):
        return any(node.name == "stage2/block0/conv1" for node in graph_of(case))

    case = replace(draw(1, 0, of="model"), image=(9, 8, 2), net=Model("resnet20", "cifar", 1 / 8))
    small = shrunk(case, fails)
    assert graph_of(small).nodes[-3].name == "stage2/block0/conv1"
    assert small.net.width <= 1 / 256 and small.image == (1, 1, 1)


def test_what_matters_stays():
    case = replace(drawn_with("max_pool_3x3"), image=(9, 7, 2), stall=0.4, guard=3, paper=False)
    small = shrunk(case, lambda one: one.image[0] >= 4 and one.stall > 0 and one.guard is not None)
    assert (small.image[0], small.stall, small.guard) == (4, 0.4, 3)


def test_plan_fields_are_reset_one_by_one():
    plan = PlanEdits(seed=3, elements="horner", stores="random", fifos="deadlock")
    case = replace(draw(1, 0, of="cells"), plan=plan)
    small = shrunk(case, lambda one: one.plan.fifos == "deadlock")
    assert (small.plan.elements, small.plan.stores, small.plan.fifos) == (
        "proposed", "proposed", "deadlock"
    )  # fmt: skip


def test_only_the_same_kind_of_failure_counts():
    case = draw(1, 0, of="cells")

    def run(one):
        kind = "hang" if one == case else "mismatch"
        return Outcome(one, failure=Failure(kind, "whatever is run"))

    assert shrink(run(case), 60, run)[0].case == case


def test_refused_cases_are_passed_over():
    case = draw(1, 0, of="cells")
    outcome = Outcome(case, failure=Failure("hang", "first"))

    def run(one):
        raise Refused("its formats do not suit it")

    found, tried = shrink(outcome, 60, run)
    assert found.case == case
    assert tried > 10


def test_a_second_seed_is_tried_where_the_first_hides_the_failure():
    case = replace(draw(1, 0, of="cells"), seed=10, stall=0.5)
    small = shrunk(case, lambda one: one.seed % 2 == 0 if one.stall else one.seed % 2 == 1)
    assert small.stall == 0.0


def test_time_is_kept(monkeypatch):
    now = iter(range(1000))
    monkeypatch.setattr(shrinking.time, "monotonic", lambda: float(next(now)))
    run = runner(lambda one: True)
    _, tried = shrink(run(draw(1, 0, of="cells")), 5, run)
    assert tried <= 5


def test_every_step_is_simpler_and_valid():
    for number in range(40):
        case = draw(3, number)
        steps = list(simpler(case))
        assert case not in steps
        for one in steps:
            graph_of(one)
