"""Compiled networks on an overlay's Verilog: planes, logits and cycles, and that each can fail."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from formal_support import mutate

from hw.ir import reference
from hw.networks.images import random_images
from hw.overlay.compiler.compile import compile_network
from hw.overlay.cycles import cycles
from hw.overlay.header import Status
from hw.overlay.packet import packet
from hw.overlay.programming import fitted
from hw.overlay.rtl.capture import Capture
from hw.verilog.emit_overlay import emit
from sim.overlay import run
from sim.overlay.cosim import Hardware, Subject, cosim, refusals, sources_of
from sim.overlay.judge import judge
from sim.overlay.planes import Planes
from sim.overlay.random_programs import random_images as bytes_for
from sim.overlay.random_programs import random_program
from sim.overlay.recorded import Recorded
from sim.overlay.run import Pauses
from sim.overlay.script import Phase, Script
from sim.simulation import RunFailed
from sim.stimuli import Stimuli
from tests.support.overlay_cases import OVERLAY, PLAN, hardware, network


def stimuli(net, count: int, **settings) -> Stimuli:
    return Stimuli(random_images(net, count, 1), **({"stall": 0.0, "resets": 0} | settings))


def test_a_network_with_stalls_resets_and_a_short_batch():
    net = network()
    found = cosim(net, hardware(), stimuli(net, 5, stall=0.25, resets=5))
    assert (found.frames, found.stalled_frames, found.mismatches) == (10, 5, 0)
    pixels = sum(np.prod(node.shape) for node in net.graph)
    assert found.beats == 10 * pixels
    assert found.layers == len(net.graph)
    assert found.cycles_per_frame <= found.predicted_cycles_per_frame < found.cycles_per_frame + 1


def test_a_batch_that_is_short_has_no_pace():
    """Nor does the program's loading, and the refusals before it, count as its latency."""
    net = network(image=(5, 6, 1))
    compiled = compile_network(net, OVERLAY)
    found = cosim(net, hardware(), stimuli(net, 1), compiled=compiled)
    assert compiled.program.images > 1
    assert found.cycles_per_frame is None
    alone = cycles(compiled.program).lone
    assert found.latency is not None and alone / 2 < found.latency < alone + 300
    assert found.load_cycles > 300


def test_the_same_network_streamed():
    """With stalls on every stream, resets in mid-stream, a short batch: planes, logits, cycles."""
    net = network()
    found = cosim(net, hardware(), stimuli(net, 5, stall=0.25, resets=5), Subject(stream=True))
    assert (found.frames, found.stalled_frames, found.mismatches) == (10, 5, 0)
    stored = cosim(net, hardware(), stimuli(net, 5))
    assert found.layers == stored.layers == len(net.graph)
    assert found.beats == 2 * stored.beats
    assert found.cycles_per_frame == stored.cycles_per_frame


@pytest.mark.parametrize("level", ["cell", "op"])
def test_parts_on_their_own(level):
    net = network(image=(6, 5, 1))
    names = ["cell1"] if level == "cell" else ["stem/conv", "cell1/preprocess0", "classifier"]
    found = cosim(net, hardware(), stimuli(net, 2, stall=0.5), Subject(level, names))
    assert found.mismatches == 0
    inside = [node for node in net.graph if node.name.startswith("cell1/")]
    assert found.layers == (len(inside) if level == "cell" else 3)
    if level == "op":
        assert found.corners["reached"] > 100
        assert found.frames == 2 * 3 * (2 + found.corners["frames"])


def test_a_layer_is_driven_into_its_corners(monkeypatch):
    """Planted: the first sum beyond a pixel's range wraps round."""
    net = network(image=(6, 5, 1))
    mutate(monkeypatch, Capture._over, "beyond.any()", "beyond.any() & (self.total != 128)")
    wrong = Hardware.of(emit(PLAN))
    alone = Subject("op", ["cell1/preprocess0"])
    assert cosim(net, wrong, stimuli(net, 2, corners=0), alone).mismatches == 0
    with pytest.raises(RunFailed, match=r"expected 127, got 128 "):
        cosim(net, wrong, stimuli(net, 2), alone)


def test_programs_one_after_the_other(tmp_path):
    """A program waits for the images under way; a bad one takes none, and the next one runs."""
    nets = [network(), network("ShiftNAS_C10", (5, 7, 2))]
    phases, expected = [], []
    for net in (nets[0], nets[1], nets[0]):
        compiled = compile_network(net, OVERLAY)
        images = random_images(net, 3, 2)
        phases += [Phase.of(compiled.program, images), refusals(compiled.program)[0]]
        expected.append([Planes(net, compiled, reference.run(net, images))])
    script = Script(phases[:-1])
    model = run.build(OVERLAY, hardware().sources, hardware().module)
    ran = model.run(script, tmp_path, Pauses(0, "mixed", 0.3))
    judged = judge(script, expected, ran, model.built, free=0)
    assert all(one.beats == one.expected_beats for one in judged.compared)


def test_streamed_stored_streamed_in_a_memory_smaller_than_the_program(tmp_path):
    """Stalls on every stream, in the cells of an ECP5; what one program leaves does nothing to the
    next."""
    overlay = OVERLAY.resized(program_words=256, fabric="ecp5")
    net = network()
    compiled = fitted(compile_network(net, overlay))
    assert compiled.program.streamed and len(compiled.program.prefix) > 4 * 256
    between = random_program(overlay, 4, views=2)
    assert len(between.prefix) + len(between.suffix) <= 256
    images = random_images(net, compiled.program.images + 1, 2)
    others = bytes_for(between, 3, 2)
    phases = [
        Phase.of(compiled.program, images),
        Phase.of(between, others),
        Phase.of(compiled.program, images),
    ]
    script = Script(phases, calm=0)
    planes = Planes(net, compiled, reference.run(net, images))
    recorded = Recorded(between, others, [b for b in script.batches if b.life == 1])
    small = Hardware.of(emit(replace(PLAN, hardware=overlay)))
    model = run.build(overlay, sources_of(small, None), small.module)
    ran = model.run(script, tmp_path, Pauses(0, "mixed", 0.3))
    judged = judge(script, [[planes], [recorded], [planes]], ran, model.built, free=0)
    assert all(one.beats == one.expected_beats for one in judged.compared)


def failure(*job, **options) -> RunFailed:
    with pytest.raises(RunFailed) as error:
        cosim(*job, **options)
    return error.value


def test_a_wrong_weight_is_named():
    """A compiler's fault: one sign of one weight turned."""
    net = network()
    compiled = compile_network(net, OVERLAY)
    first = compiled.ends["cell0/preprocess0"][1]
    at = first - 1 - int(np.argmax(compiled.program.prefix[first - 1 :: -1] < 0x8000))
    prefix = compiled.program.prefix.copy()
    prefix[at] ^= 0x4000
    wrong = replace(compiled, program=replace(compiled.program, prefix=prefix))
    found = failure(net, hardware(), stimuli(net, 2), compiled=wrong)
    assert found.finding.check == "difference"
    assert found.finding.layer == "cell0/preprocess0"


def test_refused_programs_have_their_status():
    program = compile_network(network(), OVERLAY).program
    assert [phase.status for phase in refusals(program)] == [
        Status.NO_PROGRAM, Status.OTHER_VERSION, Status.OTHER_OVERLAY, Status.TOO_LONG,
        Status.DAMAGED, Status.DAMAGED, Status.DAMAGED, Status.DAMAGED, Status.DAMAGED,
    ]  # fmt: skip


def test_a_refusal_that_does_not_come_is_told(tmp_path: Path):
    net = network()
    program = compile_network(net, OVERLAY).program
    good = packet(program)
    script = Script([Phase.refused(program, good, Status.DAMAGED)])
    model = run.build(OVERLAY, hardware().sources, hardware().module)
    ran = model.run(script, tmp_path, patience=200_000)
    with pytest.raises(
        RunFailed, match=r"registers: STATUS: expected 0x00000007 .* got 0x00000002"
    ):
        judge(script, [], ran, model.built)


@pytest.mark.slow
@pytest.mark.thorough
def test_a_cell_at_gate_level():
    net = network(image=(4, 4, 1))
    found = cosim(net, hardware(), stimuli(net, 1), Subject("cell", ["cell1"], gates="hierarchy"))
    assert found.mismatches == 0
    assert found.gates["CCU2C"] > 100 and found.gates["DP16KD"] > 1
