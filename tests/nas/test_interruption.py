"""Runs stopped from outside, as processes: Ctrl-C, a kill, and what --resume makes of them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from interrupted import tensors_of, without_times

from hw.console import EXIT_INTERRUPTED
from nas.cli import COMMANDS

ROOT = Path(__file__).parents[2]
SETTINGS = ("--data", "digits", "--config", "tiny")
SEARCH = (
    "search", *SETTINGS, "--set", "search.images=64", "--set", "search.cells=1",
    "--set", "search.operation_warmup=2", "--set", "search.topology_epochs=3",
)  # fmt: skip
TRAIN = (
    "train", "--genotype", "ShiftNAS_C10", *SETTINGS, "--set", "train.images=128",
    "--set", "train.epochs=5", "--set", "train.crop=1", "--set", "train.drop_path=0.2",
)  # fmt: skip


def start(arguments, out, *flags):
    return subprocess.Popen(
        [sys.executable, "-m", "shiftnas", *arguments, "--out", str(out), *flags],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def call(arguments, out, *flags):
    """The same in this process."""
    name, *rest = arguments
    result = CliRunner().invoke(COMMANDS[name], [*rest, "--out", str(out), *flags])
    assert result.exit_code == 0, result.output


def finish(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def wait_for_epochs(process, out, count):
    """Until so many epochs are kept; the next is under way then."""
    log = out / "log.jsonl"
    while process.poll() is None:
        if log.exists() and log.read_text().count("\n") >= count:
            return
        time.sleep(0.02)
    raise AssertionError(process.communicate())


def read_log(out):
    lines = (out / "log.jsonl").read_text().splitlines()
    return without_times([json.loads(line) for line in lines])


def expect_equal(out, whole):
    assert read_log(out) == read_log(whole)
    assert (out / "genotype.yaml").read_text() == (whole / "genotype.yaml").read_text()
    ours, theirs = (
        tensors_of(torch.load(run / "checkpoint.pt", weights_only=True)) for run in (out, whole)
    )
    assert ours.keys() == theirs.keys() and len(ours) > 20
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.slow
def test_ctrl_c_loses_at_most_an_epoch_and_says_how_to_go_on(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    call(SEARCH, whole)
    process = start(SEARCH, parts)
    wait_for_epochs(process, parts, 1)
    process.send_signal(signal.SIGINT)
    code, _, err = finish(process)
    kept = len(read_log(parts))
    assert code == EXIT_INTERRUPTED and kept in (1, 2)
    assert err.strip().splitlines()[-1] == (
        f"shiftnas: interrupted: {kept} epochs are kept in {parts}; the same call with --resume "
        "goes on"
    )
    assert "Traceback" not in err
    call(SEARCH, parts, "--resume")
    expect_equal(parts, whole)


@pytest.mark.slow
def test_a_killed_process_loses_at_most_an_epoch(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    call(TRAIN, whole)
    process = start(TRAIN, parts)
    wait_for_epochs(process, parts, 2)
    process.kill()
    assert finish(process)[0] == -signal.SIGKILL
    assert 2 <= len(read_log(parts)) < 5
    call(TRAIN, parts, "--resume")
    expect_equal(parts, whole)
