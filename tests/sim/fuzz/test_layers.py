"""Networks of any layers: whatever the steps say, they make a network, and hardware for it."""

from itertools import product

import pytest

from hw.dataflow.design.geometry import Geometry
from hw.ir.graph import Add, Concat, Conv, MaxPool, Select, Windowed
from hw.ir.validate import Reporter, check_graph
from sim.fuzz.dice import Dice
from sim.fuzz.layers import DEPTHWISE, Head, Kind, Layers, Own, Step


def wild(dice: Dice) -> Step:
    """A step of numbers that suit no tensor in particular."""

    def number(least: int) -> int:
        return dice.integer(least, 9)

    def pair(least: int) -> tuple[int, int]:
        return number(least), number(least)

    return Step(
        str(dice.choice(list(Kind))),
        back=number(0),
        others=tuple(number(0) for _ in range(dice.integer(0, 3))),
        channels=dice.integer(1, 3),
        kernel=pair(1),
        stride=pair(1),
        padding=pair(0),
        end=pair(0) if dice.chance(0.5) else None,
        dilation=pair(1),
        groups=number(DEPTHWISE),
        own=str(dice.choice(list(Own))),
        relu_in=dice.chance(0.5),
        clip=dice.choice((None, "relu", "relu6")),
        picks=tuple(number(0) for _ in range(dice.integer(1, 9))),
    )


@pytest.mark.parametrize("head", Head)
def test_any_steps_make_a_network_and_hardware(head):
    for number in range(150):
        dice = Dice(f"{head}/{number}")
        net = Layers(tuple(wild(dice) for _ in range(dice.integer(0, 5))), str(head), hidden=2)
        graph = net.graph((dice.integer(1, 7), dice.integer(1, 7), dice.integer(1, 3)), 4).pruned()
        check_graph(graph, Reporter())
        for node in graph:
            if isinstance(node, Windowed):
                Geometry.of(graph, node)  # refuses windows that lie beside the image


def test_what_suits_is_taken_as_it_is():
    """Sizes that go with the image are those that were asked for, at both axes."""
    for kind, (rows, columns) in product(("conv", "max_pool"), ((3, 2), (4, 5))):
        step = Step(kind, kernel=(rows, columns), stride=(2, 1), padding=(1, 0), end=(0, 1))
        node = Layers((step,)).graph((9, 8, 3), 2).nodes[1]
        assert isinstance(node, Conv | MaxPool)
        assert (node.kernel, node.stride) == ((rows, columns), (2, 1))
        assert (node.padding, node.end) == ((1, 0), (0, 1))


def test_inputs_are_counted_from_the_newest():
    steps = (
        Step("conv", channels=4),
        Step("conv", channels=4, back=1),
        Step("add", others=(1, 0)),
        Step("concat", others=(3,), back=2),
        Step("select", picks=(9, 0)),
    )
    nodes = Layers(steps).graph((3, 3, 2), 2).by_name
    assert nodes["n1"].inputs == ("input",)
    assert isinstance(nodes["n2"], Add) and nodes["n2"].inputs == ("n1", "n0", "n1")
    assert isinstance(nodes["n3"], Concat) and nodes["n3"].inputs == ("n0", "input")
    assert isinstance(nodes["n4"], Select) and nodes["n4"].channels == (3, 0)


def test_heads():
    def kinds(head: Head) -> list[str]:
        graph = Layers((Step("conv", channels=3),), str(head), hidden=5).graph((4, 3, 1), 2)
        return [f"{type(node).__name__} {node.shape}" for node in graph.nodes[2:]]

    assert kinds(Head.NOTHING) == []
    assert kinds(Head.MEANS) == ["GlobalPool (1, 1, 3)"]
    assert kinds(Head.WHOLE) == ["Conv (1, 1, 2)"]
    assert kinds(Head.CLASSIFIER) == ["GlobalPool (1, 1, 3)", "Linear (1, 1, 2)"]
    assert kinds(Head.HIDDEN) == ["Conv (1, 1, 5)", "Conv (1, 1, 5)", "Linear (1, 1, 2)"]
    assert Layers((), "nothing").graph((4, 3, 1), 2).nodes[-1].name == "global_pool"
