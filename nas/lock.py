"""One process at a time writes a folder: a lock of the operating system on a file in it.

The system releases it when the process ends, however it ends.
"""

import fcntl
import os
import socket
from pathlib import Path

from hw.console import note
from hw.errors import InputError

LOCK = "lock"
"""The file. It stays when its process has ended, and means nothing then."""


class FolderLock:
    """Held from its making until `close`, or the end of the process.

    Raises
    ------
    InputError: another process has it; names the process
    """

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / LOCK).open("a+", encoding="utf-8")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.seek(0)
            holder = self._file.read().strip() or "another process"
            self._file.close()
            raise InputError(
                f"{folder}: {holder} is at work in it; wait for its end, end it, or choose "
                "another --out"
            ) from error
        except OSError as error:
            note(
                f"{folder / LOCK}: no locks here ({error.strerror}): see to it that no other "
                "process writes this folder"
            )
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()
