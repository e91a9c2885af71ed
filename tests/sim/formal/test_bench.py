"""Benches refuse what would make a proof mean less than it says."""

import pytest
from amaranth.hdl import Const

from hw.dataflow.layers.streams import Skid
from hw.verilog.yosys import YosysError
from sim.formal.bench import Bench
from sim.formal.proof import Proof, prove


def decide(bench):
    return prove(Proof("x", "x", lambda: bench), fresh=True)[0]


def test_names_are_unique():
    bench = Bench()
    bench.rule("a", Const(1))
    with pytest.raises(ValueError, match="two statements 'a'"):
        bench.cover("a", Const(1))
    assert "rule.a" in bench.rtlil


def test_probe_of_a_wire_that_is_not_there():
    bench = Bench(Skid(2))
    bench.source("i")
    bench.sink("o")
    bench.rule("a", bench.probe("no_such_wire", 1) == 0)
    with pytest.raises(YosysError):
        decide(bench)


def test_contradicting_assumptions_prove_nothing():
    bench = Bench()
    value = bench.free("value", 4)
    bench.assume("small", value < 4)
    bench.assume("large", value > 8)
    bench.rule("absurd", value == 16)
    bench.cover("any", Const(1))
    result = decide(bench)
    assert result.failure is not None
    assert (result.failure.kind, result.failure.statements) == ("cover", ["any"])


def test_wrong_lemma_is_no_help():
    bench = Bench()
    value = bench.free("value", 4)
    bench.lemma("wrong", value == 3)
    bench.rule("follows", value < 4)
    result = decide(bench)
    assert result.failure is not None
    assert result.failure.kind == "counterexample"
    assert result.failure.trace["value"][-1] != 3


def test_fixed_is_the_same_in_all_cycles():
    bench = Bench()
    value, past, started = (
        bench.fixed("value", 4),
        bench.register("past", 4),
        bench.register("s", 1),
    )
    bench.module.d.sync += [past.eq(value), started.eq(1)]
    bench.rule("constant", ~started | (past == value))
    bench.lemma("past", ~started | (past == value))
    bench.cover("seven", started & (value == 7))
    assert decide(bench).proved
