"""The cosim subcommand: text, JSON, exit codes, one-line errors."""

import json

import pytest
from click.testing import CliRunner
from mutant_cases import adder_of

from hw.dataflow import plan_file
from hw.dataflow.check import check
from hw.ir import serialize
from hw.verilog import emit
from sim.commands.cosim import cosim
from sim.mutation import schemata


@pytest.fixture
def folder(hardware, tmp_path):
    serialize.save(hardware.network, tmp_path / "net")
    plan_file.save(hardware.plan, tmp_path / "plan.yaml")
    return tmp_path


def call(*arguments) -> tuple[int, str, str]:
    """Exit code, stdout, stderr, as `shiftnas cosim` has them."""
    result = CliRunner().invoke(cosim, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_json_has_the_documented_keys(folder):
    arguments = (folder / "net", "--plan", folder / "plan.yaml", "--frames", 2, "--json")
    code, out, err = call(*arguments)
    assert code == 0, err
    result = json.loads(out)
    assert (result["frames"], result["mismatches"]) == (4, 0)
    for key in ("beats", "bits", "cycles_per_frame", "cycles_per_second"):
        assert result[key] > 0
    assert result["compared"]["classifier"] == 4 * 3


@pytest.mark.slow
def test_waves_and_text(folder):
    out = folder / "run"
    arguments = (folder / "net", "--plan", folder / "plan.yaml", "--frames", 1, "--stall", 0)
    code, text, err = call(*arguments, "--waves", "--out", out)
    assert code == 0, err
    assert "0 differ" in text
    assert (out / "dump.vcd").stat().st_size > 10_000
    code, _, err = call(*arguments, "--out", out)
    assert code == 2
    assert "exists already" in err


def test_mutant_exits_1_with_one_line(hardware, folder):
    layer = "cell0/edge0_sep_conv_3x3/dw1"
    adder = adder_of(hardware.emission, layer)
    (folder / "rtl").mkdir()
    emit.write(schemata.mutated(hardware.emission, adder), folder / "rtl")
    code, out, err = call(
        folder / "net",
        "--plan",
        folder / "plan.yaml",
        "--rtl",
        folder / "rtl",
        "--frames",
        2,
        "--json",
    )
    assert (code, out) == (1, "")
    assert f"shiftnas: error: cosim: {layer}: frame 0, pixel (" in err.splitlines()[-1]


@pytest.mark.slow
def test_rtl_brings_its_own_plan(folder):
    """Without --plan, and whatever else would be proposed; another plan beside it is refused."""
    net, plan, rtl = folder / "net", folder / "plan.yaml", folder / "own"
    rtl.mkdir()
    emit.write(emit.emit(check(plan_file.load(plan), serialize.load(net))), rtl)
    calls = [(net, "--rtl", rtl), (net, "--plan", plan), (net, "--plan", plan, "--rtl", rtl)]
    found = [call(*words, "--frames", 1, "--json") for words in calls]
    assert [code for code, _, _ in found] == [0, 0, 0], found
    assert len({json.loads(text)["cycles"] for _, text, _ in found}) == 1
    other = folder / "other.yaml"
    text = plan.read_text()
    other.write_text(text.replace("clock_mhz: 50.0", "clock_mhz: 40.0"))
    assert other.read_text() != text
    code, _, err = call(net, "--plan", other, "--rtl", rtl)
    assert code == 2 and "other.yaml: not the plan that" in err


def test_no_compiler_is_one_line(folder, monkeypatch):
    monkeypatch.setenv("PATH", str(folder))
    code, out, err = call(folder / "net", "--plan", folder / "plan.yaml")
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "shiftnas: error: cosim: no g++ on PATH; install it with: apt-get install g++"
    ]


def test_parts_one_after_the_other(folder):
    arguments = (folder / "net", "--plan", folder / "plan.yaml", "--frames", 1, "--level", "cell")
    code, out, err = call(*arguments, "--each", "--only", "stem", "--only", "cell0", "--json")
    assert code == 0, err
    result = json.loads(out)
    assert [part["name"] for part in result["parts"]] == ["stem", "cell0"]
    assert "cosim: cell0: " in err
    for key in ("beats", "bits", "cycles", "layers"):
        assert result[key] == sum(part[key] for part in result["parts"]) > 0
    assert result["mismatches"] == 0
    assert all(name.startswith(("stem/", "cell0/")) for name in result["compared"])
    code, _, err = call(folder / "net", "--plan", folder / "plan.yaml", "--each")
    assert code == 2 and "--each: is for the parts of a level" in err
