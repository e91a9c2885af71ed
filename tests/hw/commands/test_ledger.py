"""Steps are kept while what they read and wrote stands, and done again when it does not."""

import json
from pathlib import Path

import pytest

from hw.commands import ledger as ledgers
from hw.commands.ledger import Ledger, Step, digest
from hw.errors import CheckFailed, InputError


@pytest.fixture
def calls(monkeypatch):
    """The arguments of every command run; each writes its output and prints their number."""
    made = []

    def call(arguments, command):
        made.append(list(arguments))
        if "--out" in arguments:
            target = Path(arguments[arguments.index("--out") + 1])
            target.write_text(f"made from {arguments[0]}")
        return {"number": len(made)}, True

    monkeypatch.setattr(ledgers, "call", call)
    return made


@pytest.fixture
def step(tmp_path):
    (tmp_path / "in").write_text("input")
    out = tmp_path / "out"
    return Step("emit", ("emit", "--out", str(out)), reads=(tmp_path / "in",), writes=out)


def test_a_step_is_kept(tmp_path, calls, step):
    first = Ledger(tmp_path / "ledger.json").run(step)
    again = Ledger(tmp_path / "ledger.json").run(step)
    assert len(calls) == 1
    assert not first.kept and again.kept and again.result == first.result == {"number": 1}
    assert again.seconds == first.seconds and again.command == f"shiftnas emit --out {step.writes}"


def test_input_changed(tmp_path, calls, step):
    Ledger(tmp_path / "ledger.json").run(step)
    step.reads[0].write_text("another input")
    Ledger(tmp_path / "ledger.json").run(step)
    assert calls[1:] == [[*step.arguments, "--force"]]


@pytest.mark.parametrize("change", ["edit", "remove"])
def test_output_changed(tmp_path, calls, step, change):
    Ledger(tmp_path / "ledger.json").run(step)
    if change == "edit":
        step.writes.write_text("edited")
    else:
        step.writes.unlink()
    assert not Ledger(tmp_path / "ledger.json").run(step).kept and len(calls) == 2


def test_arguments_changed(tmp_path, calls, step):
    ledger = Ledger(tmp_path / "ledger.json")
    ledger.run(step)
    other = Step(step.name, (*step.arguments, "--seed", "2"), step.reads, step.writes)
    assert not ledger.run(other).kept and len(calls) == 2


def test_code_changed(tmp_path, calls, step, monkeypatch):
    (tmp_path / "hw" / "report").mkdir(parents=True)
    (tmp_path / "hw" / "lower.py").write_text("1")
    (tmp_path / "hw" / "report" / "page.py").write_text("1")
    monkeypatch.setattr(ledgers, "ROOT", tmp_path)
    coded = Step(step.name, step.arguments, step.reads, step.writes, code=("hw",))
    ledger = Ledger(tmp_path / "ledger.json")
    ledger.run(coded)
    (tmp_path / "hw" / "report" / "page.py").write_text("2")
    (tmp_path / "hw" / "notes.txt").write_text("2")
    assert ledger.run(coded) and len(calls) == 1
    (tmp_path / "hw" / "lower.py").write_text("2")
    assert ledger.run(coded) and len(calls) == 2


def test_force(tmp_path, calls, step):
    ledger = Ledger(tmp_path / "ledger.json")
    ledger.run(step)
    ledger.run(step, force=True)
    assert len(calls) == 2


def test_an_interrupted_step_resumes(tmp_path, monkeypatch, step):
    run = Step("search", step.arguments, step.reads, step.writes, checkpoint="checkpoint.pt")
    made = []

    def interrupted(arguments, command):
        made.append(list(arguments))
        run.writes.mkdir(exist_ok=True)
        (run.writes / "checkpoint.pt").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(ledgers, "call", interrupted)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            Ledger(tmp_path / "ledger.json").run(run)
    run.reads[0].write_text("another input")
    with pytest.raises(KeyboardInterrupt):
        Ledger(tmp_path / "ledger.json").run(run)
    assert [call[-1] for call in made] == [str(run.writes), "--resume", "--force"]


def test_a_damaged_ledger(tmp_path):
    path = tmp_path / "ledger.json"
    path.write_text("{")
    with pytest.raises(InputError, match=r"ledger\.json: not a record of steps"):
        Ledger(path)
    path.write_text(json.dumps({"schema_version": 99, "steps": [], "started": {}}))
    with pytest.raises(InputError, match="schema_version: expected 1, found 99"):
        Ledger(path)


def test_digest_of_a_folder(tmp_path):
    folder = tmp_path / "folder"
    assert digest(None) == digest(folder) == ""
    (folder / "sub").mkdir(parents=True)
    (folder / "a").write_text("1")
    first = digest(folder)
    (folder / "sub" / "b").write_text("1")
    second = digest(folder)
    (folder / "sub" / "b").rename(folder / "c")
    assert len({"", first, second, digest(folder)}) == 4


@pytest.mark.parametrize(
    ("body", "error", "text"),
    [
        ("import sys; sys.exit(1)", CheckFailed, "exit code 1"),
        ("import sys; sys.exit(2)", InputError, "exit code 2"),
        ("import sys; sys.exit(130)", KeyboardInterrupt, "^$"),
        ("print('not JSON')", InputError, "printed no JSON object"),
    ],
)
def test_how_a_command_ends(tmp_path, monkeypatch, body, error, text):
    (tmp_path / "shiftnas.py").write_text(body)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(error, match=text):
        ledgers.call(["emit"], "shiftnas emit")


def test_call_passes_json(tmp_path, monkeypatch):
    (tmp_path / "shiftnas.py").write_text("import json, sys; print(json.dumps(sys.argv[1:]))")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert ledgers.call(["emit", "a b"], "") == (["emit", "a b", "--json"], True)


def test_a_result_with_a_missed_check_is_a_result(tmp_path, monkeypatch):
    (tmp_path / "shiftnas.py").write_text("import sys; print('{}'); sys.exit(1)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert ledgers.call(["cosim"], "") == ({}, False)
