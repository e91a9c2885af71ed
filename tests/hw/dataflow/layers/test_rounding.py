"""The rounding shift, for every value, shift and format of small widths."""

import pytest
from amaranth import Module, Signal, signed
from amaranth.sim import Simulator

from hw.dataflow.layers.rounding import shift_saturate
from hw.ir.format import Format

FORMATS = [Format(is_signed, width, 0) for is_signed in (False, True) for width in (2, 3, 6)]
FORMATS += [Format(False, width, 0, limit) for width, limit in ((2, 2), (3, 4), (6, 40))]


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_shifts_and_clamps(fmt):
    """Narrow values too: a negative one in an unsigned format is 0, however few bits are left."""
    m, value = Module(), Signal(signed(5))
    results = {
        shift: shift_saturate(m, value, shift, fmt, name=f"by{shift}") for shift in range(-3, 8)
    }

    async def check(ctx):
        for number in range(-16, 16):
            ctx.set(value, number)
            for shift, result in results.items():
                exact = number >> shift if shift >= 0 else number << -shift
                assert ctx.get(result) == min(max(exact, fmt.qmin), fmt.qmax), (number, shift)

    simulator = Simulator(m)
    simulator.add_testbench(check)
    simulator.run()
