"""How commands end, write and speak."""

import json
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from rich.table import Table

from hw import console
from hw.errors import CheckFailed, InputError, Interrupted


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (
            InputError("a.yaml: field: expected\nthis"),
            2,
            "shiftnas: error: a.yaml: field: expected this\n",
        ),
        (CheckFailed("1 bit differs"), 1, "shiftnas: error: 1 bit differs\n"),
        (
            CheckFailed("hang", ["full FIFO: a", "empty\nFIFO: b"]),
            1,
            "shiftnas: error: hang\n  full FIFO: a\n  empty FIFO: b\n",
        ),
        (KeyboardInterrupt(), 130, "shiftnas: interrupted\n"),
        (Interrupted("go on so"), 130, "shiftnas: interrupted: go on so\n"),
        (
            MemoryError("Unable to allocate 3 TiB"),
            2,
            (
                "shiftnas: error: not enough memory (Unable to allocate 3 TiB); take a smaller"
                " network, fewer frames, or a machine with more\n"
            ),
        ),
        (click.UsageError("no such option"), 2, "shiftnas: error: no such option\n"),
        (
            PermissionError(13, "Permission denied", "x"),
            2,
            "shiftnas: error: x: Permission denied; choose a path that can be used\n",
        ),
    ],
)
def test_exit_code_and_one_line(capsys, raised, code, line):
    def body():
        raise raised

    assert console.run_guarded(body) == code
    assert capsys.readouterr() == ("", line)


@pytest.mark.parametrize("raised", ["InputError('no')", "KeyboardInterrupt"])
def test_of_hardware_that_was_begun_nothing_is_said(raised):
    body = f"""
import gc, sys
from amaranth.hdl import Elaboratable, Fragment, Module
from hw import console
from hw.errors import InputError
class Part(Elaboratable):
    def elaborate(self, platform):
        return Module()
def body():
    Fragment.get(Part(), None)
    part = Part()
    raise {raised}
code = console.run_guarded(body)
gc.collect()
sys.exit(code)
"""
    run = subprocess.run([sys.executable, "-c", body], capture_output=True, text=True, check=False)
    assert run.returncode and run.stderr.count("\n") == 1 and run.stderr.startswith("shiftnas: ")


@pytest.mark.parametrize("code", [0, None, 3])
def test_an_exit_in_the_middle_is_no_success(capsys, code):
    """Of a plug-in's own code, whatever its exit code."""

    def body():
        sys.exit(code)

    assert console.run_guarded(body) == console.EXIT_INPUT_ERROR
    line = body.__code__.co_firstlineno + 1
    assert capsys.readouterr().err == (
        f"shiftnas: error: {__file__}: line {line}: it ends the process ({code!r}) in the middle "
        "of the command; take that out\n"
    )


def test_a_bug_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        console.run_guarded(lambda: 1 // 0)


def test_command_guards_itself():
    @click.command(cls=console.Command)
    @console.json_option
    @console.seed_option
    @console.force_option
    def command(as_json, seed, force):
        if force:
            raise InputError("no force")
        console.print_json({"as_json": as_json, "seed": seed})

    result = CliRunner().invoke(command, ["--json"])
    assert result.exit_code == 0 and json.loads(result.stdout) == {"as_json": True, "seed": 1}
    for wrong in (["--force"], ["--unknown"], ["--seed", "x"], ["stray"]):
        result = CliRunner().invoke(command, wrong)
        assert result.exit_code == 2 and result.stdout == ""
        assert result.stderr.startswith("shiftnas: error: ") and result.stderr.count("\n") == 1
    with pytest.raises(InputError):
        command.main(["--force"], standalone_mode=False)


def test_print_json_takes_paths_and_numpy(capsys):
    console.print_json({"path": Path("a/b"), "n": np.int64(3), "list": np.arange(2)})
    assert json.loads(capsys.readouterr().out) == {"path": "a/b", "n": 3, "list": [0, 1]}
    with pytest.raises(TypeError, match="object has no JSON form"):
        console.print_json({"bad": object()})


def test_progress_in_plain_lines(capsys):
    with console.progress("train", 4) as bar:
        for _ in range(4):
            bar.advance(note="loss 0.5")
    out, err = capsys.readouterr()
    assert out == "" and err == "train: 100 %, 0 s left, loss 0.5\n"


def test_a_table_into_a_file_is_not_cut(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    grid = Table("name", "value")
    grid.add_row("long" * 20, "12345678901234567890")
    console.print_grid(grid)
    out = capsys.readouterr().out
    assert "long" * 20 in out and "12345678901234567890" in out and "…" not in out
