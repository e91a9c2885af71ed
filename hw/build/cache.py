"""Results of long tool runs, kept by the digest of everything that went into them."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

KEEP = 16
"""Entries of a kind that stay; the ones unused for longest go first."""


def root() -> Path:
    """`shiftnas/build` below `XDG_CACHE_HOME`, or below `~/.cache`."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "shiftnas" / "build"


def key(parts: Iterable[str | bytes]) -> str:
    """SHA-256 over the parts and their lengths."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()


def entry(kind: str, name: str, make: Callable[[Path], None]) -> tuple[Path, bool]:
    """The folder of results called `name`, and whether it was there already.

    If not, `make(folder)` fills one, which then takes its place whole. Of several processes that
    want the same entry one works and the others wait.
    """
    shelf = root() / kind
    shelf.mkdir(parents=True, exist_ok=True)
    folder = shelf / name
    with (shelf / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            os.utime(folder)
            return folder, True
        working = Path(tempfile.mkdtemp(prefix=".new-", dir=shelf))
        try:
            make(working)
            working.rename(folder)
        finally:
            shutil.rmtree(working, ignore_errors=True)
        _clear(shelf, keep=folder)
    return folder, False


def _clear(shelf: Path, keep: Path) -> None:
    by_age = []
    for path in shelf.iterdir():
        if not path.name.startswith(".") and path != keep:
            by_age.append((path.stat().st_mtime, path))
    for _, path in sorted(by_age, reverse=True)[KEEP - 1 :]:
        shutil.rmtree(path, ignore_errors=True)
        (shelf / f".{path.name}.lock").unlink(missing_ok=True)
