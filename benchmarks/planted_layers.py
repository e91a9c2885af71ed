"""Which default run finds a bug in the Verilog of an operation of conventional networks.

    python benchmarks/planted_layers.py [--testbench] [--out DIR]

As `planted_bugs.py`, in a small network of a convolution with bias, strides that differ by axis and
uneven padding, a pool in ceil mode, a selection that shuffles, a pointwise convolution and an
addition both clipped at six, and two hidden fully connected layers.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

from planted_bugs import Bug, Garden, main, no_reset

from hw.ir import serialize
from hw.ir.clip import Clip
from hw.ir.graph import Add, Conv, Graph, Input, Linear, MaxPool, Node, Select
from hw.ir.network import Network
from hw.networks.random_network import random_network


def nodes() -> tuple[Node, ...]:
    hidden = {"batch_norm": False, "bias": True, "clip": Clip.RELU}
    return (
        Input(name="input", inputs=(), shape=(7, 6, 2)),
        Conv(
            name="uneven", inputs=("input",), shape=(3, 5, 4), kernel=(3, 3), stride=(2, 1),
            padding=(1, 0), padding_end=(0, 1), **hidden,
        ),
        MaxPool(
            name="ceil", inputs=("uneven",), shape=(2, 3, 4), kernel=(2, 2), stride=(2, 2),
            padding=(0, 0), padding_end=(1, 1),
        ),
        Select(name="shuffle", inputs=("ceil",), shape=(2, 3, 4), channels=(2, 0, 3, 1)),
        Conv(name="branch", inputs=("ceil",), shape=(2, 3, 4), clip=Clip.RELU6),
        Add(name="sum", inputs=("shuffle", "branch"), shape=(2, 3, 4), clip=Clip.RELU6),
        Conv(name="hidden1", inputs=("sum",), shape=(1, 1, 5), kernel=(2, 3), **hidden),
        Conv(name="hidden2", inputs=("hidden1",), shape=(1, 1, 4), **hidden),
        Linear(name="classifier", inputs=("hidden2",), shape=(1, 1, 3)),
    )  # fmt: skip


def network() -> Network:
    """Weights such that six is below the largest code of both clipped tensors."""
    made = random_network(Graph(nodes()), seed=1)
    assert made.formats["branch"].limit == made.formats["sum"].limit == 192
    return made


def everywhere(*edits: tuple[str, str]) -> Callable[[re.Match[str]], str]:
    """The match with each text replaced wherever it stands; all of them have to be there."""

    def edited(found: re.Match[str]) -> str:
        text = found[0]
        for before, after in edits:
            if before not in text:
                sys.exit(f"nothing to edit: {before}: the network has changed")
            text = text.replace(before, after)
        return text

    return edited


MODULE = r"(?s)\A.*"
"""All of a module."""

BUGS = (
    Bug("193 passes a bound of 192", "branch.requantise", r"(> 9'h0)c0", r"\1c1"),
    Bug(
        "six taken for that of another format",
        "branch.requantise",
        r"(> 9'h0)c0((?:.|\n)*?\? 8'h)c0",
        r"\g<1>60\g<2>60",
    ),
    Bug(
        "addition cut at the end of its width, not at six",
        "sum",
        r"(> 9'h0)c0((?:.|\n)*?\? 8'h)c0",
        r"\1ff\2ff",
    ),
    Bug(
        "values below zero not cut off",
        "uneven.requantise",
        r"v0\[(\d+)\] \? 8'h00",
        r"1'h0 ? 8'h00",
    ),
    Bug(
        "bias left out in a lane",
        "uneven.requantise",
        r"\{ bias__data\[29\], bias__data\[29\], bias__data\[29:15\] \}",
        "17'h00000",
    ),
    Bug(
        "bias of the neighbour's channel",
        "uneven.requantise",
        r"\{ bias__data\[29\], bias__data\[29\], bias__data\[29:15\] \}",
        "{ bias__data[14], bias__data[14], bias__data[14:0] }",
    ),
    Bug(
        "place in the program of the bias left out of reset",
        "uneven.requantise",
        no_reset("steps__addr"),
        "",
    ),
    Bug(
        "selection reads a neighbour's channel",
        "shuffle.window",
        r"(program \[1\] = 3'h)4",
        r"\g<1>5",
    ),
    Bug(
        "padding at the left, not at the right",
        "uneven.window",
        r"(= 5'h)1f( >> ox;(?:.|\n)*= 5'h)0f( >> ox)",
        r"\g<1>1e\g<2>1f\g<3>",
    ),
    Bug(
        "first window a column early",
        "uneven.window",
        MODULE,
        everywhere(("base = 6'h34", "base = 6'h32"), ("base <= 6'h34", "base <= 6'h32")),
    ),
    Bug(
        "strides of rows and columns swapped",
        "uneven.window",
        MODULE,
        everywhere(("? 6'h24 : 6'h30", "? 6'h14 : 6'h04"), (": 6'h3e", ": 6'h3c")),
    ),
    Bug(
        "last window of a row without a pixel",
        "ceil.window",
        r"(= 3'h)7( >> ox)",
        r"\g<1>3\2",
    ),
    Bug(
        "last window of a row left out",
        "ceil.window",
        MODULE,
        everywhere(("ox == 2'h2", "ox == 2'h1")),
    ),
    Bug(
        "fully connected layer keeps its sum for the next image",
        "hidden1.elements",
        r"if \(close\) begin\n      acc <= \S+\n    end else if \(take\)",
        "if (take)",
    ),
    Bug("sum of a hidden layer left out of reset", "hidden1.elements", no_reset("acc"), ""),
    Bug(
        "largest code of a hidden layer wraps",
        "hidden2.requantise",
        r"(net\d+|gt\d+|\|\S+) \? 8'hff",
        r"1'h0 ? 8'hff",
    ),
)


def make(net: Path) -> None:
    """Writes the NETWORK."""
    serialize.save(network(), net)


if __name__ == "__main__":
    sys.exit(main(Garden(make, BUGS), __doc__))
