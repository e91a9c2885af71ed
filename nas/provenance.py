"""What computed a run: versions, source, machine, threads, and by which call.

The same seed gives the same bits only where these are the same: sums of floats are in another order
on two threads than on one, and a weight at the edge between two powers of two rounds the other way.
"""

import hashlib
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from nas import distributed
from nas.data_record import DataRecord

ROOT = Path(__file__).parents[1]
PACKAGES = ("nas", "hw")
"""Whose source decides the figures of a run."""

DECISIVE = {
    "shiftnas": "shiftnas",
    "python": "Python",
    "torch": "torch",
    "numpy": "NumPy",
    "source": "source",
    "platform": "platform",
    "device": "device",
    "cpu": "instruction set",
    "threads": "threads",
    "processes": "processes",
}
"""Fields on which the bits of a run depend -> what they are called."""


def provenance(device: torch.device, data: DataRecord) -> dict[str, Any]:
    """Of this process, now; plain values, as a run's folder and its checkpoints keep them.

    Fields: versions (`shiftnas`, `python`, `torch`, `numpy`), `source` (SHA-256 of all that
    `PACKAGES` hold), `commit` (None where the source is no git repository), `platform`, `device`,
    `cpu` (the instruction set torch computes with), `threads` of a process, `processes`, `data`
    (digests of its splits), `command`, `started` (UTC, ISO 8601).
    """
    return {
        "shiftnas": version("shiftnas"),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": version("numpy"),
        "source": source_digest(),
        "commit": _commit(),
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "processes": distributed.world(),
        "data": dict(data.digests),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def in_words(call: Mapping[str, Any]) -> str:
    """The line with which a search or a training begins."""
    commit = f", commit {call['commit'][:12]}" if call["commit"] else ""
    return (
        f"shiftnas {call['shiftnas']} (source {call['source'][:12]}{commit}), "
        f"torch {call['torch']}, {call['device']}, {call['cpu']}, threads {call['threads']}, "
        f"processes {call['processes']}"
    )


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """What of `DECISIVE` is not as it was, in words."""
    parts = [
        f"{name} {_short(now[key])} (before: {_short(before.get(key))})"
        for key, name in DECISIVE.items()
        if before.get(key) != now[key]
    ]
    return ", ".join(parts) or None


def _short(value: Any) -> str:
    """Digests by their first digits."""
    text = str(value)
    return text[:12] if len(text) == 64 else text


@cache
def source_digest() -> str:
    """SHA-256 of the names and contents of all modules of `PACKAGES`."""
    total = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f"{path.relative_to(ROOT).as_posix()}\0{content}\0".encode())
    return total.hexdigest()


@cache
def _commit() -> str | None:
    if not (ROOT / ".git").exists():
        return None
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.decode("ascii").strip()
