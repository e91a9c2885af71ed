"""The proofs of the window hold, and each fails on a window that is wrong."""

import pytest
from formal_support import fails_from_reset, holds, mutate, proofs_of

from hw.dataflow.design.geometry import Geometry
from hw.dataflow.layers.window import Window
from hw.dataflow.loading import memory

MUTANTS = [
    ("window", Window._output, "Mux(real2, read.data, 0)", "read.data"),
    ("window", Window._output, "pixel.base + word.offset", "pixel.base"),
    ("window", Window._output, "out.last.eq(word.last)", "out.last.eq(valid1)"),
    ("window", Window._store, "Mux(negative, 0, self.i.payload.as_unsigned())", "self.i.payload"),
    ("window", Window._borders, "range(first, last + 1)", "range(first, last)"),
    ("window", Window._fetch, "pixel.level >= pixel.need", "pixel.level >= pixel.need - 1"),
    ("window-stride", Window._steps, "g.stride[1] * g.shape[2]", "g.shape[2]"),
    ("window-dilated", Geometry.offset, "kx * self.dilation[1]", "kx"),
    ("window-reduce", Window._borders, "n in range(first, last + 1)", "n in range(last + 1, 9)"),
    ("window-1x1", Window._store, "level[-1] | ~level[address_bits]", "1"),
    ("window-1x1", Window._store, "level[-1] | ~level[address_bits]", "~level[address_bits]"),
    ("window-1x1", Window._move, "Mux(last_row, -frame, -row)", "-frame - 1"),
    ("window-1x1", Window._move, "Cat(accept, back)", "Cat(0, back)"),
    ("window-1x1", Window._fetch, "~valid1 & (", "("),
    ("window-load", Window._fetch, "self.last_word if words", "len(self.program) - 1 if words"),
    ("window-load", memory.attach, "write.en.eq(access.write)", "write.en.eq(access.halt)"),
]


@pytest.mark.parametrize("name", proofs_of("windows"))
def test_proof_holds(name):
    holds(name)


@pytest.mark.parametrize(("name", "function", "old", "new"), MUTANTS)
def test_wrong_part_is_found(name, function, old, new, monkeypatch):
    mutate(monkeypatch, function, old, new)
    fails_from_reset(name)
