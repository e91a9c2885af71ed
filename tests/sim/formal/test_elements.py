"""The proofs of the processing elements hold, and each fails on an element that is wrong."""

import random

import numpy as np
import pytest
from formal_support import fails_from_reset, holds, mutate, proofs_of

from hw.dataflow.design.program import Weights, horner_program
from hw.dataflow.layers import elements

MUTANTS = [
    ("barrel", elements.add_signed, "~operand, operand", "operand, ~operand"),
    ("barrel", elements.add_signed, "Cat(negative, a)", "Cat(0, a)"),
    ("barrel", elements.Barrel.accumulate, "Mux(lane.used, term, 0)", "term"),
    ("barrel", elements.restart, "with m.If(close)", "with m.If(0)"),
    (
        "barrel-guard",
        elements.Barrel.accumulate,
        "(max(high, 0) - high)",
        "(max(high, 0) - high + 1)",
    ),
    (
        "barrel-guard",
        elements.ProcessingElement.elaborate,
        "~tap.last | ~self.o.valid | self.o.ready",
        "1",
    ),
    (
        "barrel-guard",
        elements.ProcessingElement.elaborate,
        "with m.Elif(self.o.ready)",
        "with m.Else()",
    ),
    ("horner", elements.Horner.accumulate, "Mux(operation.double, acc, x)", "x"),
    ("horner", elements.Horner.accumulate, "operation.negative", "operation.negative & ~tap.last"),
    ("maximum", elements.Maximum.accumulate, "tap.x > best", "tap.x < best"),
    ("maximum", elements.Maximum.accumulate, "tap.real & (~some", "(~some"),
    ("maximum", elements.Maximum.accumulate, "~close & (some", "(some"),
    ("sum", elements.Sum.accumulate, "count + tap.real", "count + 1"),
    ("sum", elements.Sum.accumulate, "row.eq(row)", "row.eq(0)"),
]


@pytest.mark.parametrize("name", proofs_of("elements"))
def test_proof_holds(name):
    holds(name)


@pytest.mark.parametrize(("name", "function", "old", "new"), MUTANTS)
def test_wrong_part_is_found(name, function, old, new, monkeypatch):
    mutate(monkeypatch, function, old, new)
    fails_from_reset(name)


def test_programs_keep_what_the_proof_of_horner_assumes():
    """Falling exponents, one doubling between two of them, no sign on a doubling, down to 0."""
    rng = random.Random(3)
    for count in (0, 1, 5, 20):
        channel, none = np.arange(count), np.zeros(count, int)
        sign = np.array([rng.choice((-1, 1)) for _ in channel], int)
        power = np.array([rng.randrange(-6, 1) for _ in channel], int)
        taps = list(horner_program(Weights(none, none, none, channel, sign, power, 1), -6))
        exponent = sum(tap.operation & 1 for tap in taps)
        seen = []
        for tap in taps:
            if tap.operation & 1:
                assert tap.operation == 1
                exponent -= 1
            else:
                seen.append((tap.channel, 1 - tap.operation, exponent - 6))
        assert exponent == 0
        assert [tap.last for tap in taps] == [False] * (len(taps) - 1) + [True]
        assert sorted(seen) == list(zip(channel, sign, power, strict=True))
