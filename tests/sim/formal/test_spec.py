"""The specification of the proofs says what the reference computes, for every small value."""

import pytest
from amaranth.hdl import Module, Signal, Value, signed
from amaranth.sim import Simulator

from hw.ir.format import Format
from hw.ir.parameters import Rounding
from sim.formal.spec import Term, clamp, mean_of, requantised, same, scaled, total


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


@pytest.mark.parametrize("rounding", Rounding)
def test_requantised(rounding):
    value = Signal(signed(6))
    cases = [(r, Format(s, w, 0)) for r in range(-2, 8) for s in (True, False) for w in (2, 4)]
    half = {Rounding.HALF_UP: 0.5, Rounding.FLOOR: 0.0}[rounding]
    wanted = [
        [min(max(int((q / 2**r + half * (r > 0)) // 1), f.qmin), f.qmax) for r, f in cases]
        for q in numbers(value)
    ]
    got = evaluate([requantised(value, r, f, rounding) for r, f in cases], value)
    assert got == wanted


def test_mean_of():
    """With the factor and the shift of docs/numerics.md, worked out by hand: ⌈log2 n⌉ is 0, 2, 2,
    3."""
    value, fmt = Signal(signed(6)), Format(True, 4, 0)
    factors = {1: (4096, 12), 3: (5461, 14), 4: (4096, 14), 6: (5461, 15)}
    wanted = [
        [min(max((q * r + (1 << t - 1)) >> t, -8), 7) for r, t in factors.values()]
        for q in numbers(value)
    ]
    assert evaluate([mean_of(value, n, fmt) for n in factors], value) == wanted


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_rounding_that_nobody_knows_is_none(shift):
    with pytest.raises(AssertionError, match="half_even"):
        requantised(Signal(signed(6)), shift, Format(True, 4, 0), "half_even")


def test_total_clamp_and_same():
    value = Signal(signed(5))
    fmt = Format(True, 3, 0)
    got = evaluate([total([value, value, value]), clamp(value, fmt), same(value, 3, 4)], value)
    wanted = [[3 * q, min(max(q, -4), 3), -int(q % 16 == 3)] for q in numbers(value)]
    assert [[a, b, -c] for a, b, c in got] == wanted
