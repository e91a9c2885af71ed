"""What `--force` may take away of a run's folder: what a run of the same kind wrote, no more."""

import re
import shutil
from contextlib import suppress
from pathlib import Path

from hw.errors import InputError
from hw.outputs import ONLY_OURS
from nas import events
from nas.lock import LOCK
from nas.runs import CONFIG, FILES


def seeds(folder: Path) -> list[Path]:
    """The runs of several seeds in a folder, see `nas.seeds`."""
    places = folder.iterdir() if folder.is_dir() else ()
    return [
        place
        for place in places
        if re.fullmatch(r"seed\d+", place.name) and (place / CONFIG).exists()
    ]


def require_own(folder: Path, kind: str) -> None:
    """InputError where `folder`, or that of a seed in it, has such files but is no run of `kind`.

    Files of other names are never touched.
    """
    for place in (folder, *seeds(folder)):
        there = [place / name for name in (*FILES, events.FOLDER) if (place / name).exists()]
        if there and not _is_run(place / CONFIG, kind):
            raise InputError(f"{there[0]}: is not of a run of `{kind}`; {ONLY_OURS}")


def _is_run(config: Path, kind: str) -> bool:
    if not config.is_file():
        return False
    text = config.read_text(encoding="utf-8", errors="replace")
    return re.search(rf"^kind: {kind}$", text, re.MULTILINE) is not None


def clear(folder: Path) -> None:
    """Remove what a run wrote, and the folder if nothing else is in it."""
    for name in (*FILES, LOCK):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / events.FOLDER, ignore_errors=True)
    with suppress(OSError):
        folder.rmdir()
