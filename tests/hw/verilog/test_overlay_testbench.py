"""The plain testbench of an overlay, run by its own scripts as a user would, on right and on wrong
Verilog."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from hw.errors import InputError
from hw.ir import reference
from hw.ir.network import Network
from hw.networks.images import random_images
from hw.overlay.programming import program_for
from hw.verilog import overlay_testbench, rtl_folder
from hw.verilog.emit_overlay import emit
from sim.fuzz import case as cases
from sim.fuzz.case import Case
from sim.fuzz.models import Model
from tests.support.overlay_cases import OVERLAY, PLAN

SMALL = Case(Model("resnet8", "cifar", 1 / 16, kept=7), image=(4, 4, 1), classes=2, scale_terms=1)


@dataclass(frozen=True)
class Given:
    """An RTL folder with a testbench."""

    folder: Path
    network: Network

    def run(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        ours = {"VERILATOR": f"{sys.executable} -m shiftnas verilator -CFLAGS -O0"}
        return subprocess.run(
            ["sh", self.folder / overlay_testbench.FOLDER / f"{script}.sh"],
            env=os.environ | ours | environment, capture_output=True, text=True, check=False,
        )  # fmt: skip


def written(folder: Path, fabric: str, *, stream: bool) -> Given:
    """A whole batch and a short one."""
    overlay = OVERLAY.resized(fabric=fabric)
    network = cases.network_of(SMALL)
    program = program_for(network, overlay, stream=stream).program
    assert program.images > 1
    emission = emit(replace(PLAN, hardware=overlay))
    rtl_folder.write(emission, folder)
    images = random_images(network, program.images + 1, seed=3)
    files = overlay_testbench.files(emission, network, program, images, seed=1)
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return Given(folder, network)


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Given:
    return written(tmp_path_factory.mktemp("stored"), "generic", stream=False)


def passed(done: subprocess.CompletedProcess[str], resets: int) -> bool:
    """Whether it passed; AssertionError where exit code and text differ."""
    line = rf"^PASS: \d+ frames at full speed, twice under stalls, {resets} resets, \d+ logits"
    found = re.search(line, done.stdout, re.M) is not None
    assert (done.returncode == 0) == found, done.stdout + done.stderr
    return found


@pytest.mark.icarus
def test_right_verilog_passes_in_icarus(stored):
    assert passed(stored.run("icarus"), 8)


@pytest.mark.icarus
@pytest.mark.thorough
def test_a_program_that_is_streamed_in_the_cells_of_an_ecp5(tmp_path):
    given = written(tmp_path, "ecp5", stream=True)
    text = (tmp_path / "testbench" / "shiftnas_top_tb_program.hex").read_text().split()
    assert [n for n, word in enumerate(text) if int(word, 16) >> 16] == [len(text) - 1]
    assert passed(given.run("icarus"), 8)


@pytest.mark.slow
@pytest.mark.thorough
def test_right_verilog_passes_in_verilator(stored):
    """And -Wall has nothing to say."""
    done = stored.run("verilator")
    assert passed(done, 8), done.stdout
    assert "%Warning" not in done.stderr


BUGS = {
    "a logit's bit": (
        "assign m_axis_tdata = core__logits__payload[31:0]",
        "assign m_axis_tdata = core__logits__payload[31:0] ^ {31'd0, core__busy}",
        "expected -?[0-9]+, got -?[0-9]+",
    ),
    "tlast always": (
        "assign m_axis_tlast = core__logits__payload[32]",
        "assign m_axis_tlast = 1'b1",
        "tlast is 1",
    ),
    "a word is taken in a reset": (
        "program_tready = core__program__ready & not1",
        "program_tready = not1 ? core__program__ready : 1'b1",
        "a stream moves in a reset by CONTROL",
    ),
    "valid waits for ready": (
        "assign m_axis_tvalid = core__logits__valid & not3",
        "assign m_axis_tvalid = core__logits__valid & not3 & m_axis_tready",
        "hang: ",
    ),
    "frames are not counted": (
        "assign add6 = frames + { 15'h0000, frame }",
        "assign add6 = frames",
        "register 0x18: expected 0x0000000., got 0x00000000",
    ),
}
"""What is put in place of what; what is said."""


@pytest.mark.icarus
@pytest.mark.parametrize(
    "bug",
    [pytest.param(name, marks=[pytest.mark.thorough] if n else []) for n, name in enumerate(BUGS)],
)
def test_planted_bugs_fail_in_icarus(stored, bug, tmp_path):
    before, after, said = BUGS[bug]
    shutil.copytree(stored.folder, tmp_path / "rtl")
    wrong = Given(tmp_path / "rtl", stored.network)
    verilog = wrong.folder / "shiftnas_top.v"
    text = verilog.read_text()
    assert text.count(before) == 1
    verilog.write_text(text.replace(before, after))
    done = wrong.run("icarus")
    assert not passed(done, 8)
    assert len(re.findall("^FAIL: ", done.stdout, re.M)) == 1, done.stdout
    assert re.search(f"^FAIL: .*: {said}", done.stdout, re.M), done.stdout


@pytest.mark.icarus
def test_the_scripts_argument(stored):
    done = stored.run("icarus", ARGUMENTS="+resets=-1")
    assert done.returncode == 1
    assert "FAIL: +resets=-1: expected a whole number from 0 to 4294967295" in done.stdout


def test_vectors_are_the_reference(stored):
    lines = {
        name: (stored.folder / f"testbench/shiftnas_top_tb_{name}.hex").read_text().split()
        for name in ("images", "logits")
    }
    shape = stored.network.graph.input.shape
    images = np.array([int(line, 16) for line in lines["images"]], np.uint8).reshape(-1, *shape)
    logits = reference.run(stored.network, images)[stored.network.graph.output.name].ravel()
    assert [int(line, 16) for line in lines["logits"]] == [int(x) % (1 << 32) for x in logits]


def test_one_frame_is_refused():
    network = cases.network_of(SMALL)
    program = program_for(network, OVERLAY).program
    with pytest.raises(InputError, match="frames: 1; a testbench takes 2 or more"):
        overlay_testbench.files(emit(PLAN), network, program, random_images(network, 1, 1), seed=1)
