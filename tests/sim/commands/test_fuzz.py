"""The subcommand fuzz: what it runs, what it prints, how it ends."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from sim.commands.fuzz import Duration, fuzz
from sim.coverage import store
from sim.coverage.group import Group
from sim.coverage.store import Coverage
from sim.fuzz import workers
from sim.fuzz.case import NETS, as_dict
from sim.fuzz.draw import draw
from sim.fuzz.run import Failure, Outcome
from sim.fuzz.workers import Result


@pytest.fixture
def ran(monkeypatch):
    """No hardware: cases whose number is in `failing` fail. Gives the tasks that were run."""
    tasks: list[workers.Task] = []

    def work(task: workers.Task) -> Result:
        tasks.append(task)
        case = task.case or draw(task.seed, task.number, of=task.of)
        failure = Failure("mismatch", "one bit") if task.number in work.failing else None
        if task.number == work.interrupt:
            raise KeyboardInterrupt
        return Result(Outcome(case, failure, layers=5, bits=7, number=task.number))

    work.failing, work.interrupt, work.tasks = set(), None, tasks
    monkeypatch.setattr(workers, "work", work)
    return work


def call(*arguments, jobs=0) -> tuple[int, str, str]:
    """Exit code, stdout, stderr, as `shiftnas fuzz` has them."""
    words = [str(argument) for argument in arguments]
    result = CliRunner().invoke(fuzz, [*words, "--jobs", str(jobs)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_cases_of_a_seed(ran):
    code, out, err = call("--cases", 3, "--seed", 8, "--first", 5, "--json")
    assert code == 0, err
    assert [(task.seed, task.number) for task in ran.tasks] == [(8, 5), (8, 6), (8, 7)]
    content = json.loads(out)
    assert (content["cases"], content["failed"], content["bits"]) == (3, 0, 21)
    assert (content["seed"], content["interrupted"], content["failures"]) == (8, False, [])


@pytest.mark.parametrize("kind", NETS)
def test_networks_of_one_kind(ran, kind):
    code, out, err = call("--cases", 2, "--of", kind, "--json")
    assert code == 0, err
    assert [task.of for task in ran.tasks] == [kind, kind]
    hits = json.loads(out)["hits"]["network"]
    assert hits == {name: 2 * (name == kind) for name in NETS}
    assert ran.tasks[0].name == f"{kind}-seed-1-case-0"
    assert ran.tasks[0].call == f"shiftnas fuzz --seed 1 --of {kind}"


OPTIONS = (
    ("--first", 1), ("--cases", 1), ("--seed", 1), ("--time", 1), ("--of", "cells"),
)  # fmt: skip


@pytest.mark.parametrize(("option", "value"), OPTIONS)
def test_what_cases_that_are_named_have_no_use_for_is_refused(ran, option, value, tmp_path):
    file = tmp_path / "case.json"
    file.write_text(json.dumps(as_dict(draw(1, 1))))
    for named in (["--published"], ["--case", file]):
        code, _, err = call(*named, option, value)
        assert code == 2 and f"{option}: {named[0]} names the cases; leave it out" in err
        assert not ran.tasks


def test_coverage_of_all_cases_is_kept(ran, tmp_path, monkeypatch):
    def work(task: workers.Task) -> Result:
        coverage = Coverage()
        coverage.hit("classes", "10")
        coverage.networks["abc"] = {"node": Group.of("node", ["a FIFO"])}
        return Result(Outcome(draw(task.seed, task.number), coverage=coverage))

    monkeypatch.setattr(workers, "work", work)
    file = tmp_path / "coverage.json"
    assert call("--cases", 3, "--coverage", file)[0] == 0
    found = store.load(file)
    assert found.hits["classes"]["10"] == 3
    assert found.networks == {}


def test_failures_exit_1_and_the_rest_is_run(ran):
    ran.failing = {0, 2}
    code, out, err = call("--cases", 4)
    assert code == 1
    assert len(ran.tasks) == 4
    assert "cases       4, 2 failed" in out
    assert "case 2: one bit" in err
    assert err.splitlines()[-1] == "shiftnas: error: fuzz: 2 of 4 cases failed; see fuzz"


def test_report(ran, tmp_path):
    ran.failing = {1}
    assert call("--cases", 3, "--junit", "report.xml")[0] == 1
    cases = list(ElementTree.parse(tmp_path / "report.xml").getroot().iter("testcase"))
    assert [case.get("name") for case in cases] == ["case 0", "case 1", "case 2"]
    assert [case[0].attrib if len(case) else None for case in cases] == [
        None, {"type": "mismatch", "message": "one bit"}, None
    ]  # fmt: skip
    # Replaced only where that is asked for, and only what is a report.
    code, _, err = call("--cases", 1, "--junit", "report.xml")
    assert code == 2 and "report.xml: exists already" in err
    assert call("--cases", 1, "--first", 9, "--junit", "report.xml", "--force")[0] == 0
    assert len(list(ElementTree.parse(tmp_path / "report.xml").getroot().iter("testcase"))) == 1
    (tmp_path / "other.xml").write_text("<mine/>")
    code, _, err = call("--cases", 1, "--junit", "other.xml", "--force")
    assert code == 2 and "other.xml: is another kind of file" in err


def test_stop_on_failure(ran):
    ran.failing = {1}
    code, _, _ = call("--cases", 9, "--stop-on-failure")
    assert code == 1
    assert len(ran.tasks) == 2


def test_interrupt_prints_the_tally(ran):
    ran.interrupt = 2
    code, out, err = call("--cases", 9)
    assert code == 130
    assert "cases       2, 0 failed" in out
    assert "operation/stride" in out
    assert err.splitlines()[-1] == "shiftnas: interrupted"


def test_published(ran):
    code, out, _ = call("--published", "--json")
    assert code == 0
    assert json.loads(out)["cases"] == 26
    assert {task.case.net.stem for task in ran.tasks if task.case} == {"cifar", "imagenet"}


def test_time_is_kept(ran, monkeypatch):
    from sim.commands import fuzz as command

    now = iter(range(0, 1000, 10))
    monkeypatch.setattr(command.time, "monotonic", lambda: float(next(now)))
    code, _, _ = call("--time", "2m")
    assert code == 0
    assert 2 < len(ran.tasks) < 10


def test_no_case_at_all_is_no_pass(ran, monkeypatch):
    """The time is over before the first one begins."""
    from sim.commands import fuzz as command

    now = iter(range(0, 1000, 10))
    monkeypatch.setattr(command.time, "monotonic", lambda: float(next(now)))
    code, _, err = call("--time", "5s")
    assert (code, ran.tasks) == (1, [])
    assert err.splitlines()[-1] == "shiftnas: error: fuzz: no case was run; give more --time"


def test_a_case_from_a_file(ran, tmp_path):
    case = replace(draw(1, 1), stall=0.5)
    (tmp_path / "case.json").write_text(json.dumps(as_dict(case)))
    code, _, _ = call("--case", "case.json")
    assert code == 0
    assert [task.case for task in ran.tasks] == [case]


def test_wrong_calls(ran, tmp_path):
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "empty.json").write_text("{}")
    (tmp_path / "there").mkdir()
    for arguments, message in (
        (["--case", "none.json"], "none.json: expected a fuzz case as JSON"),
        (["--case", "bad.json"], "bad.json: expected a fuzz case as JSON"),
        (["--case", "empty.json"], "empty.json: case: act_bits: missing"),
        (["--published", "--case", "empty.json"], "--published names the cases too"),
        (["--published", "--cases", 2], "--published names the cases; leave it out"),
        (["--time", "soon"], "expected a time such as 90s, 10m or 2h"),
        (["--time", "0s"], "'0s': nothing is run in no time; expected more"),
        (["--time", "0.0m"], "nothing is run in no time"),
        (["--out", "there"], "exists already"),
    ):
        code, _, err = call(*arguments)
        assert code == 2, arguments
        assert message in err
        assert len(err.splitlines()) == 1
    assert ran.tasks == []


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("1.5m", 90), ("2h", 7200), ("7s", 7)])
def test_durations(text, seconds):
    assert Duration().convert(text, None, None) == seconds
