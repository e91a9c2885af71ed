"""Names of nodes that hardware cannot have, and odd ones that it can."""

import numpy as np
import pytest

from hw.board.boards import device
from hw.dataflow.design.names import KEYWORDS, require_names
from hw.dataflow.planner import propose
from hw.errors import InputError
from hw.ir import reference
from hw.ir.graph import Add, Conv, GlobalPool, Graph, Input, Linear
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
