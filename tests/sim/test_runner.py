"""Models: built once, rejected sources named, failures of tests raised."""

from pathlib import Path

import pytest

from hw import cache
from hw.errors import CheckFailed
from sim import runner

COUNTER = """\
module counter(input wire clk, input wire rst, output reg [7:0] count);
  always @(posedge clk) count <= rst ? 8'd0 : count + 8'd1;
endmodule
"""

TEST = """\
import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles


@cocotb.test()
async def counts(dut):
    Clock(dut.clk, 2, unit="ns").start()
    dut.rst.value = 1
    await ClockCycles(dut.clk, 2)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 11)
    assert int(dut.count.value) == {expected}, "count is off"
"""


@pytest.fixture(scope="module")
def model() -> runner.Model:
    return runner.build({"counter.v": COUNTER}, "counter", public=("clk", "rst", "count"))


def run(model, folder, monkeypatch, expected: int):
    (folder / "bench_of_counter.py").write_text(TEST.format(expected=expected))
    monkeypatch.syspath_prepend(folder)
    return runner.run(model, "bench_of_counter", folder / "run")


def test_second_build_is_cached(model):
    again = runner.build({"counter.v": COUNTER}, "counter", public=("clk", "rst", "count"))
    assert again.cached and again.folder == model.folder
    assert sorted(path.name for path in model.folder.iterdir()) == [cache.SEAL, "model"]


def test_passing_test(model, tmp_path, monkeypatch):
    log = run(model, tmp_path, monkeypatch, 10)
    assert "PASS" in log.read_text()


def test_variables_of_the_shell_are_not_for_us(model, tmp_path, monkeypatch):
    """Each of these ended a good run."""
    for name, value in {
        "COCOTB_TESTCASE": "other", "COCOTB_TEST_FILTER": "nothing", "COCOTB_LOG_LEVEL": "LOUD",
        "COCOTB_ANSI_OUTPUT": "x", "COCOTB_RESOLVE_X": "x", "COCOTB_MAX_FAILURES": "x",
        "COCOTB_USER_COVERAGE": "1", "COCOTB_SCHEDULER_DEBUG": "x", "COVERAGE": "1",
        "GPI_EXTRA": "no.so", "GPI_LOG_LEVEL": "LOUD", "COCOTB_TEST_MODULES": "none",
        "COCOTB_TOPLEVEL": "none", "VERILATOR_ROOT": "/none", "PYTHONOPTIMIZE": "2",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    run(model, tmp_path, monkeypatch, 10)
    # Optimised, Python leaves assertions out.
    with pytest.raises(CheckFailed, match="count is off"):
        run(model, tmp_path, monkeypatch, 11)


def test_failing_test_is_raised(model, tmp_path, monkeypatch):
    with pytest.raises(CheckFailed, match="count is off"):
        run(model, tmp_path, monkeypatch, 11)


def test_missing_test_module_is_raised(model, tmp_path):
    with pytest.raises(CheckFailed, match="no_such_module"):
        runner.run(model, "no_such_module", tmp_path / "run")


def test_no_test_that_ran_is_no_pass(model, tmp_path, monkeypatch):
    """A test that is skipped has not run."""
    text = TEST.format(expected=10).replace("@cocotb.test()", "@cocotb.test(skip=True)")
    (tmp_path / "bench_of_counter.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CheckFailed, match=r"sim\.log: no test ran in bench_of_counter"):
        runner.run(model, "bench_of_counter", tmp_path / "run")


def test_results_cut_short_are_no_pass(model, tmp_path, monkeypatch):
    text = TEST.format(expected=10) + (
        "    import atexit, os\n"
        "    name = os.environ['COCOTB_RESULTS_FILE']\n"
        "    atexit.register(lambda: open(name, 'w').write('<testsuites><test'))\n"
    )
    (tmp_path / "bench_of_counter.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CheckFailed, match=r"results\.xml: cut short"):
        runner.run(model, "bench_of_counter", tmp_path / "run")


def test_wrong_source_is_named():
    with pytest.raises(CheckFailed, match=r"verilator_bin rejects the design: %Error: bad\.v:1"):
        runner.build({"bad.v": "module bad(; endmodule\n"}, "bad")


def test_relative_folder(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bench_of_counter.py").write_text(TEST.format(expected=10))
    monkeypatch.syspath_prepend(tmp_path)
    log = runner.run(model, "bench_of_counter", Path("run"))
    assert log == tmp_path / "run" / "sim.log"
