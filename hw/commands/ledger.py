"""Commands run one after the other, each kept while what it read and what it wrote stand.

The ledger is a JSON file. A step is done again when its arguments, the files it reads, or the code
it runs have changed, or when its output is not as it left it.
"""

import hashlib
import json
import shlex
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hw import documents, processes
from hw.console import EXIT_CHECK_FAILED, note
from hw.errors import CheckFailed, InputError
from hw.outputs import write_atomic

SCHEMA_VERSION = 1
ROOT = Path(__file__).resolve().parent.parent.parent
"""Where the packages lie."""

CODE_SUFFIXES = (".py", ".yaml", ".vlt", ".cpp", ".h", ".v", ".sv")
_RUN = "import runpy; runpy.run_module('shiftnas', run_name='__main__', alter_sys=True)"
ASIDE = ("hw/report", "hw/console.py", "hw/outputs.py", "hw/streams.py", "hw/commands")
"""Code that changes no step's result: what talks to the user."""


@dataclass(frozen=True)
class Step:
    """One command.

    Parameters
    ----------
    name: unique among the steps
    arguments: of `shiftnas`, the subcommand first; without --json, --force and --resume
    reads: files and folders whose content decides the result
    writes: file or folder that the command makes
    code: files and folders below `ROOT`: the code that decides the result
    checkpoint: file in `writes`; where it is, an interrupted command goes on with --resume
    """

    name: str
    arguments: tuple[str, ...]
    reads: tuple[Path, ...] = ()
    writes: Path | None = None
    code: tuple[str, ...] = ()
    checkpoint: str = ""

    @property
    def command(self) -> str:
        """As a user types it."""
        return shlex.join(("shiftnas", *self.arguments))


@dataclass(frozen=True)
class Done:
    """A step's record.

    Parameters
    ----------
    name, command: of the step
    seconds: that it took when it was run
    result: the JSON object it printed
    key: digest of all that decides the result
    output: digest of what it wrote
    passed: false if the command ended with exit code 1: a check of its own did not hold
    kept: not run now but earlier
    """

    name: str
    command: str
    seconds: float
    result: dict[str, Any]
    key: str
    output: str
    passed: bool = True
    kept: bool = False


class Ledger:
    """The records of the steps done in one folder, in the file `path`.

    Raises
    ------
    InputError: `path` is not a ledger of a known version
    """

    def __init__(self, path: Path):
        self.path = path
        self.done: dict[str, Done] = {}
        self.started: dict[str, str] = {}
        self.extra: dict[str, Any] = {}
        if path.exists():
            self._load()

    def _load(self) -> None:
        try:
            content = documents.load_json(self.path.read_text(encoding="utf-8"))
            version = content["schema_version"]
            steps = [Done(**record) for record in content["steps"]]
            started = dict(content["started"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{self.path}: not a record of steps ({documents.reason(error)}); "
                "remove the file to start again"
            ) from error
        if version != SCHEMA_VERSION:
            raise InputError(
                f"{self.path}: schema_version: expected {SCHEMA_VERSION}, found {version}; "
                "remove the file to start again"
            )
        self.done = {step.name: replace(step, kept=True) for step in steps}
        self.started = started

    def save(self) -> None:
        """Write the records, and what was put into `extra`."""
        content = {
            "schema_version": SCHEMA_VERSION,
            "steps": [asdict(step) for step in self.done.values()],
            "started": self.started,
            **self.extra,
        }
        write_atomic(self.path, json.dumps(content, indent=1) + "\n")

    def run(self, step: Step, *, force: bool = False) -> Done:
        """The record of `step`: the one there is where it still holds, else of running it now.

        Raises
        ------
        CheckFailed: the command ended with exit code 1 and told no result
        InputError: the command ended with exit code 2, or died
        KeyboardInterrupt: the command was interrupted
        """
        key = self._key(step)
        before = self.done.get(step.name)
        if before and not force and before.key == key and before.output == digest(step.writes):
            return before
        flags = []
        if step.writes is not None and step.writes.exists():
            checkpoint = step.checkpoint and (step.writes / step.checkpoint).exists()
            resume = checkpoint and not force and self.started.get(step.name) == key
            flags = ["--resume" if resume else "--force"]
        self.done.pop(step.name, None)
        self.started[step.name] = key
        self.save()
        start = time.monotonic()
        result, passed = call([*step.arguments, *flags], step.command)
        seconds = round(time.monotonic() - start, 1)
        output = digest(step.writes)
        done = Done(step.name, step.command, seconds, result, key, output, passed)
        self.done[step.name] = done
        del self.started[step.name]
        self.save()
        return done

    def _key(self, step: Step) -> str:
        parts = [
            list(step.arguments),
            [digest(path) for path in step.reads],
            [_code_digest(ROOT / path) for path in step.code],
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def digest(path: Path | None) -> str:
    """SHA-256 over a file's content, or over the names and contents of a folder's files.

    Empty where there is nothing.
    """
    if path is None or not path.exists():
        return ""
    return _digest(path, _files(path))


def _code_digest(path: Path) -> str:
    """The same over the code in a package, without what only talks to the user."""
    aside = tuple(ROOT / entry for entry in ASIDE)
    return _digest(
        path,
        [
            file
            for file in _files(path)
            if file.suffix in CODE_SUFFIXES and not any(map(file.is_relative_to, aside))
        ],
    )


def _digest(path: Path, files: Sequence[Path]) -> str:
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.relative_to(path)}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _files(path: Path) -> Sequence[Path]:
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file())


def call(arguments: Sequence[str], command: str) -> tuple[dict[str, Any], bool]:
    """Run `shiftnas` with `arguments` and --json; its messages pass to stderr.

    Returns the JSON object it printed, and whether it ended with exit code 0. With exit code 1 it
    may have told its result all the same.
    """
    with subprocess.Popen(
        processes.python(_RUN, *arguments, "--json"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            output, _ = process.communicate()
        except KeyboardInterrupt:
            # It saves its state, as it does where a terminal has sent Ctrl-C to us both.
            process.terminate()
            process.wait()
            raise
    if process.returncode in processes.INTERRUPTED:
        raise KeyboardInterrupt
    missed = process.returncode == EXIT_CHECK_FAILED
    if process.returncode and not (missed and output):
        error = CheckFailed if missed else InputError
        raise error(
            f"`{command}` ended with exit code {process.returncode}, its message is above; "
            "steps already done are kept for the next run"
        )
    try:
        result = json.loads(output)
    except ValueError as error:
        raise InputError(f"`{command}` printed no JSON object: {output[:80]!r}") from error
    return result, not missed


def announce(number: int, count: int, step: Step) -> None:
    """Show the command that is about to run."""
    note(f"[{number}/{count}] $ {step.command}")
