"""Commands of ours in processes of their own, some at a time, one after the other in chains."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch

from hw.console import EXIT_CHECK_FAILED, EXIT_INTERRUPTED, note
from hw.errors import CheckFailed, InputError, Interrupted

ROOT = Path(__file__).parents[1]
ERROR = "shiftnas: error: "

THREADS = {"OMP_NUM_THREADS": "1"}
"""Of each process, unless its configuration says otherwise (`threads`): however many are at work at
a time, on however many cores, each computes the same bits."""

Result = dict[str, Any]
"""The JSON object that a command printed."""


@dataclass(frozen=True)
class Call:
    """One command.

    Parameters
    ----------
    name: stands before each line it says, and in its error
    words: subcommand and options, `--json` excepted
    """

    name: str
    words: Sequence[str]


def nothing(name: str, results: list[Result]) -> None:
    """Of a chain that has ended, where nobody wants to know."""


def places(device: torch.device) -> list[dict[str, str]]:
    """Environment of each process that may run at a time: one a GPU, or one a core."""
    if device.type != "cuda":
        return [{} for _ in range(len(os.sched_getaffinity(0)))]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(n) for n in range(torch.cuda.device_count())]
    return [{"CUDA_VISIBLE_DEVICES": name} for name in names]


class Pool:
    """At most one process a place at a time.

    Parameters
    ----------
    device: that the commands compute on; there are as many places as cores or GPUs
    chains: how many are to be run
    jobs: places, if not so many; GPUs are shared where there are fewer
    """

    def __init__(self, device: torch.device, chains: int, jobs: int | None = None):
        known = places(device)
        self._jobs = max(1, min(chains, jobs or len(known)))
        self._free: SimpleQueue[dict[str, str]] = SimpleQueue()
        for job in range(self._jobs):
            self._free.put(known[job % len(known)])
        self._lock, self._stopped = threading.Lock(), False
        self._running: list[subprocess.Popen[str]] = []

    def run(
        self,
        chains: Mapping[str, Sequence[Call]],
        kept: Callable[[], str],
        ended: Callable[[str, list[Result]], None] = nothing,
    ) -> dict[str, list[Result]]:
        """What the calls of each chain printed. A chain ends where one of its calls fails.

        Parameters
        ----------
        kept: what to say when all is interrupted: what there is, and how to go on
        ended: called with each chain that has come to its end, in a thread of its own

        Raises
        ------
        InputError, CheckFailed: as of the first chain that failed, when the others have ended
        Interrupted: by Ctrl-C; every process has ended
        """

        def chain(name: str) -> list[Result]:
            place = self._free.get()
            try:
                results = [self._call(call, place) for call in chains[name]]
            finally:
                self._free.put(place)
            ended(name, results)
            return results

        with ThreadPoolExecutor(self._jobs) as threads:
            futures = {name: threads.submit(chain, name) for name in chains}
            try:
                wait(futures.values())
            except KeyboardInterrupt as error:
                self._stop()
                threads.shutdown(cancel_futures=True)
                raise Interrupted(kept()) from error
        return {name: future.result() for name, future in futures.items()}

    def _stop(self) -> None:
        with self._lock:
            self._stopped = True
            for process in self._running:
                _end(process)

    def _call(self, call: Call, place: dict[str, str]) -> Result:
        with self._lock:
            if self._stopped:
                raise InputError(f"{call.name}: not begun")
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "nas.child", *call.words, "--json"],
                env={**os.environ, **THREADS, **place, "PYTHONPATH": _python_path()},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                # Ctrl-C is for this process, which ends them all.
                start_new_session=True,
            )
            self._running.append(process)
        assert process.stderr is not None and process.stdout is not None
        last = ""
        try:
            for line in process.stderr:
                last = line.strip()
                if not last.startswith("shiftnas: "):
                    note(f"{call.name}: {last}")
            output = process.stdout.read()
        finally:
            with self._lock:
                self._running.remove(process)
                _end(process)
            code = process.wait()
            process.stderr.close()
            process.stdout.close()
        if code == 0:
            return json.loads(output)
        reason = last.removeprefix(ERROR) if code in (1, 2) else f"ended with exit code {code}"
        error = InputError if code not in (EXIT_CHECK_FAILED, EXIT_INTERRUPTED) else CheckFailed
        raise error(f"{call.name}: {reason}; what the others did is kept")


def _end(process: subprocess.Popen[str]) -> None:
    """End a process that ends with its input (`nas.child`)."""
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()


def _python_path() -> str:
    """This package first: also where it is not the one that is installed."""
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
