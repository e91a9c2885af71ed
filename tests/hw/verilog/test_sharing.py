"""Modules of one kind become one, and the design stays what it is."""

import re

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.verilog import yosys
from hw.verilog.convert import from_rtlil, to_rtlil
from hw.verilog.sharing import shared


class Count(wiring.Component):
    """A counter that begins with a value."""

    o: Out(4)

    def __init__(self, begin):
        self.begin = begin
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        count = Signal(4, init=self.begin)
        m.d.sync += count.eq(count + 1)
        m.d.comb += self.o.eq(count)
        return m


class Pair(wiring.Component):
    """Two counters, and what they say together."""

    i: In(4)
    o: Out(4)

    def __init__(self, *begin):
        self.begin = begin
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.one = one = Count(self.begin[0])
        m.submodules.two = two = Count(self.begin[1])
        m.d.comb += self.o.eq((one.o ^ two.o) & self.i)
        return m


class Grid(wiring.Component):
    """Pairs of two kinds."""

    i: In(4)
    o: Out(12)

    def elaborate(self, platform):
        m = Module()
        for number, begin in enumerate([(1, 1), (1, 2), (1, 1)]):
            pair = Pair(*begin)
            m.submodules[f"pair{number}"] = pair
            m.d.comb += [pair.i.eq(self.i), self.o.word_select(number, 4).eq(pair.o)]
        return m


SCRIPT = """
read_rtlil one.il
hierarchy -top grid
proc
flatten
rename grid gold
design -stash gold
read_rtlil two.il
hierarchy -top grid
proc
flatten
rename grid gate
design -stash gate
design -copy-from gold -as gold gold
design -copy-from gate -as gate gate
equiv_make gold gate both
hierarchy -top both
equiv_simple
equiv_status -assert
"""


def names(text):
    return re.findall(r"^module \\?(\S+)", text, re.M)


def test_one_module_of_each_kind_called_after_the_first():
    rtl = to_rtlil(Grid(), "grid")
    assert len(names(rtl.text)) == 10
    found = shared(rtl.text)
    assert names(found) == ["grid", "grid.pair0", "grid.pair0.one", "grid.pair1", "grid.pair1.two"]
    verilog = from_rtlil(found)
    assert re.findall(r"^  \\(grid\.\S+)  (\w+) \($", verilog, re.M) == [
        ("grid.pair0", "pair0"),
        ("grid.pair1", "pair1"),
        ("grid.pair0", "pair2"),
        ("grid.pair0.one", "one"),
        ("grid.pair0.one", "two"),
        ("grid.pair0.one", "one"),
        ("grid.pair1.two", "two"),
    ]


def test_the_design_is_the_same(tmp_path):
    text = to_rtlil(Grid(), "grid").text
    (tmp_path / "one.il").write_text(text)
    (tmp_path / "two.il").write_text(shared(text))
    yosys.run(SCRIPT, tmp_path)


def test_what_is_shared_already_stays():
    text = shared(to_rtlil(Grid(), "grid").text)
    assert shared(text) == text
