"""The specification of the proofs says what the reference computes, for every small value."""

import pytest
from amaranth.hdl import Module, Signal, Value, signed
from amaranth.sim import Simulator

from hw.ir.format import Format
from sim.formal.spec import Term, clamp, requantised, same, scaled, total


def evaluate(expressions, value):
    """Each expression for every value of the signal: rows of results."""
    m, rows = Module(), []
    results = [Signal(signed(24)) for _ in expressions]
    m.d.comb += [result.eq(e) for result, e in zip(results, expressions, strict=True)]

    async def run(ctx):
        for number in numbers(value):
            ctx.set(value, number)
            rows.append([ctx.get(result) for result in results])

    simulator = Simulator(m)
    simulator.add_testbench(run)
    simulator.run()
    return rows


def numbers(value: Value) -> range:
    return range(-1 << len(value) - 1, 1 << len(value) - 1)


def test_scaled():
    value = Signal(signed(5))
    terms = [Term(s, e) for s in (1, -1) for e in range(-3, 4)]
    wanted = [[s * (q << e if e >= 0 else q // 2**-e) for s, e in terms] for q in numbers(value)]
    assert evaluate([scaled(value, term) for term in terms], value) == wanted


@pytest.mark.parametrize("rounding", ["half_up", "floor"])
def test_requantised(rounding):
    value = Signal(signed(6))
    cases = [(r, Format(s, w, 0)) for r in range(-2, 8) for s in (True, False) for w in (2, 4)]
    half = 0.5 if rounding == "half_up" else 0.0
    wanted = [
        [min(max(int((q / 2**r + half * (r > 0)) // 1), f.qmin), f.qmax) for r, f in cases]
        for q in numbers(value)
    ]
    got = evaluate([requantised(value, r, f, rounding) for r, f in cases], value)
    assert got == wanted


def test_total_clamp_and_same():
    value = Signal(signed(5))
    fmt = Format(True, 3, 0)
    got = evaluate([total([value, value, value]), clamp(value, fmt), same(value, 3, 4)], value)
    wanted = [[3 * q, min(max(q, -4), 3), -int(q % 16 == 3)] for q in numbers(value)]
    assert [[a, b, -c] for a, b, c in got] == wanted
