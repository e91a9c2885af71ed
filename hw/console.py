"""What every command shares: how it ends, and what it says while it works.

Results go to stdout, everything else (progress, notes, errors) to stderr, so that `--json` output
can be piped.
"""

import json
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hw import outputs, processes, streams
from hw.errors import CheckFailed, InputError, Interrupted

if TYPE_CHECKING:
    from rich.table import Table

EXIT_CHECK_FAILED = 1
EXIT_INPUT_ERROR = 2
EXIT_INTERRUPTED = 130

SEED = click.IntRange(0, (1 << 64) - 1)
"""What a seed may be: what PyTorch's generators take, and NumPy's."""

UNCUT = 10_000
"""Characters of a line that no table fills."""

F = TypeVar("F", bound=Callable[..., Any])


# --- How a command ends


def run_guarded(body: Callable[[], Any]) -> int:
    """Call `body`; return the exit code it stands for; a failure is one line on stderr, and below
    it, indented, the lines that a check adds to its message.

    Interrupted by a signal, that is 128 and the signal's number: 130 (Ctrl-C), 143 (SIGTERM), 129
    (SIGHUP). What `body` has started through `hw.processes` is ended then.
    """
    with processes.interruptible() as interrupted:
        return _guarded(body, interrupted)


def _guarded(body: Callable[[], Any], interrupted: Callable[[], int]) -> int:
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
        _say(f"shiftnas: interrupted: {error}")
        return interrupted()
    except (KeyboardInterrupt, click.Abort):
        _say("shiftnas: interrupted")
        return interrupted()
    except SystemExit as error:
        # We end by returning; a plug-in that ends the process would pass for success.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return _fail(
            f"{frame.filename}: line {frame.lineno}: it ends the process ({error.code!r}) in the "
            "middle of the command; take that out",
            EXIT_INPUT_ERROR,
        )
    except MemoryError as error:
        wanted = f" ({error})" if str(error) else ""
        return _fail(
            f"not enough memory{wanted}; take a smaller network, fewer frames, or a machine with "
            "more",
            EXIT_INPUT_ERROR,
        )
    except BrokenPipeError:
        # The reader of our output went away (`| head`): not an error. Keep the interpreter from
        # flushing to it again.
        _silence()
        return 0
    except OSError as error:
        # A file that cannot be read or written is the user's to mend; anything else is a bug and
        # shows its traceback.
        if error.filename is None and error.errno not in outputs.ADVICE:
            raise
        if error.filename is None:
            # All other outputs are named (`hw.outputs.naming`).
            _silence()
            error = OSError(error.errno, error.strerror, "standard output")
        return _fail(outputs.explain(error), EXIT_INPUT_ERROR)
    return result if isinstance(result, int) else 0


def _silence() -> None:
    """Lead standard output nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str) -> None:
    """The last words, to stderr, if somebody reads it: a terminal that was closed does not."""
    with suppress(OSError):
        click.echo(text, err=True)
    if "amaranth.hdl" in sys.modules:
        # Of hardware that was begun Amaranth would say, part by part, that it was never finished.
        warnings.simplefilter("ignore", sys.modules["amaranth.hdl"].UnusedElaboratable)


def _fail(error: Exception | str, code: int) -> int:
    message = error.format_message() if isinstance(error, click.ClickException) else str(error)
    lines = error.lines if isinstance(error, CheckFailed) else ()
    shown = "\n  ".join(" ".join(line.split()) for line in (message, *lines))
    _say(f"shiftnas: error: {shown}")
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


# --- What a command says


def print_json(value: Any) -> None:
    """Print one JSON object on stdout; paths become strings and NumPy numbers plain ones."""
    click.echo(json.dumps(value, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def print_grid(grid: "Table") -> None:
    """Print a table: as wide as the terminal; into anything else as wide as it is, nothing cut."""
    from rich.console import Console

    screen = Console()
    if not screen.is_terminal:
        screen.width = max(screen.width, Console(width=UNCUT).measure(grid).maximum)
    screen.print(grid)


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
