"""The proofs of what loads weights hold, and each fails on a part that is wrong."""

import pytest
from formal_support import fails_from_reset, holds, mutate, proofs_of

from hw.dataflow.layers.requantise import AddBias, Requantise
from hw.dataflow.loading import memory
from hw.dataflow.loading.axi import Loader
from hw.dataflow.loading.bus import Hop, Station

STATION, DECODE, HOP = Station.elaborate, Station._decode, Hop.elaborate
LOADER, REGISTERS = Loader.elaborate, Loader._registers

THOROUGH = [pytest.mark.slow, pytest.mark.thorough]

MUTANTS = [
    ("station", STATION, "lane == region.lanes - 1", "lane == 0"),
    ("station", STATION, "hit & bus.write & (lane", "hit & (lane"),
    ("station", STATION, "value.word_select(lane, DATA_BITS)", "value[:DATA_BITS]"),
    ("station", STATION, "Mux(chosen, value, 0)", "value"),
    ("station", STATION, "done.eq(Cat(hits).any())", "done.eq(bus.strobe)"),
    ("station", DECODE, "here & (index < region.words)", "here"),
    ("station", DECODE, "here & (lane < region.lanes)", "here"),
    ("station", DECODE, "self.bus.strobe & here", "here"),
    ("station", memory.address, "Mux(access.halt, access.address, own)", "access.address"),
    ("station", memory.enable, "own | access.halt", "own"),
    ("loader", LOADER, "m.Elif(halt & self.reset)", "m.Elif(1)"),
    ("loader", LOADER, "self.s_axil_wstrb.all() & ", ""),
    ("loader", LOADER, "write_next | ~self.s_axil_arvalid", "1"),
    ("loader", LOADER, "response.eq(SLVERR), value", "response.eq(OKAY), value"),
    ("loader", LOADER, "self.s_axil_araddr[:2] == 0", "1"),
    pytest.param("loader", LOADER, "settle.eq(self.hops + 1)", "settle.eq(0)", marks=THOROUGH),
    ("loader", LOADER, "init=self.hops + 1", "init=0"),
    ("loader", REGISTERS, "m.If(bus.write & halt)", "m.If(bus.write)"),
    pytest.param("loader", HOP, "local | beyond", "local", marks=THOROUGH),
    ("add-bias-load", AddBias.elaborate, "address(loader, number)", "number ^ 1"),
    ("add-bias-load", AddBias.elaborate, "+ bias.data", "- bias.data"),
    pytest.param(
        "requantise-load", Requantise._follow, "finished & (row == 0)", "0", marks=THOROUGH
    ),
    ("requantise-load", Requantise._follow, "pointer.eq(pointer + 1)", "pointer.eq(pointer)"),
    ("requantise-load", Requantise._lane, "Cat(carry, step.bit, v[:-1])", "Cat(carry, 0, v[:-1])"),
]


@pytest.mark.parametrize("name", [*proofs_of("stations"), *proofs_of("loaders")])
def test_proof_holds(name):
    holds(name)


@pytest.mark.parametrize(("name", "function", "old", "new"), MUTANTS)
def test_wrong_part_is_found(name, function, old, new, monkeypatch):
    mutate(monkeypatch, function, old, new)
    fails_from_reset(name)
