"""The bugs of `benchmarks/planted_layers.py`: each is an edit of the Verilog as it is emitted."""

import planted_layers
import pytest

from hw.board.boards import device
from hw.dataflow.planner import propose
from hw.verilog import emit
from sim.coverage import nodes
from sim.coverage.store import Coverage


@pytest.fixture(scope="module")
def verilog():
    network = planted_layers.network()
    return emit.emit(propose(network, device("none"))).verilog


@pytest.mark.parametrize("bug", planted_layers.BUGS, ids=lambda bug: bug.what)
def test_it_can_be_planted(bug, verilog):
    before, after = verilog.splitlines(), bug.plant(verilog).splitlines()
    module = next(n for n, line in enumerate(before) if f"shiftnas_top.{bug.module} (" in line)
    changed = next(n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b)
    end = before.index("endmodule", module)
    assert module < changed < end


def test_the_network_has_each_operation():
    coverage = Coverage()
    nodes.measure(coverage, planted_layers.network())
    hit = {
        f"{group}: {name}" for group, bins in coverage.hits.items() for name in bins if bins[name]
    }
    assert hit >= {
        "window: max pool: more padding at the end",
        "padding: 3x3 right",
        "convolution: bias",
        "convolution: over the whole map",
        "convolution: of one pixel",
        "select: in another order",
        "clip: relu6 below the largest code",
    }
