"""The example of a testbench for one's own module runs as its README says, in both simulators."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sim.commands.coverage import coverage
from sim.coverage import store

ROOT = Path(__file__).parents[2]
RUN = ROOT / "examples" / "user_module" / "run.py"


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, RUN, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


@pytest.mark.slow
def test_with_verilator(tmp_path):
    """In a path with a blank, of which GNU make makes two."""
    done = run("--out", tmp_path / "a run")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "5 tests, 0 failed" in done.stdout
    assert run("--out", tmp_path / "a run").returncode == 2
    file = tmp_path / "a run" / "coverage.json"
    shown = CliRunner().invoke(coverage, [str(file), "--by", "testbench", "--json"])
    content = json.loads(shown.stdout)
    assert list(content["groups"]) == ["image_classifier"]
    assert content["out_of_reach"] == {"image_classifier: class 3": "the network has 3 classes"}
    assert not {"image_classifier: class held back", "image_classifier: black pixel"} & set(
        content["missing"]
    )
    assert sum(store.load(file).testbenches["image_classifier"].hits.values()) > 4 * 2


@pytest.mark.icarus
def test_with_icarus_and_waves(tmp_path):
    done = run("--sim", "icarus", "--waves", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "5 tests, 0 failed" in done.stdout
    assert (tmp_path / "run" / "build" / "image_classifier.fst").stat().st_size > 10_000


@pytest.mark.icarus
def test_fault_in_the_users_module_is_found(tmp_path):
    """The argmax of the example, made wrong: the scoreboard names what came instead."""
    folder = tmp_path / "user_module"
    folder.mkdir()
    for path in RUN.parent.iterdir():
        if path.is_file():
            text = path.read_text().replace("larger ? place : number", "larger ? number : place")
            (folder / path.name).write_text(text)
    done = subprocess.run(
        [sys.executable, folder / "run.py", "--sim", "icarus", "--out", tmp_path / "run"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 1
    assert "class: beat 0: frame 0, pixel (0, 0), channel 0: expected" in done.stdout
