"""The hardware side on a machine without PyTorch, from a genotype to Verilog."""

import json
import subprocess
import sys
from pathlib import Path

from hw import outputs

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # importing it now raises ImportError
import shiftnas
shiftnas.main()
"""


def run(folder, hash_seed, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *map(str, arguments), "--json"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def emit(folder, hash_seed):
    """Files of an RTL folder made from scratch in `folder`."""
    folder.mkdir()
    run(
        folder, hash_seed, "network", "--genotype", "ShiftNAS_C10", "--channels", 1, "--cells", 2,
        "--image", "6x5x1", "--classes", 3, "--out", "net",
    )  # fmt: skip
    run(folder, hash_seed, "plan", "net", "--board", "ulx3s-85f", "--out", "plan.yaml")
    told = run(folder, hash_seed, "emit", "net", "--plan", "plan.yaml", "--out", "rtl")
    written = [path for path in Path(folder, "rtl").iterdir() if path.name != outputs.MARKER]
    files = {path.name: path.read_bytes() for path in written}
    assert sorted(files) == told["files"]
    return files


def test_verilog_without_torch_and_the_same_bytes_each_time(tmp_path):
    """Two folders, two hash seeds, one result."""
    first = emit(tmp_path / "first", "0")
    assert emit(tmp_path / "second", "12345") == first
    assert b"module shiftnas_top" in first["shiftnas_top.v"]
    assert str(tmp_path).encode() not in b"".join(first.values())
