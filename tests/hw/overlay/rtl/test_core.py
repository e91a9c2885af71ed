"""A whole overlay in Verilator: programs and images in, logits out, against the model."""

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.overlay.hardware import Overlay
from hw.overlay.model import Machine
from hw.overlay.packet import packet
from hw.overlay.program import Program
from hw.overlay.rtl.core import Core
from hw.overlay.rtl.output import logit
from hw.overlay.rtl.program_store import program_word
from sim import gates
from sim.component import check
from sim.overlay.random_programs import random_images, random_program


class Bench(wiring.Component):
    """An overlay with nothing but its streams; their payloads are numbers."""

    def __init__(self, overlay):
        self.core = Core(overlay)
        super().__init__(
            {
                "program": In(stream.Signature(program_word().size)),
                "image": In(stream.Signature(8)),
                "logits": Out(stream.Signature(logit(overlay).size)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = core = self.core
        for mine, theirs in (
            (self.program, core.program),
            (self.image, core.image),
        ):
            m.d.comb += [
                theirs.valid.eq(mine.valid),
                theirs.payload.as_value().eq(mine.payload)
                if hasattr(theirs.payload, "as_value")
                else theirs.payload.eq(mine.payload),
                mine.ready.eq(theirs.ready),
            ]
        m.d.comb += [
            self.logits.valid.eq(core.logits.valid),
            self.logits.payload.eq(core.logits.payload.as_value()),
            core.logits.ready.eq(self.logits.ready),
        ]
        return m


def program_beats(program: Program) -> list[int]:
    words = packet(program).tolist()
    return [*words[:-1], words[-1] | 1 << 16]


def logit_beats(program: Program, images) -> list[int]:
    """What leaves for whole batches, as numbers: an output's images in turn."""
    machine, beats = Machine(program), []
    mask = (1 << program.hardware.logit_bits) - 1
    for start in range(0, len(images), program.images):
        found = machine.run(images[start : start + program.images])
        for column in range(program.logits):
            last = column == program.logits - 1
            for value in found[:, column].tolist():
                beats.append(value & mask | last << program.hardware.logit_bits)
    return beats


@pytest.mark.parametrize("fabric", ["generic", "ecp5"])
def test_random_program_through_all_streams(fabric):
    overlay = Overlay(rows=3, columns=4, acc_bits=17, words=64, program_words=512, fabric=fabric)
    program = next(p for p in (random_program(overlay, seed, views=3) for seed in range(20, 99))
                   if p.images == 2)  # fmt: skip
    images = random_images(program, 3 * program.images, 5)
    inputs = {
        "program": program_beats(program),
        "image": np.ravel(images).tolist(),
    }
    checked = check(
        Bench(overlay),
        inputs,
        logit_beats(program, images),
        cells=gates.models() if fabric == "ecp5" else None,
        stalls=[(0, 0), (0.5, 0.5), (0, "bursts")],
        patience=30_000,
    )
    assert checked.beats == 3 * 3 * program.images * program.logits


def test_a_damaged_program_is_refused_and_a_whole_one_taken():
    overlay = Overlay(rows=3, columns=4, acc_bits=17, words=64, program_words=512, fabric="generic")
    program = random_program(overlay, 31, views=2)
    images = random_images(program, program.images, 7)
    damaged = program_beats(program)
    damaged[20] ^= 4
    check(
        Bench(overlay),
        {"program": [*damaged, *program_beats(program)], "image": np.ravel(images).tolist()},
        logit_beats(program, images),
        stalls=[(0, 0)],
        patience=30_000,
    )
