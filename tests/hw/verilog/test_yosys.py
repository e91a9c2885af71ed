import importlib.util

import pytest

from hw.errors import InputError
from hw.verilog import yosys


def test_log_is_returned_and_stdout_stays_empty(tmp_path, capfd):
    log = yosys.run("log hello from a script", tmp_path)
    assert "hello from a script" in log
    assert capfd.readouterr() == ("", "")


def test_failure_carries_the_message_of_yosys(tmp_path):
    with pytest.raises(yosys.YosysError, match=r"ERROR: .*nothing\.il"):
        yosys.run("read_rtlil nothing.il", tmp_path)


def test_missing_package_names_the_command(monkeypatch, tmp_path):
    yosys.version.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install pyosys"):
        yosys.run("log x", tmp_path)
