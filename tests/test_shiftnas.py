"""The front door: help, errors, and what it loads."""

import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import shiftnas

HARDWARE = [name for name, (module, _) in shiftnas.SUBCOMMANDS.items() if module.startswith("hw")]


def run(*arguments):
    return CliRunner().invoke(shiftnas.shiftnas, [str(argument) for argument in arguments])


def run_python(program):
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )


def assert_wrong_call(result, *parts):
    """Exit 2, one line on stderr with all `parts`, nothing on stdout."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("shiftnas: error: ") and result.stderr.count("\n") == 1
    for part in parts:
        assert part in result.stderr, result.stderr


def test_help_names_every_subcommand_and_loads_none_of_them():
    done = run_python(
        "import sys, shiftnas\n"
        "try:\n    shiftnas.shiftnas.main(['--help'])\n"
        "except SystemExit as end:\n    assert end.code == 0, end.code\n"
        "heavy = {'torch', 'numpy', 'amaranth', 'cocotb', 'hw.commands', 'nas', 'sim'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))\n"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("LOADED []")
    for name in shiftnas.SUBCOMMANDS:
        assert f"\n  {name} " in done.stdout


@pytest.mark.parametrize("name", shiftnas.SUBCOMMANDS)
def test_every_subcommand_exists_and_explains_itself(name):
    result = run(name, "--help")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"Usage: shiftnas {name} ")
    # Verilator's options are passed on to it, all of them.
    assert "--json" in result.stdout or name == "verilator"
    command = shiftnas.shiftnas.get_command(None, name)
    assert command.help, "the docstring is the help"


@pytest.mark.parametrize("name", HARDWARE)
def test_hardware_commands_leave_torch_unloaded(name):
    done = run_python(
        "import sys, shiftnas\n"
        f"try:\n    shiftnas.shiftnas.main([{name!r}, '--help'])\n"
        "except SystemExit:\n    pass\n"
        "print('LOADED', 'torch' in sys.modules)\n"
    )
    assert done.stdout.strip().endswith("LOADED False"), done.stderr


def test_wrong_calls():
    assert_wrong_call(run("serch"), "serch")
    assert_wrong_call(run("--no-such-option"), "--no-such-option")
    assert_wrong_call(run("cosim"), "NET")
    assert_wrong_call(run("emit", "--out", "x"), "NET")
    assert_wrong_call(run("plan", "x", "--board"), "--board")


def test_a_bare_call_shows_the_help():
    result = run()
    assert result.exit_code == 2 and "Commands:" in result.stderr and result.stdout == ""


def test_version():
    assert run("--version").stdout.startswith("shiftnas, version ")


@pytest.mark.parametrize(
    ("package", "command"), [("torch", "pip install torch"), ("PIL", "pip install pillow")]
)
def test_a_missing_package_is_named_with_its_command(monkeypatch, package, command):
    def import_module(name):
        raise ModuleNotFoundError(f"No module named '{package}'", name=f"{package}.nn")

    monkeypatch.setattr(shiftnas.importlib, "import_module", import_module)
    assert_wrong_call(run("search"), package, command)


def test_a_missing_module_of_ours_is_a_bug(monkeypatch):
    def import_module(name):
        raise ModuleNotFoundError("No module named 'hw.gone'", name="hw.gone")

    monkeypatch.setattr(shiftnas.importlib, "import_module", import_module)
    assert isinstance(run("doctor").exception, ModuleNotFoundError)


def test_json_is_all_there_is_on_stdout():
    result = run("genotypes", "ShiftNAS_C10", "--json")
    assert result.exit_code == 0, result.output
    (entry,) = json.loads(result.stdout)["genotypes"]
    assert entry["name"] == "ShiftNAS_C10" and entry["cifar10"]["weights"] > 3_000_000


def options():
    """Every option of every command."""
    for name in shiftnas.SUBCOMMANDS:
        for option in shiftnas.subcommand(name).params:
            yield name, option


def test_every_number_tells_its_range():
    """Where a type takes any number, the help says nothing and the command fails later."""
    bare = (click.types.IntParamType, click.types.FloatParamType)
    for name, option in options():
        ranged = isinstance(option.type, click.IntRange | click.FloatRange)
        assert ranged or not isinstance(option.type, bare), f"{name} {option.name}"
        if isinstance(option.type, click.FloatRange):
            for wrong in ("nan", "inf"):
                with pytest.raises(click.BadParameter):
                    option.type.convert(wrong, option, None)


def test_every_seed_has_the_same_range():
    seeds = [option for _, option in options() if option.name == "seed"]
    assert len(seeds) >= 7
    for option in seeds:
        assert option.type.convert("18446744073709551615", option, None) == 2**64 - 1
        for wrong in ("-1", "18446744073709551616"):
            with pytest.raises(click.BadParameter):
                option.type.convert(wrong, option, None)
