"""The folder of a failing case runs again and fails again."""

import json
import re
from pathlib import Path

import pytest

from hw.errors import CheckFailed
from hw.verilog import rtl_folder
from sim.commands.cosim import cosim
from sim.fuzz import reproducer
from sim.fuzz.case import from_dict
from sim.fuzz.run import Failure, Outcome, run


@pytest.mark.slow
def test_command_in_the_folder_fails_again(case, wrong_maximum, tmp_path, monkeypatch):
    outcome = run(case)
    said = reproducer.write(tmp_path / "failure", outcome, case, "a test")
    assert outcome.failure is not None
    assert said == outcome.failure.message
    monkeypatch.chdir(tmp_path / "failure")
    assert Path("run/dump.vcd").stat().st_size > 1000
    assert from_dict(json.loads(Path("case.json").read_text())) == case
    assert rtl_folder.read(Path("rtl")).manifest["top"] == "shiftnas_top"
    assert said in Path("README.md").read_text()
    name, command, *arguments = Path("command.txt").read_text().split()
    assert (name, command) == ("shiftnas", "cosim")
    with pytest.raises(CheckFailed, match=re.escape(said)):
        cosim.main(arguments, standalone_mode=False)


def test_a_case_that_does_not_get_to_simulation(case, tmp_path, monkeypatch):
    def broken(design):
        raise IndexError("not this time")

    monkeypatch.setattr("hw.verilog.emit.emit", broken)
    outcome = Outcome(case, failure=Failure("emit: IndexError", "emit: IndexError: not this time"))
    said = reproducer.write(tmp_path / "failure", outcome, case, "a test")
    assert said == "emit: IndexError: not this time"
    command = (tmp_path / "failure" / "command.txt").read_text()
    assert command == "shiftnas fuzz --case case.json\n"
    assert (tmp_path / "failure" / "network" / "network.json").is_file()
    assert "dump.vcd" not in (tmp_path / "failure" / "README.md").read_text()
