"""Results of long tool runs, kept by the digest of everything that went into them.

Models, netlists, routed designs: shared by all runs and processes of one user. An entry carries a
digest of its files; one that is not as it was written is made again.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hw import outputs
from hw.errors import InputError

KEEP = 64
"""Entries of one kind kept; the longest unused go first."""

ABANDONED = 24 * 3600
"""Seconds after which a folder that was never finished (the process was killed) is removed."""

SEAL = ".sha256"
"""File of an entry with the digest of its other files."""

_VARIABLE = "set XDG_CACHE_HOME to a folder that can be written and has room"


def root() -> Path:
    """`shiftnas` below XDG_CACHE_HOME, or below ~/.cache.

    A relative XDG_CACHE_HOME is no base folder, as its specification says, and is ignored.

    Raises
    ------
    InputError: there is no home folder either
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        try:
            base = Path.home() / ".cache"
        except RuntimeError:
            base = Path()
    if not base.is_absolute():
        raise InputError(f"cache: HOME names no folder and XDG_CACHE_HOME neither; {_VARIABLE}")
    return base / "shiftnas"


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

    A folder appears whole or not at all, and is built again where it was changed since. Two
    processes that want the same entry do the work once.

    Raises
    ------
    InputError: the cache cannot be written, or is full; the line names the variable
    """
    place = root() / kind
    folder = place / digest
    with _explained(place):
        if _used(folder):
            return folder, True
        place.mkdir(parents=True, exist_ok=True)
        with _lock(place / f".{digest}.lock"):
            if _used(folder):
                return folder, True
            temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=place))
            try:
                build(temporary)
                (temporary / SEAL).write_text(_digest(temporary), encoding="utf-8")
                _put(temporary, folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
            _prune(place)
    return folder, False


@contextmanager
def _explained(place: Path) -> Iterator[None]:
    """Errors of the system in the block that concern the cache name it and its variable."""
    try:
        with outputs.naming(place):
            yield
    except OSError as error:
        about = error.filename if isinstance(error.filename, str) else ""
        within, above = about and Path(about).is_relative_to(place), place.is_relative_to(about)
        # What a build does not find is a mistake of ours.
        if not about or not (within or above) or (within and error.errno == errno.ENOENT):
            raise
        advice = outputs.ADVICE[errno.EFBIG] if error.errno == errno.EFBIG else _VARIABLE
        raise InputError(
            f"cache: {place if within else about}: {error.strerror}; {advice}"
        ) from error


def _used(folder: Path) -> bool:
    """Whether the entry is there, as it was written; marks it as used just now."""
    try:
        whole = (folder / SEAL).read_text(encoding="utf-8") == _digest(folder)
    except (OSError, UnicodeDecodeError):
        return False
    if whole:
        with suppress(OSError):  # of another user, or not to be written: it can be read
            os.utime(folder)
    return whole


def _digest(folder: Path) -> str:
    """SHA-256 over names and contents of the files in a folder; a link counts as what it says."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            content = os.fsencode(path.readlink())
        elif path.is_file() and name != SEAL:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").digest()
        else:
            continue
        total.update(digest_of(name, content).encode())
    return total.hexdigest()


def _put(temporary: Path, folder: Path) -> None:
    """Move a finished entry to its place; one that is damaged goes."""
    for _ in range(2):
        with suppress(OSError):
            temporary.rename(folder)
            return
        # Something is there: damaged, or made meanwhile where locks do not hold.
        if _used(folder):
            return
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            folder.unlink()
    temporary.rename(folder)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        # Some file systems have no locks: the work may be done twice, then.
        with suppress(OSError):
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
