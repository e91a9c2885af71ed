"""The proofs of the requantisers hold, and each fails on one that is wrong."""

import pytest
from formal_support import fails_from_reset, holds, mutate, proofs_of

from hw.dataflow.design import scales
from hw.dataflow.layers import requantise, rounding

MUTANTS = [
    (
        "shift",
        rounding.shift_saturate,
        "shifted[fmt.width : -1].any()",
        "shifted[fmt.width : -1].all()",
    ),
    ("shift", rounding.shift_saturate, "result.eq(fmt.qmax)", "result.eq(fmt.qmax - 1)"),
    ("shift", rounding.shift_saturate, "> fmt.limit", ">= fmt.limit + 2"),
    (
        "shift",
        rounding.shift_saturate,
        "shifted if fmt.signed else Mux(sign, 0, shifted)",
        "shifted",
    ),
    ("round", requantise.Round.elaborate, "acc + design.constant", "acc"),
    ("round", requantise.Round.elaborate, "Mux(last, 0, lane + 1)", "0"),
    ("round", requantise.Round.elaborate, "eq(room & last)", "eq(room)"),
    (
        "add-bias",
        requantise.AddBias.elaborate,
        "len(biases) - 1, 0, number",
        "len(biases) - 2, 0, number",
    ),
    ("add-bias", requantise.AddBias.elaborate, "+ bias.data", "- bias.data"),
    (
        "requantise",
        requantise.Requantise._lane,
        "m.d.comb += addend.eq(~acc)",
        "m.d.comb += addend.eq(acc)",
    ),
    ("requantise", requantise.Requantise._lane, "m.d.sync += v.eq(0)", "m.d.sync += v.eq(1)"),
    ("requantise", requantise.Requantise._lane, "v.eq(total[1:])", "v.eq(total[:-1])"),
    ("requantise", scales.step_words, "lane.constant >> n & 1", "0"),
]


@pytest.mark.parametrize("name", proofs_of("requantisers"))
def test_proof_holds(name):
    holds(name)


@pytest.mark.parametrize(("name", "function", "old", "new"), MUTANTS)
def test_wrong_part_is_found(name, function, old, new, monkeypatch):
    mutate(monkeypatch, function, old, new)
    fails_from_reset(name)
