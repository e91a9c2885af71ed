"""Names of nets that Amaranth would number."""

import re

import pytest
from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.verilog.convert import to_verilog


class Narrow(wiring.Component):
    """A register whose low bits alone are computed; the upper ones repeat the sign."""

    i: In(stream.Signature(signed(8)))
    o: Out(stream.Signature(signed(8)))

    def elaborate(self, platform):
        m = Module()
        low = Signal(signed(5))
        with m.If(self.i.valid):
            m.d.sync += low.eq(self.i.payload >> 3)
        m.d.comb += [
            self.o.payload.eq(low),
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
        ]
        return m


class Split(wiring.Component):
    """A payload of which one half is a register and the other is not."""

    i: In(stream.Signature(8))
    o: Out(stream.Signature(8))

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o.payload[4:].eq(self.i.payload[:4])
        m.d.comb += [
            self.o.payload[:4].eq(self.i.payload[4:] + 1),
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
        ]
        return m


class Chain(wiring.Component):
    i: In(stream.Signature(signed(8)))
    o: Out(stream.Signature(8))

    def elaborate(self, platform):
        m = Module()
        m.submodules.narrow = narrow = Narrow()
        m.submodules.split = split = Split()
        m.d.comb += Cat(split.i.payload, split.i.valid).eq(Cat(narrow.o.payload, narrow.o.valid))
        m.d.comb += narrow.o.ready.eq(split.i.ready)
        wiring.connect(m, wiring.flipped(self.i), narrow.i)
        wiring.connect(m, split.o, wiring.flipped(self.o))
        return m


@pytest.fixture(scope="module")
def text():
    return to_verilog(Chain(), "chain")


def test_nothing_is_numbered(text):
    assert not re.search(r"\\\S*\$", text)


def test_parts_are_named_after_their_signal(text):
    split = text[text.index("module \\chain.split ") :]
    assert re.search(r"output (reg )?\[3:0\] o__payload_7_4", split)
    assert re.search(r"output \[3:0\] o__payload_3_0", split)
    narrow = text[text.index("module \\chain.narrow ") :]
    assert re.search(r"^  wire signed \[7:0\] o__payload;", narrow, re.M)
    assert ".low(narrow__o__payload_4_0)" in text


def test_interfaces_of_parts_carry_their_names(text):
    top = text[: text.index("endmodule")]
    assert ".i__valid(i__valid)" in top
    assert "narrow__i__valid" not in top


def test_clock_and_reset_come_first(text):
    for module in re.findall(r"^module .*?\n\);", text, re.M | re.S):
        assert module.split("\n")[1:3] == ["  input clk,", "  input rst,"]


class Twice(wiring.Component):
    """A signal inside that is called like a port."""

    i: In(2)
    o: Out(2)

    def elaborate(self, platform):
        m = Module()
        o = Signal(2)
        m.d.sync += o.eq(self.i)
        m.d.comb += self.o.eq(~o)
        return m


class Flags(wiring.Component):
    """Inputs that the parent has side by side in one signal."""

    first: In(1)
    middle: In(3)
    last: In(2)
    o: Out(6)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o.eq(Cat(self.first, self.middle, self.last) + 1)
        return m


class Word(wiring.Component):
    i: In(6)
    o: Out(6)

    def elaborate(self, platform):
        m = Module()
        m.submodules.flags = flags = Flags()
        m.d.comb += Cat(flags.first, flags.middle, flags.last).eq(self.i)
        m.d.comb += self.o.eq(flags.o)
        return m


def test_of_two_signals_of_one_name_the_port_has_it():
    text = to_verilog(Twice(), "twice")
    assert re.search(r"^  output \[1:0\] o$", text, re.M)
    assert re.search(r"^  reg \[1:0\] o_ = 2'h0;$", text, re.M) and "$" not in text


def test_a_port_of_several_signals_is_called_after_the_first_and_the_last():
    text = to_verilog(Word(), "word")
    flags = text[text.index("module \\word.flags ") :]
    assert re.search(r"^  input \[5:0\] first_to_last$", flags, re.M)
    assert "  assign middle = first_to_last[3:1];\n" in flags
    assert ".first_to_last(i)" in text
