"""What every command shares: how it ends, what it writes, and what it says while it works.

Results go to stdout, everything else (progress, notes, errors) to stderr, so that `--json` output
can be piped.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import click

from hw import streams
from hw.errors import CheckFailed, InputError, Interrupted

EXIT_CHECK_FAILED = 1
EXIT_INPUT_ERROR = 2
EXIT_INTERRUPTED = 130

SEED = click.IntRange(0, (1 << 64) - 1)
"""What a seed may be: what PyTorch's generators take, and NumPy's."""

F = TypeVar("F", bound=Callable[..., Any])


# --- How a command ends


def run_guarded(body: Callable[[], Any]) -> int:
    """Call `body`; return the exit code it stands for; a failure is one line on stderr."""
    try:
        result = body()
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return EXIT_INPUT_ERROR
    except (InputError, click.ClickException) as error:
        return _fail(error, EXIT_INPUT_ERROR)
    except CheckFailed as error:
        return _fail(error, EXIT_CHECK_FAILED)
    except Interrupted as error:
        click.echo(f"shiftnas: interrupted: {error}", err=True)
        return EXIT_INTERRUPTED
    except (KeyboardInterrupt, click.Abort):
        click.echo("shiftnas: interrupted", err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`| head`): not an error. Keep the interpreter from
        # flushing to it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        # A file that cannot be read or written is the user's to mend; anything else is a bug and
        # shows its traceback.
        if error.filename is None:
            raise
        return _fail(
            f"{error.filename}: {error.strerror}; choose a path that can be used", EXIT_INPUT_ERROR
        )
    return result if isinstance(result, int) else 0


def _fail(error: Exception | str, code: int) -> int:
    message = error.format_message() if isinstance(error, click.ClickException) else str(error)
    click.echo(f"shiftnas: error: {' '.join(message.split())}", err=True)
    return code


class Command(click.Command):
    """A subcommand: `@click.command(cls=console.Command)`.

    Run on its own it ends with the exit codes and the one line of `run_guarded`.
    """

    def main(self, args=None, prog_name=None, complete_var=None, standalone_mode=True, **extra):
        def body():
            return super(Command, self).main(
                args, prog_name, complete_var, standalone_mode=False, **extra
            )

        if not standalone_mode:
            return body()
        streams.prepare()
        sys.exit(run_guarded(body))


class Group(Command, click.Group):
    """A group of subcommands with the same manners."""


def json_option(function: F) -> F:
    """Add `--json`, passed as `as_json`: one JSON object on stdout instead of the text."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")(
        function
    )


def force_option(function: F) -> F:
    """Add `--force`, passed as `force`: replace an output that exists."""
    return click.option("--force", is_flag=True, help="Replace the output where it exists.")(
        function
    )


def seed_option(function: F) -> F:
    """Add `--seed`, passed as `seed` (default 1)."""
    return click.option(
        "--seed", type=SEED, default=1, show_default=True, help="Makes the run repeatable."
    )(function)


# --- What a command writes


def require_absent(path: str | Path, force: bool) -> Path:
    """`path`, or InputError where something is there and `force` is false: ask before long work."""
    path = Path(path)
    if not force and (path.exists() or path.is_symlink()):
        raise InputError(
            f"{path}: exists already; choose another --out or pass --force to replace it"
        )
    return path


@contextmanager
def output_folder(path: str | Path, force: bool = False) -> Iterator[Path]:
    """A temporary folder beside `path`, renamed to it when the block succeeds, removed when not."""
    path = require_absent(path, force)
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: expected a folder, found a file; choose another --out")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        temporary.chmod(0o777 & ~_umask())
        yield temporary
        if path.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
            path.rename(old / path.name)
            temporary.rename(path)
            shutil.rmtree(old)
        else:
            temporary.rename(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def write_atomic(path: str | Path, content: str | bytes) -> None:
    """Write a file whole or not at all, replacing what is there. Creates the folders above it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def print_json(value: Any) -> None:
    """Print one JSON object on stdout; paths become strings and NumPy numbers plain ones."""
    click.echo(json.dumps(value, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")


# --- What a command says


def note(text: str) -> None:
    """One line to stderr."""
    click.echo(text, err=True)


class Progress:
    """Handle of a progress display: `advance` it; `note` changes what stands beside the bar."""

    def advance(self, steps: float = 1, note: str = "") -> None:
        raise NotImplementedError


class _Bar(Progress):
    def __init__(self, bar: Any, task: Any):
        self._bar, self._task = bar, task

    def advance(self, steps: float = 1, note: str = "") -> None:
        self._bar.update(self._task, advance=steps, note=note)


class _Lines(Progress):
    """Plain lines, at most one every `PERIOD` seconds and always one at the end."""

    PERIOD = 10.0

    def __init__(self, description: str, total: float, done: float):
        self._description, self._total = description, total
        self._done = self._before = done
        self._start = self._last = time.monotonic()

    def advance(self, steps: float = 1, note: str = "") -> None:
        self._done += steps
        now = time.monotonic()
        if now - self._last < self.PERIOD and self._done < self._total:
            return
        self._last = now
        step = (now - self._start) / max(1e-9, self._done - self._before)
        left = step * (self._total - self._done)
        share = 100 * self._done / self._total if self._total else 100.0
        click.echo(
            f"{self._description}: {share:.0f} %, {left:.0f} s left{', ' + note if note else ''}",
            err=True,
        )


@contextmanager
def progress(description: str, total: float, done: float = 0) -> Iterator[Progress]:
    """Progress of `total` steps on stderr: a bar with an ETA on a terminal, else plain lines.

    `done` steps were done earlier and say nothing about the speed.
    """
    if not sys.stderr.isatty():
        yield _Lines(description, total, done)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with RichProgress(*columns, console=Console(stderr=True)) as bar:
        yield _Bar(bar, bar.add_task(description, total=total, completed=int(done), note=""))
