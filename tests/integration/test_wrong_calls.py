"""Wrong calls as a new user makes them: exit 2, one line, no traceback, nothing half-written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import shiftnas

SIZES = ("--channels", "1", "--cells", "1", "--image", "4x4x1", "--classes", "2")


def run(folder, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-P", "-m", "shiftnas", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    done = run(folder, "network", "--genotype", "ShiftNAS_C10", *SIZES, "--out", "net")
    assert done.returncode == 0, done.stderr
    return folder / "net"


def files(folder):
    return sorted(path.relative_to(folder) for path in Path(folder).rglob("*"))


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        ("network --genotype ShiftNASC10 {sizes} --out new", ["ShiftNASC10", "ShiftNAS_C10"]),
        ("search --data empty --config digits --out new", ["empty"]),
        ("train --genotype ShiftNAS_C10 --data empty --config digits --out new", ["empty"]),
        ("train --genotype none.yaml --data digits --config digits --out new", ["none.yaml"]),
        ("search --data digits --config none --out new", ["none"]),
        ("search --data digits --config digits --set search.cell=3 --out new", ["search.cell"]),
        ("export empty --out new", ["empty"]),
        ("eval {net} --data empty", ["empty"]),
        ("eval cut --data digits", ["cut/weights.npz", "sha256"]),
        ("emit cut --out new", ["cut/weights.npz"]),
        ("plan {net} --board ulx4s --out new.yaml", ["ulx4s", "ulx3s-85f"]),
        ("bitstream {net} --board ulx4s --out new", ["ulx4s", "ulx3s-85f"]),
        ("emit {net} --plan broken.yaml --out new", ["broken.yaml"]),
        ("cosim {net} --frames 0", ["frames"]),
        ("cosim {net} --level op --only none", ["none", "stem/conv"]),
        ("fuzz --time 0s", ["0s"]),
        ("prove none", ["none", "--list"]),
        ("coverage", ["FILE"]),
        ("report empty", ["empty"]),
        ("demo --data empty --out new", ["empty"]),
        ("genotypes none", ["none"]),
        ("emti {net}", ["emti"]),
    ],
)
def test_one_line_and_nothing_else(net, tmp_path, monkeypatch, call, parts):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.yaml").write_text("layers: [")
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "network.json").write_bytes((net / "network.json").read_bytes())
    weights = (net / "weights.npz").read_bytes()
    (tmp_path / "cut" / "weights.npz").write_bytes(weights[: len(weights) // 2])
    before = files(tmp_path)
    monkeypatch.chdir(tmp_path)
    words = call.format(net=net, sizes=" ".join(SIZES)).split()
    done = CliRunner().invoke(shiftnas.shiftnas, words)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert done.stderr.startswith("shiftnas: error: ") and done.stderr.count("\n") == 1
    for part in parts:
        assert part in done.stderr
    assert files(tmp_path) == before


def test_no_compiler(net, tmp_path):
    """No g++ on PATH, and nothing built earlier: it is needed."""
    done = run(
        tmp_path, "cosim", net, "--frames", 1, PATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path)
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("shiftnas: error: ")
    assert "g++" in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
    assert "install" in done.stderr.splitlines()[-1]
