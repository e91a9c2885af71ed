"""A case as small as they come, and a bug to plant."""

import pytest
from amaranth import Mux, Signal

from hw.dataflow.layers.elements import Maximum
from sim.fuzz.case import Case
from sim.fuzz.cells import Cells

GENOTYPE = {
    "normal": [["skip_connect", 0], ["skip_connect", 1]],
    "normal_concat": [2],
    "reduce": [["max_pool_3x3", 0], ["skip_connect", 1], ["skip_connect", 2], ["skip_connect", 2]],
    "reduce_concat": [3],
}


@pytest.fixture
def case() -> Case:
    """One reduction cell with a max pool, 5×4 images."""
    return Case(Cells(GENOTYPE, "cifar", channels=1, cells=1), image=(5, 4, 1), classes=2)


@pytest.fixture
def wrong_maximum(monkeypatch):
    """Max pools give the minimum."""

    def accumulate(self, m, tap, take, close):
        best, some, winner = Signal(self.x), Signal(), Signal(self.x)
        m.d.comb += winner.eq(Mux(tap.real & (~some | (tap.x < best)), tap.x, best))
        with m.If(take):
            m.d.sync += [best.eq(winner), some.eq(~close & (some | tap.real))]
        with m.If(close):
            m.d.sync += self.o.payload.eq(winner)

    monkeypatch.setattr(Maximum, "accumulate", accumulate)
