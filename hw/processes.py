"""Programs that we start, and signals: what we started ends with us.

Every tool is started here, in a session of its own. Ctrl-C, SIGTERM and SIGHUP kill what runs, with
all that it has started, and go on as KeyboardInterrupt, so that temporary files are removed. Where
this process itself is killed (SIGKILL), nobody can do that: on Linux, Python programs and
simulators then end too (`end_with_parent`), compilers come to their own end.
"""

import ctypes
import errno
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = tuple(128 + number for number in SIGNALS)
"""Exit codes of a command that a signal has ended."""

AGAIN_S = 1.0
"""Seconds in which a second signal is taken for the same one: a terminal and a parent may both
send it."""

_PR_SET_PDEATHSIG = 1
_END_WITH_PARENT = (
    f"import ctypes, sys; sys.platform == 'linux' and ctypes.CDLL(None)"
    f".prctl({_PR_SET_PDEATHSIG}, {signal.SIGKILL.value}); "
)

_FULL = {
    "No space left on device": errno.ENOSPC,
    "Disk quota exceeded": errno.EDQUOT,
    "File too large": errno.EFBIG,
}
"""What tools say where a disk is full."""


# --- Programs

_lock = threading.RLock()  # the handler of a signal may run inside a block that holds it
_running: set[subprocess.Popen[Any]] = set()
_ending = False
"""A signal came: nothing more is started."""
_starting = False
"""The main thread is starting a program: a signal waits until it is in `_running`."""


@contextmanager
def started(
    command: Sequence[str | Path],
    folder: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    **options: Any,
) -> Iterator[subprocess.Popen[Any]]:
    """Start a program; it and all that it has started end with the block at the latest.

    Parameters
    ----------
    command: program and arguments
    folder: where it runs
    env: its environment; default: ours
    options: of subprocess.Popen; without any it has no input, and its output is ours
    """
    process = _start(
        [str(word) for word in command],
        **{"cwd": folder, "env": env, "stdin": subprocess.DEVNULL, **options},
    )
    try:
        with process:
            try:
                yield process
            finally:
                _kill(process)
    finally:
        with _lock:
            _running.discard(process)


def _start(command: list[str], **options: Any) -> subprocess.Popen[Any]:
    global _starting
    with _lock:
        if _ending:
            raise KeyboardInterrupt
        _starting = threading.current_thread() is threading.main_thread()
        try:
            process = subprocess.Popen(command, start_new_session=True, **options)
            _running.add(process)
        finally:
            _starting = False
    if _ending:
        _kill(process)
        process.wait()
        raise KeyboardInterrupt
    return process


def _kill(process: subprocess.Popen[Any]) -> None:
    """End a program and what it has started; nothing where all of it has ended."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def run(
    command: Sequence[str | Path],
    folder: str | Path,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end; its exit code and what it said.

    Raises
    ------
    OSError: there is no such program, or no room for what it writes (see `require_room`)
    subprocess.TimeoutExpired: it took longer than `timeout` seconds, and was ended
    """
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started(command, folder, env, **pipes, encoding="utf-8", errors="replace") as process:
        output, errors = process.communicate(timeout=timeout)
    done = subprocess.CompletedProcess(process.args, process.returncode, output, errors)
    require_room(folder, done.returncode, errors + output if done.returncode else "")
    return done


def python(code: str, *arguments: str) -> list[str]:
    """The command that runs Python code, with `arguments` as sys.argv[1:], and ends with us."""
    # -P: what lies where it runs must not be taken for a package.
    return [sys.executable, "-P", "-c", _END_WITH_PARENT + code, *arguments]


def end_with_parent() -> None:
    """Called in a program that we started: it is killed when we end, however that is. Linux only.

    To Linux the parent is the thread that started it, which waits for it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL.value)


def require_room(folder: str | Path, status: int = 0, said: str = "") -> None:
    """Ask whether what a program wrote into `folder` may be cut short for want of room.

    Tools say so in many ways, or not at all.

    Parameters
    ----------
    status: the exit code of the program; said: what it said, where it failed

    Raises
    ------
    OSError: the disk is full, or a file has reached the limit on file sizes; without a name: the
    caller knows what the folder is (`hw.outputs.naming`)
    """
    for text, number in _FULL.items():
        if text in said:
            raise OSError(number, text)
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if status == -signal.SIGXFSZ or (limit != resource.RLIM_INFINITY and _has(folder, limit)):
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    probe = Path(folder, f".room-{os.getpid()}-{threading.get_ident()}")
    try:
        with probe.open("wb", buffering=0) as file:
            file.write(b"\0")
    except OSError as error:
        raise OSError(error.errno, error.strerror) from None
    finally:
        probe.unlink(missing_ok=True)


def _has(folder: str | Path, size: int) -> bool:
    """Whether there is a file of this size or larger."""
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # another thread's, which removed it
                if Path(place, name).lstat().st_size >= size:
                    return True
    return False


# --- Signals


@contextmanager
def interruptible() -> Iterator[Callable[[], int]]:
    """In the block, Ctrl-C, SIGTERM and SIGHUP end what runs and raise KeyboardInterrupt.

    Yields a function: the exit code of an interruption, 128 and the number of the signal. Signals
    that are ignored stay so (nohup).
    """
    global _ending
    received, last = signal.SIGINT.value, None

    def stop(number: int, frame: object) -> None:
        global _ending
        nonlocal received, last
        now = time.monotonic()
        if last is not None and now - last < AGAIN_S:
            return
        received, last = (number if last is None else received), now
        with _lock:
            _ending = True
            for process in _running:
                _kill(process)
        if not _starting:
            raise KeyboardInterrupt

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        # None: somebody's C code handles it.
        kept = (signal.SIG_IGN, None)
        numbers = [number for number in SIGNALS if signal.getsignal(number) not in kept]
        before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield lambda: 128 + received
    finally:
        _ending = False
        for number, handler in before.items():
            signal.signal(number, handler)
