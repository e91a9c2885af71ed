"""A small network and bugs in its Verilog that a testbench at its ports can see.

Those of `benchmarks/planted_bugs.py` that show there, and some at the ports; the weights are such
that a few random images reach both ends of a clamp by one.
"""

from planted_bugs import BUGS as COMMON
from planted_bugs import CLAMP, EDGE, Bug, no_reset, wraps

from hw.board.boards import device
from hw.dataflow.design.design import Design
from hw.dataflow.planner import propose
from hw.ir.network import Network
from hw.networks.cells import build
from hw.networks.random_network import random_network
from hw.networks.space import Genotype

UNSEEN = (
    "exactly +128 wraps in a pointwise layer",  # no image gets there
    "FIFO one beat shallower than its pointers",  # all beats come, later
)
"""Of the common ones. The testbench of single layers sees them."""


def small_cell() -> tuple[Network, Design]:
    """One cell on images of 5×7×2: a separable convolution of stride 2 beside a skip, added."""
    edges = (("sep_conv_3x3", 0), ("skip_connect", 1))
    graph = build(
        Genotype(edges, (2,), edges, (2,)),
        channels=2, cells=1, image=(5, 7, 2), classes=3, stem="cifar",
    )  # fmt: skip
    network = random_network(graph, seed=128)
    return network, propose(network, device("ulx3s-85f"))


BUGS = (
    Bug("+128 wraps in a lane", "cell0.preprocess0.requantise", f"(?<=lane3){CLAMP}", wraps(128)),
    *(bug for bug in COMMON if not bug.harmless and bug.what not in UNSEEN),
    Bug("requantiser's state left out of reset", f"{EDGE}.pw1.requantise", no_reset("busy"), ""),
    Bug("count of logits left out of reset", "", no_reset("beat"), ""),
    Bug(
        "half rounded down",
        f"{EDGE}.dw2.requantise",
        r"\$signed\(17'h00040\)",
        "$signed(17'h0003f)",
    ),
)
