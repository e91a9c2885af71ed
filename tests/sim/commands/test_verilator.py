"""The subcommand verilator: arguments and exit code are passed on."""

import subprocess
import sys


def call(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "shiftnas", "verilator", *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_arguments_and_exit_code_are_passed_on(tmp_path):
    told = call(tmp_path, "--version")
    assert told.returncode == 0 and "rev " in told.stdout and "Usage" not in told.stdout
    module = "module top(input [3:0] a, output [7:0] q); assign q = a; endmodule"
    (tmp_path / "top.v").write_text(f"`ifdef the_path\n{module}\n`endif\n")
    wrong = call(tmp_path, '-Dthe_path="a b/"', "--lint-only", "top.v")
    assert wrong.returncode == 1 and "WIDTHEXPAND: top.v:" in wrong.stderr
    assert call(tmp_path, "-Dthe_path", "--lint-only", "-Wno-WIDTH", "top.v").returncode == 0


def test_help_is_ours(tmp_path):
    told = call(tmp_path, "--help")
    assert told.returncode == 0 and told.stdout.startswith("Usage: shiftnas verilator ")
