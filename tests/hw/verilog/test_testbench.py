"""The plain testbench, run by its own scripts as a user would, on right and on wrong Verilog."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from cell_bugs import BUGS, small_cell
from loadable_cases import loadable

from hw.dataflow.design.design import Design, design
from hw.errors import InputError
from hw.ir import reference
from hw.ir.network import Network
from hw.networks.images import random_images
from hw.verilog import emit, rtl_folder, testbench

FRAMES = 3


@dataclass(frozen=True)
class Given:
    """An RTL folder with a testbench."""

    folder: Path
    network: Network
    top: str

    def run(self, script: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """What a script says, whose folder is another one than we are in."""
        ours = {"VERILATOR": f"{sys.executable} -m shiftnas verilator -CFLAGS -O0"}
        return subprocess.run(
            ["sh", self.folder / testbench.FOLDER / f"{script}.sh", *words],
            env=os.environ | ours | environment, capture_output=True, text=True, check=False,
        )  # fmt: skip


def written(folder: Path, network: Network, built: Design, *how: str) -> Given:
    emission = emit.emit(built, *how)
    rtl_folder.write(emission, folder)
    images = random_images(network, FRAMES, seed=3)
    testbench.write(testbench.files(emission, network, images, seed=1), folder)
    return Given(folder, network, emission.top)


@pytest.fixture(scope="module")
def cell(tmp_path_factory):
    network, built = small_cell()
    return written(tmp_path_factory.mktemp("cell"), network, built)


@pytest.fixture(scope="module")
def with_files(tmp_path_factory, network, plan):
    return written(tmp_path_factory.mktemp("hex"), network, design(network, plan), "hex", "net_b")


@pytest.fixture(scope="module")
def with_loader(tmp_path_factory, network, plan):
    folder = tmp_path_factory.mktemp("loadable")
    return written(folder, network, design(network, loadable(network, plan)))


@pytest.fixture(scope="module")
def small(tmp_path_factory, network, plan):
    return written(tmp_path_factory.mktemp("small"), network, design(network, plan))


def copied(given: Given, folder: Path) -> Given:
    """One that may be changed."""
    shutil.copytree(given.folder, folder / "rtl")
    return Given(folder / "rtl", given.network, given.top)


def passed(done: subprocess.CompletedProcess[str], resets: int = 6) -> bool:
    """Whether both testbenches passed; AssertionError where exit code and text differ."""
    lines = (
        rf"^PASS: {FRAMES} frames at full speed, twice under stalls, {resets} resets in mid-frame",
        rf"^PASS: \d+ layers on their own, \d+ beats equal at .* under stalls, {resets} resets, ",
    )
    found = all(re.search(line, done.stdout, re.M) for line in lines)
    assert (done.returncode == 0) == found, done.stdout + done.stderr
    return found


@pytest.mark.icarus
@pytest.mark.parametrize("name", ["cell", "with_files", "with_loader"])
def test_right_verilog_passes_in_icarus(name, request):
    given = request.getfixturevalue(name)
    assert passed(given.run("icarus"))
    # Nothing is left in the folder: `emit --force` replaces only what it wrote.
    there = {path.name for path in (given.folder / testbench.FOLDER).iterdir()}
    assert not {name for name in there if name.endswith((".vvp", ".log"))}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["small", pytest.param("with_loader", marks=pytest.mark.thorough)])
def test_right_verilog_passes_in_verilator(name, request):
    """With the assertions bound, and -Wall has nothing to say."""
    clean(request.getfixturevalue(name).run("verilator"))


def clean(done: subprocess.CompletedProcess[str]) -> None:
    assert passed(done), done.stdout
    assert "%Warning" not in done.stderr


def moved_roms(given: Given, folder: Path) -> str:
    """The macro that says so, where the ROM files have been moved into a folder."""
    folder.mkdir()
    for path in given.folder.glob("*.hex"):
        path.rename(folder / path.name)
    return f'-D{given.top}_ROM_FOLDER="{folder}/"'


@pytest.mark.slow
@pytest.mark.thorough
def test_right_verilog_with_roms_elsewhere_passes_in_verilator(with_files, tmp_path):
    given = copied(with_files, tmp_path)
    macro = moved_roms(given, tmp_path / "roms")
    command = f"{sys.executable} -m shiftnas verilator -CFLAGS -O0 {macro}"
    build = tmp_path / "build"
    clean(given.run("verilator", str(build), VERILATOR=command))
    lost = next((tmp_path / "roms").glob("*.program.hex"))
    lost.unlink()
    done = subprocess.run(["obj_dir/Vnet_b_tb"], cwd=build, capture_output=True, text=True)
    assert done.returncode != 0 and f"{lost}: no such file" in done.stdout


@pytest.mark.icarus
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.what)
def test_planted_bugs_fail_in_icarus(cell, bug, tmp_path):
    wrong = copied(cell, tmp_path)
    verilog = wrong.folder / f"{wrong.top}.v"
    verilog.write_text(bug.plant(verilog.read_text()))
    done = wrong.run("icarus", BENCHES=f"{wrong.top}_tb")
    assert not passed(done)
    assert len(re.findall("^FAIL: ", done.stdout, re.M)) == 1, done.stdout


@pytest.mark.icarus
@pytest.mark.thorough
def test_other_stalls_and_resets_by_arguments(with_files):
    texts = set()
    for arguments in ("+seed=1", "+seed=2", "+resets=0"):
        done = with_files.run("icarus", ARGUMENTS=arguments)
        assert passed(done, resets=0 if "resets" in arguments else 6)
        texts.add(re.search(r"(\d+) cycles$", done.stdout, re.M)[1])
    assert len(texts) == 3


@pytest.mark.icarus
@pytest.mark.parametrize("bench", ["tb", "layers_tb"])
@pytest.mark.parametrize("argument", ["+resets=-1", "+seed=abc", "+seed=", "+seed=4294967296"])
def test_arguments_that_are_no_numbers_fail(with_files, bench, argument):
    done = with_files.run("icarus", ARGUMENTS=argument, BENCHES=f"net_b_{bench}")
    assert done.returncode == 1
    assert f"FAIL: {argument}: expected a whole number from 0 to 4294967295" in done.stdout


def test_arguments_that_nobody_knows_fail(with_files):
    done = with_files.run("icarus", ARGUMENTS="+seed=3 +sed=7")
    assert (done.returncode, done.stdout) == (
        1, "FAIL: +sed=7: the testbenches take +seed=N and +resets=N\n"
    )  # fmt: skip


@pytest.mark.parametrize("script", ["icarus", "verilator"])
def test_a_tool_that_is_missing_is_exit_code_1(with_files, tmp_path, script):
    """And the temporary folder goes."""
    for name in ("cp", "rm", "mktemp", "dirname", "cat", "grep", "mkdir", "sh"):
        (tmp_path / name).symlink_to(shutil.which(name) or pytest.fail(name))
    (tmp_path / "tmp").mkdir()
    paths = {"PATH": str(tmp_path), "TMPDIR": str(tmp_path / "tmp"), "VERILATOR": "verilator"}
    done = with_files.run(script, **paths)
    assert done.returncode == 1 and "not found" in done.stderr
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.icarus
@pytest.mark.parametrize("lost", ["images", pytest.param("logits", marks=pytest.mark.thorough)])
def test_vectors_that_are_missing_fail(with_files, lost, tmp_path):
    given = copied(with_files, tmp_path)
    vectors = given.folder / testbench.FOLDER / f"net_b_tb_{lost}.hex"
    lines = vectors.read_text().splitlines()
    vectors.write_text("\n".join(lines[:-1]))
    assert not passed(given.run("icarus"))
    vectors.unlink()
    done = given.run("icarus")
    assert not passed(done) and "FAIL: net_b_tb_images.hex or net_b_tb_logits.hex" in done.stdout


@pytest.mark.icarus
@pytest.mark.parametrize("generation", ["2005", "2012"])
def test_rom_files_elsewhere_and_missing_in_icarus(with_files, generation, tmp_path):
    given = copied(with_files, tmp_path)
    macro = moved_roms(given, tmp_path / "roms")
    # The Verilog alone, in either language, or it and its testbench.
    sources = [given.folder / "net_b.v"]
    if generation == "2012":
        sources.append(given.folder / testbench.FOLDER / "net_b_tb.sv")
    top = "net_b_tb" if generation == "2012" else "net_b"
    subprocess.run(["iverilog", f"-g{generation}", macro, "-s", top, "-o", "x.vvp", *sources],
                   cwd=tmp_path, check=True)  # fmt: skip
    for path in (given.folder / testbench.FOLDER).glob("*.hex"):
        shutil.copy(path, tmp_path)

    def simulated() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["vvp", "-n", "x.vvp"], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )

    done = simulated()
    assert done.returncode == 0 and ("PASS: " in done.stdout) == (generation == "2012")
    lost = tmp_path / "roms" / "net_b.stem.conv.requantise.bias.hex"
    lost.unlink()
    done = simulated()
    line = f"stem.conv.requantise.bias_file: {lost}: no such file; set net_b_ROM_FOLDER"
    assert done.returncode == 1 and line in done.stdout


def test_vectors_are_the_reference(cell):
    lines = {
        name: (cell.folder / testbench.FOLDER / f"{cell.top}_tb_{name}.hex").read_text().split()
        for name in ("images", "logits")
    }
    shape = cell.network.graph.input.shape
    images = np.array([int(line, 16) for line in lines["images"]], np.uint8).reshape(-1, *shape)
    assert np.array_equal(images, random_images(cell.network, FRAMES, seed=3))
    logits = reference.run(cell.network, images)[cell.network.graph.output.name].ravel()
    bits = 4 * len(lines["logits"][0])
    assert [int(line, 16) for line in lines["logits"]] == [int(x) % (1 << bits) for x in logits]
    assert (logits < 0).any() and (logits > 0).any()


def test_a_loadable_network_says_what_is_tested(with_loader, cell):
    for given, said in ((with_loader, True), (cell, False)):
        text = (given.folder / testbench.FOLDER / f"{given.top}_tb.sv").read_text()
        assert ("Nothing is loaded through s_axil" in text) == said


def test_one_frame_is_refused(network, plan):
    emission = emit.emit(design(network, plan))
    with pytest.raises(InputError, match="frames: 1; a testbench takes 2 or more"):
        testbench.files(emission, network, random_images(network, 1, 1), seed=1)


def test_the_rtl_folder_stays_what_it_was(cell):
    assert rtl_folder.read(cell.folder, cell.network).top == cell.top
