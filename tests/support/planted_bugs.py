"""Bugs to plant in the Verilog of one small network, each of a kind that designs have had."""

import re

from hw.board.boards import device
from hw.dataflow.design.design import Design
from hw.dataflow.planner import propose
from hw.ir.network import Network
from hw.networks.cells import build
from hw.networks.random_network import random_network
from hw.networks.space import Genotype

SEPARABLE = "cell0.edge0_sep_conv_3x3"


def small_cell() -> tuple[Network, Design]:
    """One cell on images of 5×7×2: a separable convolution of stride 2 beside a skip, added."""
    edges = (("sep_conv_3x3", 0), ("skip_connect", 1))
    graph = build(
        Genotype(edges, (2,), edges, (2,)),
        channels=2, cells=1, image=(5, 7, 2), classes=3, stem="cifar",
    )  # fmt: skip
    network = random_network(graph, seed=128)
    return network, propose(network, device("ulx3s-85f"))


BUGS = {
    "+128 wraps instead of saturating": (
        "cell0.preprocess0.requantise",
        r"assign lane3_overflow = (v3\[20\] \? \w+ : \w+);",
        r"assign lane3_overflow = v3[20:11] != 10'h080 && (\1);",
    ),
    "-129 wraps instead of saturating": (
        "cell0.node2",
        r"assign node_overflow = (add5\[9\] \? \w+ : \w+);",
        r"assign node_overflow = add5[9:1] != 9'h17f && (\1);",
    ),
    "an accumulator left out of reset": (
        f"{SEPARABLE}.dw1.elements",
        r"    if \(rst\) begin\n      acc0 <= \d+'h0+;\n    end\n",
        "",
    ),
    "a requantiser's state left out of reset": (
        f"{SEPARABLE}.pw1.requantise",
        r"    if \(rst\) begin\n      busy <= 1'h0;\n    end\n",
        "",
    ),
    "a window's column left out of reset": (
        f"{SEPARABLE}.dw1.window",
        r"    if \(rst\) begin\n      ox <= 2'h0;\n    end\n",
        "",
    ),
    "the count of logits left out of reset": (
        "",
        r"    if \(rst\) begin\n      beat <= 2'h0;\n    end\n",
        "",
    ),
    "a fork forgets who has taken the beat": (
        "cell0.fork_stem_conv",
        r"assign o0__valid = i__valid & \w+;",
        "assign o0__valid = i__valid;",
    ),
    "a FIFO takes one beat more than it holds": (
        "cell0.concat.fifo0.queue",
        r"assign w_rdy = level != 3'h4;",
        "assign w_rdy = level != 3'h5;",
    ),
    "valid waits for ready": (
        "",
        r"\.o__valid\(m_axis_tvalid\)(.*?)\n  always",
        r".o__valid(v)\1\n  wire v;\n  assign m_axis_tvalid = v & m_axis_tready;\n  always",
    ),
    "last comes early where no byte follows": (
        "",
        r"assign m_axis_tlast = beat == 2'h2;",
        "assign m_axis_tlast = beat == 2'h2 || (beat == 2'h1 && !s_axis_tvalid);",
    ),
    "the mask of the last column is wrong": (
        f"{SEPARABLE}.dw1.window",
        r"= 4'h7 >> ox;",
        "= 4'hf >> ox;",
    ),
    "a half is rounded down": (
        f"{SEPARABLE}.dw2.requantise",
        r"\$signed\(17'h00040\)",
        "$signed(17'h0003f)",
    ),
}
"""Name -> module below the top, what stands there, what is planted instead."""


def planted(verilog: str, top: str, name: str) -> str:
    """The Verilog with one of `BUGS`."""
    path, old, new = BUGS[name]
    head = f"module \\{top}.{path} (" if path else f"module {top}("
    first = verilog.index(head)
    last = verilog.index("\nendmodule", first)
    module, count = re.subn(old, new, verilog[first:last], flags=re.S)
    assert count == 1, (name, count)
    return verilog[:first] + module + verilog[last:]
