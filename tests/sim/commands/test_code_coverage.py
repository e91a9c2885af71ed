"""From a co-simulation to the report of its code coverage."""

import json

import pytest
from click.testing import CliRunner

from hw.dataflow import plan_file
from hw.ir import serialize
from hw.verilog import rtl_folder
from sim.code_coverage import constants, impossible, store
from sim.code_coverage.points import Kind, Point
from sim.code_coverage.store import CodeCoverage
from sim.commands.code_coverage import code_coverage
from sim.commands.cosim import cosim

BLOCK = Point("top.v", "top", 3, 1, Kind.LINE, "block", "3-4")
BIT = Point("top.v", "top.sub", 9, 1, Kind.TOGGLE, "q:0->1")


def call(command, *arguments) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.slow
@pytest.mark.thorough
def test_of_a_network(hardware, tmp_path):
    """Counted in a run, added up over two; the testbench is not in it; constants are proved."""
    serialize.save(hardware.network, tmp_path / "net")
    plan_file.save(hardware.plan, tmp_path / "plan.yaml")
    (tmp_path / "rtl").mkdir()
    rtl_folder.write(hardware.emission, tmp_path / "rtl")
    file, info, html = (tmp_path / name for name in ("code.json", "code.info", "code.html"))
    run = (tmp_path / "net", "--rtl", tmp_path / "rtl", "--code-coverage", file)
    code, _, err = call(cosim, *run, "--frames", 2, "--stall", 0)
    assert code == 0, err
    once = store.load(file)
    instances = constants.instances(hardware.emission.verilog, hardware.emission.top)
    assert {point.module for point in once.counts} <= set(instances)
    assert {point.file for point in once.counts} == {"shiftnas_top.v"}
    code, _, err = call(cosim, *run, "--frames", 4, "--seed", 2)
    assert code == 0, err
    twice = store.load(file)
    assert all(twice.counts[point] >= count for point, count in once.counts.items())
    # A layer on its own adds to the counts of its modules, and to no others.
    code, _, err = call(cosim, *run, "--level", "op", "--only", "classifier", "--corners", 2)
    assert code == 0, err
    thrice = store.load(file)
    assert thrice.counts.keys() == twice.counts.keys()
    more = {point.module for point, count in thrice.counts.items() if count > twice.counts[point]}
    assert more == {name for name in instances if name.startswith("shiftnas_top.classifier")}
    code, out, err = call(
        code_coverage, file, "--rtl", tmp_path / "rtl", "--info", info, "--html", html, "--json"
    )
    assert code == 0, err
    content = json.loads(out)
    assert content["lines"]["share"] > 95 and content["toggles"]["share"] > 85
    assert content["excluded"] == sum(content["reasons"].values())
    assert set(content["reasons"]) == {constants.REASON, impossible.REASON}
    bits = content["toggles"]
    assert sum(content["left"].values()) == bits["of"] - bits["hit"]
    lines = [line for line in info.read_text().splitlines() if line.startswith("DA:")]
    assert len(lines) > content["lines"]["of"]
    assert "Code coverage" in html.read_text()


@pytest.fixture
def file(tmp_path):
    store.save(CodeCoverage("abc" * 20, {BLOCK: 1, BIT: 0}), tmp_path / "code.json")
    return tmp_path / "code.json"


def test_text_and_merging(file, tmp_path):
    out = tmp_path / "all.json"
    code, text, err = call(code_coverage, file, file, "--out", out)
    assert code == 0, err
    assert store.load(out).counts == {BLOCK: 2, BIT: 0}
    assert "100.0 % of 2" in text and "1 of 2 have everything" in text
    assert "missing   top.sub, line 9: q:0->1" in text


def test_bars(file, tmp_path):
    assert call(code_coverage, file, "--line-bar", 100)[0] == 0
    code, _, err = call(code_coverage, file, "--toggle-bar", 1)
    assert code == 1
    assert err.splitlines()[-1] == (
        "shiftnas: error: code-coverage: 0.00 % of 1 bits, the bar is 1 %"
    )
    exclude = tmp_path / "exclude.yaml"
    exclude.write_text("- {module: top.sub, toggle: q, reason: never used}\n")
    code, text, _ = call(code_coverage, file, "--toggle-bar", 100, "--exclude", exclude)
    assert code == 0
    assert "excluded  1 points: never used" in text


def test_wrong_calls(file, hardware, tmp_path):
    (tmp_path / "rtl").mkdir()
    rtl_folder.write(hardware.emission, tmp_path / "rtl")
    serialize.save(hardware.network, tmp_path / "net")
    for command, arguments, message in (
        (code_coverage, (file, "--rtl", tmp_path / "rtl"), "not the RTL that"),
        (code_coverage, (tmp_path / "none.json",), "no such code coverage file"),
        (cosim, (tmp_path / "net", "--code-coverage", file, "--simulator", "icarus"),
         "Verilator counts it"),
        (cosim, (tmp_path / "net", "--code-coverage", file, "--level", "op"),
         "parts of a network are counted in its own Verilog; add --rtl"),
        (cosim, (tmp_path / "net", "--code-coverage", file, "--level", "op", "--each"),
         "in one model; leave --gates and --each out"),
        (cosim, (tmp_path / "net", "--code-coverage", tmp_path / "rtl" / "manifest.json"),
         "expected rtl and points"),
    ):  # fmt: skip
        code, out, err = call(command, *arguments)
        assert (code, out) == (2, "")
        assert message in err and len(err.splitlines()) == 1
