"""Cases side by side: results come back, a crash is a failure, the rest ends when told to."""

import itertools
import time
from dataclasses import replace
from multiprocessing import active_children

import pytest

from sim.fuzz.plan_edits import PlanEdits
from sim.fuzz.run import Failure, Outcome
from sim.fuzz.workers import Result, Task, _received, in_turn, side_by_side


def test_results_of_processes(case, tmp_path):
    tasks = [Task(n, 1, replace(case, seed=n + 1)) for n in range(2)]
    results = list(side_by_side(tasks, jobs=2))
    assert sorted(result.outcome.number for result in results) == [0, 1]
    assert all(result.outcome.failure is None and result.outcome.bits for result in results)


def test_a_failure_leaves_a_reproducer(case, tmp_path):
    """A plan of an unknown kind: an error of the case, told without simulation."""
    wrong = replace(case, plan=PlanEdits(lanes="some"))
    (result,) = in_turn([Task(3, 1, wrong, out=tmp_path, shrink_seconds=0)])
    assert result.outcome.failure is not None
    assert result.outcome.failure.kind.startswith("plan: InputError")
    assert result.folder == tmp_path / "case-3"
    assert (result.folder / "command.txt").read_text() == "shiftnas fuzz --case case.json\n"


def test_refused_cases_are_drawn_again(case, monkeypatch):
    from sim.fuzz import workers

    def run(one):
        if one.seed < case.seed + 2:
            raise workers.Refused("not this one")
        return Outcome(one)

    monkeypatch.setattr(workers, "run", run)
    (result,) = in_turn([Task(0, 1, case)])
    assert (result.outcome.refused, result.outcome.case.seed) == (2, case.seed + 2)


def test_a_process_that_dies_is_a_failure(case):
    from multiprocessing import get_context

    context = get_context("forkserver")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=exit, args=(7,))
    process.start()
    theirs.close()
    result = _received(ours, process, Task(5, 1, case))
    assert result == Result(
        Outcome(case, failure=Failure("crash", "the process ended with exit code 7"), number=5)
    )


@pytest.mark.slow
def test_closing_ends_what_still_runs(case):
    tasks = (
        Task(n, 1, replace(case, net=replace(case.net, cells=3), seed=n)) for n in itertools.count()
    )
    results = side_by_side(tasks, jobs=2)
    next(results)
    start = time.monotonic()
    results.close()
    assert time.monotonic() - start < 15
    assert active_children() == []
