"""Results of long tool runs, kept by the digest of everything that went into them.

Models, netlists, routed designs: shared by all runs and processes of one user.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

KEEP = 64
"""Entries of one kind kept; the longest unused go first."""

ABANDONED = 24 * 3600
"""Seconds after which a folder that was never finished (the process was killed) is removed."""


def root() -> Path:
    """`shiftnas` below XDG_CACHE_HOME, or below ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "shiftnas"


def digest_of(*parts: str | bytes) -> str:
    """SHA-256 over the parts, each with its length: no two lists of parts read the same."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(f"{len(data)}:".encode() + data)
    return total.hexdigest()


def entry(kind: str, digest: str, build: Callable[[Path], None]) -> tuple[Path, bool]:
    """The folder of `digest`, built by `build(folder)` if it is not there yet, and whether it was
    there.

    A folder appears whole or not at all. Two processes that want the same entry do the work once.
    """
    place = root() / kind
    folder = place / digest
    if _used(folder):
        return folder, True
    place.mkdir(parents=True, exist_ok=True)
    with _lock(place / f".{digest}.lock"):
        if _used(folder):
            return folder, True
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=place))
        try:
            build(temporary)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        _prune(place)
    return folder, False


def _used(folder: Path) -> bool:
    """Whether the entry exists; marks it as used just now."""
    try:
        os.utime(folder)
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _prune(place: Path) -> None:
    def age(folder: Path) -> float:
        try:
            return folder.stat().st_mtime
        except FileNotFoundError:
            return 0.0

    entries = [
        folder for folder in place.iterdir() if folder.is_dir() and not folder.name.startswith(".")
    ]
    for folder in sorted(entries, key=age, reverse=True)[KEEP:]:
        shutil.rmtree(folder, ignore_errors=True)
        (place / f".{folder.name}.lock").unlink(missing_ok=True)
    for leftover in place.glob(".new-*"):
        if time.time() - age(leftover) > ABANDONED:
            shutil.rmtree(leftover, ignore_errors=True)
