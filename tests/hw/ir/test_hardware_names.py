"""Names of nodes that hardware cannot have, and odd ones that it can."""

import numpy as np
import pytest

from hw.board.boards import device
from hw.dataflow.planner import propose
from hw.errors import InputError
from hw.ir import reference
from hw.ir.graph import Add, Conv, GlobalPool, Graph, Input, Linear
from hw.ir.hardware_names import KEYWORDS, possible, require_names
from hw.ir.validate import NAME
from hw.networks import genotypes
from hw.networks.cells import build
from hw.networks.random_network import random_network
from hw.verilog import emit

SHAPE = (2, 2, 2)


def graph(first="a", second="b", third="c"):
    """Three layers to be named, the first read twice; the image is called after a keyword."""
    return Graph(
        (
            Input(name="input", inputs=(), shape=(2, 2, 1)),
            Conv(name=first, inputs=("input",), shape=SHAPE),
            Conv(name=second, inputs=(first,), shape=SHAPE),
            Add(name=third, inputs=(first, second), shape=SHAPE),
            GlobalPool(name="pool", inputs=(third,), shape=(1, 1, 2)),
            Linear(name="logits", inputs=("pool",), shape=(1, 1, 2)),
        )
    )


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("begin",), "begin: begin is a reserved word of SystemVerilog"),
        (("stem/always_ff",), "stem/always_ff: always_ff is a reserved word"),
        (("wire/conv",), "wire/conv: wire is a reserved word"),
        (("clk",), "clk: clk is a port of every module"),
        (("stem/rst",), "stem/rst: rst is a port of every module"),
        (("s_axis_tdata",), "s_axis_tdata: s_axis_tdata begins like a port of the network"),
        (("i__payload",), "i__payload: __ stands between module and port"),
        (("x/a", "x_a"), "x_a: ports are called alike for x/a"),
        (("a", "fork_a"), "fork_a: fork_a is the fork behind a"),
        (("a", "load_a"), "load_a: that is where a gets its loaded weights"),
        (("loader",), "loader: loader is the module that takes loaded weights"),
    ],
)
def test_a_name_that_hardware_has_already_is_refused(names, said):
    network = random_network(graph(*names), seed=3)
    reference.run(network, np.zeros((1, 2, 2, 1), np.uint8))
    with pytest.raises(InputError) as caught:
        propose(network, device("ulx3s-85f"))
    assert str(caught.value).startswith(f"network.json: {said}")
    assert str(caught.value).endswith("; rename the node")


@pytest.mark.parametrize(
    "names",
    [("A", "a", "aA"), ("i", "o", "i0"), ("top", "image", "halted"), ("x/i", "x/o", "x/x")],
)
def test_odd_names_are_emitted(names):
    design = propose(random_network(graph(*names), seed=3), device("ulx3s-85f"))
    text = emit.emit(design).verilog
    for name in names:
        assert f" {name.rpartition('/')[2]} (" in text


def test_names_of_all_our_own_networks_are_right():
    for name in genotypes.published():
        for stem in ("cifar", "imagenet"):
            made = build(
                genotypes.get(name), channels=2, cells=3, image=(32, 32, 3), classes=2, stem=stem
            )
            require_names(made)


def test_the_words_are_those_of_the_standard():
    """248 of them in IEEE 1800-2017; the 123 of IEEE 1364-2005 among them."""
    assert len(KEYWORDS) == 248
    assert {"module", "wire", "logic", "s_until_with", "wor"} <= KEYWORDS


FOREIGN = (
    "output final input reg type cell clk rst load loader load_a fork_a a _a a_ a__b 1x1 größe λ _ "
    "__ s_axis_x m_axis_ s_axil_y s_axis_ fork_ load_ Conv:0 x-y x.y 7 n_7 layer0 A"
).split()


def test_foreign_names_become_such_that_hardware_can_have():
    """Each of them, and each below each, all beside each other, in several orders."""
    wanted = [(one,) for one in FOREIGN] + [(one, two) for one in FOREIGN for two in FOREIGN]
    for order in (wanted, wanted[::-1], wanted[::7] + wanted[3::7]):
        given: list[str] = []
        for words in order:
            given.append(possible(words, given))
        nodes = [Conv(name=name, inputs=("input",), shape=SHAPE) for name in given]
        require_names(Graph((Input(name="input", inputs=(), shape=(2, 2, 1)), *nodes)))
        assert all(NAME.fullmatch(name) for name in given)
        for name in given:
            assert not any(other.startswith(f"{name}/") for other in given)


def test_names_that_hardware_can_have_stay_what_they_are():
    for name in ("stem_0", "block/conv", "layer1_0/conv1", "classifier", "A", "conv_2"):
        assert possible(name.split("/"), ["other"]) == name
    assert possible(("output",), ()) == "output_node"
    assert possible(("features", "3x3"), ()) == "features/n_3x3"
    assert possible(("a", "b"), ("a_b", "c")) == "a_b_2"
