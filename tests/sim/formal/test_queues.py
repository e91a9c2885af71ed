"""The proofs of the stream parts hold, and each fails on a part that is wrong."""

import pytest
from formal_support import fails_from_reset, holds, mutate, proofs_of

from hw.dataflow.layers import streams
from sim.formal import queues
from sim.formal.proof import Proof, prove
from sim.formal.proofs import PROOFS

FIFO, RAM = streams.Fifo.elaborate, streams.Fifo._in_block_ram
SKID, FORK = streams.Skid.elaborate, streams.Fork.elaborate

MUTANTS = [
    ("fifo-lut-3", FIFO, "queue.w_en.eq(self.i.valid)", "queue.w_en.eq(1)"),
    ("fifo-lut-3", FIFO, "self.i.ready.eq(queue.w_rdy)", "self.i.ready.eq(1)"),
    ("fifo-lut-3", FIFO, "queue.r_en.eq(self.o.ready)", "queue.r_en.eq(1)"),
    ("fifo-lut-3", FIFO, ".eq(queue.r_data)", ".eq(queue.r_data ^ (queue.level == 2))"),
    ("fifo-block-3", RAM, "stored != places", "stored <= places"),
    ("fifo-block-3", RAM, "stored != places", "stored < places - 1"),
    ("fifo-block-3", RAM, "(~self.o.valid | self.o.ready)", "1"),
    ("fifo-block-3", RAM, "(~self.o.valid | self.o.ready)", "(~self.o.valid)"),
    ("fifo-block-3", RAM, "stored + put - get", "stored + put - get + (put & get)"),
    ("fifo-block-4", RAM, "places - 1, 0, port", "places, 0, port"),
    ("fifo-block-3", RAM, "with m.Elif(self.o.ready)", "with m.Else()"),
    ("skid", SKID, "with m.If(ready)", "with m.If(1)"),
    ("skid", SKID, "self.i.valid | ~ready", "self.i.valid"),
    ("skid", SKID, "Mux(ready, self.i.payload, spare)", "self.i.payload"),
    ("skid", SKID, "with m.Elif(self.i.valid)", "with m.Else()"),
    ("skid", SKID, "with m.If(~self.o.valid | self.o.ready)", "with m.If(self.o.ready)"),
    ("fork-3", FORK, "& ~done[k]", ""),
    ("fork-3", FORK, "done[k] | o.ready", "done[k]"),
    ("fork-3", FORK, "served.all()", "served.any()"),
    ("fork-3", FORK, "Mux(self.i.ready, 0, served)", "served"),
    ("fork-3", FORK, "o.payload.eq(self.i.payload)", "o.payload.eq(self.i.payload | k)"),
]


@pytest.mark.parametrize("name", proofs_of("queues"))
def test_proof_holds(name):
    holds(name)


@pytest.mark.parametrize(("name", "function", "old", "new"), MUTANTS)
def test_wrong_part_is_found(name, function, old, new, monkeypatch):
    mutate(monkeypatch, function, old, new)
    failure = fails_from_reset(name)
    assert failure.trace["o_valid" if name != "fork-3" else "o0_valid"]


@pytest.mark.parametrize(
    ("name", "function", "old", "new", "outputs"),
    [
        ("fork-3", FORK, "& ~done[k]", "& ~done[k] & o.ready", {"o0", "o1", "o2"}),
        ("fifo-lut-3", FIFO, "self.o.valid.eq(queue.r_rdy)",
         "self.o.valid.eq(queue.r_rdy & (self.o.ready | queue.r_rdy))", {"o"}),
    ],
)  # fmt: skip
def test_valid_that_waits_for_ready_is_found(name, function, old, new, outputs, monkeypatch):
    """The second one behaves; the path alone is against the rule."""
    mutate(monkeypatch, function, old, new)
    result, _ = prove(PROOFS[name], fresh=True)
    assert result.failure is not None
    assert result.failure.kind == "path"
    assert set(result.failure.statements) == {f"{output}_valid_alone" for output in outputs}


def test_without_its_lemmas_the_induction_does_not_close(monkeypatch):
    monkeypatch.setattr("sim.formal.bench.Bench.lemma", lambda *_: None)
    proof = Proof("skid", "skid", lambda: queues.skid(2))
    result, waves = prove(proof, fresh=True)
    assert result.failure is not None
    assert result.failure.kind == "induction"
    assert waves is not None
