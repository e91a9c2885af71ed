"""The proofs of the joins hold, and each fails on a join that is wrong."""

import pytest
from formal_support import fails_from_reset, holds, mutate, proofs_of

from hw.dataflow.layers import joins

MUTANTS = [
    (
        "add",
        joins.Add.join,
        "Cat(head.valid for head in heads).all()",
        "Cat(head.valid for head in heads).any()",
    ),
    ("add", joins.Add.join, "room & valid", "valid"),
    ("add", joins.aligned, "Const(how.rounding)", "Const(0)"),
    ("add", joins.aligned, "operand << left", "operand"),
    ("add", joins.Join.elaborate, "~self.o.valid | self.o.ready", "self.o.ready"),
    ("concat", joins.Concat.join, "head.ready.eq(room)", "head.ready.eq(1)"),
    ("concat", joins.Concat.join, "(k + 1) % len(heads)", "k"),
    ("concat", joins.Concat.join, "channels[k] - 1", "channels[0] - 1"),
]


@pytest.mark.parametrize("name", proofs_of("joins"))
def test_proof_holds(name):
    holds(name)


@pytest.mark.parametrize(("name", "function", "old", "new"), MUTANTS)
def test_wrong_part_is_found(name, function, old, new, monkeypatch):
    mutate(monkeypatch, function, old, new)
    fails_from_reset(name)
