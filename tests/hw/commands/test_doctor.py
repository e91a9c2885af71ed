import importlib.metadata
import importlib.util
import subprocess
import sys

import pytest

from hw.commands import doctor


@pytest.fixture
def tools():
    return {tool.name: tool for tool in doctor.check()}


def program(folder, name, body):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_packages_of_this_environment_are_found_with_their_versions(tools):
    for name in ("amaranth", "pyosys", "numpy"):
        assert tools[name].found
        assert tools[name].version == importlib.metadata.version(name)


def test_names_are_unique_and_each_says_how_to_install_it(tools):
    assert len(tools) == len(doctor.check())
    assert all(tool.install and tool.purpose for tool in tools.values())


def test_missing_package(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "cocotb" else find(name)
    )
    (cocotb,) = [tool for tool in doctor.check() if tool.name == "cocotb"]
    assert (cocotb.found, cocotb.version) == (False, "")
    assert cocotb.install == "pip install cocotb"


def test_programs_are_asked_for_their_version(monkeypatch, tmp_path):
    program(tmp_path, "g++", "echo 'g++ (Debian 12.2.0-14) 12.2.0'")
    program(tmp_path, "make", "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    tools = {tool.name: tool for tool in doctor.check()}
    assert (tools["g++"].found, tools["g++"].version) == (True, "12.2.0")
    assert not tools["make"].found
    (tmp_path / "g++").unlink()
    (missing,) = [tool for tool in doctor.check() if tool.name == "g++"]
    assert not missing.found
    assert missing.install == "apt-get install g++"


def test_second_simulator_is_optional(monkeypatch, tmp_path):
    program(tmp_path, "iverilog", 'test "$1" = -V && echo "Icarus Verilog version 11.0 (stable)"')
    monkeypatch.setenv("PATH", str(tmp_path))
    (icarus,) = [tool for tool in doctor.check() if tool.optional]
    assert (icarus.name, icarus.found, icarus.version) == ("iverilog", True, "11.0")
    (tmp_path / "iverilog").unlink()
    (icarus,) = [tool for tool in doctor.check() if tool.optional]
    assert (icarus.found, icarus.install) == (False, "apt-get install iverilog")


def test_old_python(monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 10, 9))
    assert not doctor.check()[0].found


def test_data_set_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "FASHION_FOLDER", tmp_path)
    assert not doctor.check()[-1].found
    (tmp_path / "train-images-idx3-ubyte.gz").touch()
    assert doctor.check()[-1].found


def test_nothing_heavy_is_imported():
    code = (
        "import sys; from hw.commands import doctor; doctor.check(); "
        "print({'torch', 'amaranth', 'pyosys', 'cocotb', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
