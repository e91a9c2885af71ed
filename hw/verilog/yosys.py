"""Yosys, native, from the `pyosys` package.

Every script runs in a process of its own. That keeps Yosys' log off our stdout, its memory out of
our process, and its counters at zero, so that the names it makes up are the same in every run.
"""

import importlib.util
import os
import signal
import subprocess
from functools import lru_cache
from importlib.metadata import version as package_version
from pathlib import Path

from hw import processes
from hw.errors import InputError

SCRIPT = "script.ys"

_RUN = (
    "import sys; from pyosys import libyosys as ys; "
    "ys.run_pass('script ' + sys.argv[1], ys.Design())"
)


class YosysError(RuntimeError):
    """A Yosys script failed, a defect of this program, not of its input. Carries Yosys' message."""


@lru_cache(maxsize=1)
def version() -> str:
    """Version of the `pyosys` package.

    Raises
    ------
    InputError: it is not installed.
    """
    if importlib.util.find_spec("pyosys") is None:
        raise InputError("yosys: the Python package pyosys is missing; pip install pyosys")
    return package_version("pyosys")


def _home() -> Path:
    version()
    spec = importlib.util.find_spec("pyosys")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


def share() -> Path:
    """Folder of Yosys' own files: techniques of mapping, simulation models of cells.

    Raises
    ------
    InputError: `pyosys` is not installed.
    """
    return _home() / "share"


def run(script: str, folder: Path) -> str:
    """Run a script with `folder` as working directory; returns the log.

    File names in the script are relative to `folder`, so that the result does not depend on where
    it lies.

    Raises
    ------
    InputError: `pyosys` is not installed.
    YosysError: the script failed.
    """
    version()
    (folder / SCRIPT).write_text(script, encoding="utf-8")
    # A fixed seed for Python's hashes: Yosys does not depend on them, and need not.
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    done = processes.run(processes.python(_RUN, SCRIPT), folder, environment)
    if done.returncode:
        raise YosysError(_reason(done))
    return done.stdout


def abc(script: str, folder: Path, timeout: float | None = None) -> str:
    """What ABC, which comes with Yosys, says to a script with `folder` as working directory; "" if
    it took longer than `timeout` seconds.

    Raises
    ------
    InputError: `pyosys` is not installed.
    """
    command = [_home() / "yosys-abc", "-c", script]
    try:
        return processes.run(command, folder, timeout=timeout).stdout
    except subprocess.TimeoutExpired:
        return ""


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode == -signal.SIGKILL:
        return "Yosys was killed, most likely for want of memory"
    lines = (done.stderr + "\n" + done.stdout).splitlines()
    errors = [line for line in lines if line.startswith("ERROR:")]
    return f"Yosys stopped with exit code {done.returncode}: {(errors or lines[-1:] or [''])[0]}"
