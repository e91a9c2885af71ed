"""Lint accepts emitted Verilog with the written waivers only, and finds what they do not cover."""

import re

import pytest

from hw.errors import CheckFailed
from sim.lint import lint
from sim.verilator import WAIVERS


def test_emitted_verilog_is_clean(hardware):
    lint(hardware.emission.files, hardware.emission.manifest["top"])


def test_undriven_signal_is_found():
    text = (
        "module bad(input wire clk, output reg q); wire d; always @(posedge clk) q <= d; endmodule"
    )
    with pytest.raises(
        CheckFailed, match=r"lint: 1 findings, the first: %Warning-UNDRIVEN: bad\.v:"
    ):
        lint({"bad.v": f"{text}\n"}, "bad")


def test_syntax_error_is_found():
    with pytest.raises(CheckFailed, match=r"the first: %Error: bad\.v:1"):
        lint({"bad.v": "module bad(input clk; endmodule\n"}, "bad")


def test_waivers_are_by_rule_with_a_reason():
    lines = [line for line in WAIVERS.read_text().splitlines() if line][1:]
    waived = [k for k, line in enumerate(lines) if not line.startswith("//")]
    assert waived
    for k in waived:
        assert re.fullmatch(r"lint_off -rule [A-Z]+", lines[k])
        assert lines[k - 1].startswith("// ")


@pytest.mark.parametrize("rule", re.findall(r"-rule (\w+)", WAIVERS.read_text()))
def test_every_waiver_is_needed(hardware, rule, tmp_path):
    lines = WAIVERS.read_text().splitlines(keepends=True)
    text = "".join(line for line in lines if not line.endswith(f" {rule}\n"))
    (tmp_path / "waive.vlt").write_text(text)
    with pytest.raises(CheckFailed, match=f"the first: %Warning-{rule}"):
        lint(hardware.emission.files, hardware.emission.manifest["top"], tmp_path / "waive.vlt")
