"""Runs cases side by side, each in a process of its own: a crash is a failure like any other.

The processes are forked from one that has everything imported, so that a case starts at once.
"""

import multiprocessing
import signal
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from hw import processes
from hw.verilog.rtl_folder import DATAFLOW
from sim.fuzz import reproducer
from sim.fuzz.case import Case
from sim.fuzz.draw import attempts, draw
from sim.fuzz.run import Failure, Outcome, Refused, run
from sim.fuzz.shrink import shrink

GRACE_S = 10.0
"""Seconds a process gets to clear up behind itself when it is told to end."""


@dataclass(frozen=True)
class Task:
    """One case to run.

    Parameters
    ----------
    number: of the case
    seed: that it is drawn from
    case: the case itself, where it is not drawn
    of: kind of its network, one of `NETS`, where that is not drawn
    style: of the hardware, where the case is drawn
    out: folder for what comes of a failure; None: nothing is written
    shrink_seconds: for making a failing case smaller
    """

    number: int
    seed: int
    case: Case | None = None
    out: Path | None = None
    shrink_seconds: float = 0.0
    of: str | None = None
    style: str = DATAFLOW

    @property
    def name(self) -> str:
        if self.case:
            return f"case-{self.number}"
        kind = f"{self.of}-" if self.of else ""
        kind += f"{self.style}-" if self.style != DATAFLOW else ""
        return f"{kind}seed-{self.seed}-case-{self.number}"

    @property
    def call(self) -> str:
        """The command that drew it."""
        if self.case:
            return "shiftnas fuzz --case"
        options = f" --of {self.of}" if self.of else ""
        options += f" --style {self.style}" if self.style != DATAFLOW else ""
        return f"shiftnas fuzz --seed {self.seed}{options}"

    def attempts(self) -> Iterator[Case]:
        """The case, then what takes its place should the formats refuse it."""
        if self.case is None:
            yield from attempts(self.seed, self.number, self.of, self.style)
            return
        step = 0
        while True:
            yield replace(self.case, seed=self.case.seed + step)
            step += 1


@dataclass(frozen=True)
class Result:
    """What came of a task.

    Parameters
    ----------
    outcome: of the case as drawn; its failure, if any, is that of the shrunk case
    shrunk: the smallest case that fails in the same way, and how many were run to find it
    folder: of the reproducer
    said: by the reproducer's command
    """

    outcome: Outcome
    shrunk: Case | None = None
    tried: int = 0
    folder: Path | None = None
    said: str = ""


def work(task: Task) -> Result:
    """Runs a task in this process: the case, and if it fails the shrinking and the reproducer."""
    outcome = _first(task)
    if outcome.failure is None or task.out is None:
        return Result(outcome)
    small, tried = shrink(outcome, task.shrink_seconds)
    folder = task.out / task.name
    said = reproducer.write(folder, small, outcome.case, f"{task.call}, {task.name}")
    return Result(replace(outcome, failure=small.failure), small.case, tried, folder, said)


def _first(task: Task) -> Outcome:
    for refused, case in enumerate(task.attempts()):
        try:
            return replace(run(case), number=task.number, refused=refused)
        except Refused:
            continue
    raise AssertionError("attempts never end")


def in_turn(tasks: Iterable[Task]) -> Generator[Result, None, None]:
    """Results of the tasks, run one after the other in this process."""
    yield from map(work, tasks)


def side_by_side(tasks: Iterable[Task], jobs: int) -> Generator[Result, None, None]:
    """Results of the tasks as they come, `jobs` at a time. Closing it ends what still runs."""
    # Not forked from this process: that has threads, of the progress display.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    running: dict[Connection, tuple[BaseProcess, Task]] = {}
    waiting = iter(tasks)
    try:
        exhausted = False
        while True:
            while not exhausted and len(running) < jobs:
                task = next(waiting, None)
                if task is None:
                    exhausted = True
                    break
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_child, args=(task, theirs))
                process.start()
                theirs.close()
                running[ours] = process, task
            if not running:
                return
            for connection in wait(list(running)):
                assert isinstance(connection, Connection)
                process, task = running.pop(connection)
                yield _received(connection, process, task)
    finally:
        _end(process for process, _ in running.values())


def _child(task: Task, connection: Connection) -> None:
    """In the process: Ctrl-C is the parent's business, which then asks us to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    processes.end_with_parent()
    with processes.interruptible():
        try:
            result = work(task)
        except KeyboardInterrupt:
            sys.exit(1)
    # Nobody listens where the parent was killed: there is nobody to tell, either.
    with suppress(BrokenPipeError):
        connection.send(result)
    connection.close()


def _received(connection: Connection, process: BaseProcess, task: Task) -> Result:
    try:
        result = connection.recv()
    except EOFError:
        process.join()
        failure = Failure("crash", f"the process ended with exit code {process.exitcode}")
        case = task.case or draw(task.seed, task.number, of=task.of, style=task.style)
        result = Result(Outcome(case, failure=failure, number=task.number))
    process.join()
    connection.close()
    return result


def _end(processes: Iterable[BaseProcess]) -> None:
    left = list(processes)
    for process in left:
        process.terminate()
    end = time.monotonic() + GRACE_S
    for process in left:
        process.join(max(0.0, end - time.monotonic()))
        if process.is_alive():
            process.kill()
            process.join()
