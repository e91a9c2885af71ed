"""The proofs of an overlay's lane, queue and registers hold; each fails on a part that is wrong."""

import pytest
from formal_support import fails_from_reset, holds, mutate, proofs_of

from hw.overlay.rtl import accumulator, capture, operand, output, registers

MUTANTS = [
    ("lane-ecp5", accumulator.Accumulator._chain, "above, self.whole]", "above, Const(1)]"),
    ("lane-ecp5", accumulator.Accumulator._chain, "[carry, carry, Const(1)",
     "[Const(0), carry, Const(1)"),
    ("lane-small", accumulator.Accumulator.elaborate, "total >> 1", "(total + 1) >> 1"),
    ("lane-small", accumulator.Accumulator.elaborate, "self.clear_negative & total[-1]",
     "self.clear_negative & total[-2]"),
    ("lane-small", operand.Operand.elaborate, "self.rectify & word[-1]", "self.rectify & word[0]"),
    ("lane-ecp5", capture.Capture._over, "range(0, len(above), 3)", "range(3, len(above), 3)"),
    ("lane-small", capture.Capture.elaborate, "(~opposite).replicate", "opposite.replicate"),
    ("lane-small", capture.Capture.elaborate, "with m.If(self.blank)", "with m.If(0)"),
    ("logits", output.Output.elaborate, "self.i.out | under_way.any()", "under_way.any()"),
    ("logits", output.Output.elaborate, "Signal(self.LATENCY - 1)",
     "Signal(self.LATENCY - 1, reset_less=True)"),
    ("overlay-registers", registers.Registers.elaborate, "port.okay.eq(port.whole & ",
     "port.okay.eq(1 & "),
]  # fmt: skip


@pytest.mark.parametrize("name", proofs_of("lanes"))
def test_proof_holds(name):
    holds(name)


@pytest.mark.parametrize(("name", "function", "old", "new"), MUTANTS)
def test_wrong_part_is_found(name, function, old, new, monkeypatch):
    mutate(monkeypatch, function, old, new)
    fails_from_reset(name)
