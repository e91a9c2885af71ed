"""Calls a compiler or a simulator's front end; its complaint in one line where it fails."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from hw.errors import CheckFailed, InputError


def call(command: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | dict(env or {}),
        )
    except FileNotFoundError:
        raise InputError(f"cosim: {command[0]}: no such program; run shiftnas doctor") from None
    if done.returncode:
        lines = [
            line
            for line in (done.stderr + done.stdout).splitlines()
            if "rror" in line or "Warning" in line
        ]
        detail = lines[0] if lines else f"status {done.returncode}"
        raise CheckFailed(f"{Path(command[0]).name} rejects the design: {detail}")
