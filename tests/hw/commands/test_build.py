"""emit, synth, bitstream."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from hw import outputs
from hw.board import bitstream as building
from hw.board.boards import BOARDS, Board
from hw.build import synth as synthesis
from hw.dataflow import plan_file
from hw.ir import serialize
from hw.verilog import emit as emission
from hw.verilog import rtl_folder
from shiftnas import subcommand


def run(name, *arguments):
    return CliRunner().invoke(subcommand(name), [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    folder = tmp_path_factory.mktemp("net") / "net"
    sizes = ("--channels", 1, "--cells", 1, "--image", "4x4x1", "--classes", 2)
    assert run("network", "--genotype", "ShiftNAS_C10", *sizes, "--out", folder).exit_code == 0
    return folder


@pytest.fixture
def plan(net, tmp_path):
    path = tmp_path / "given.yaml"
    assert run("plan", net, "--board", "ulx3s-85f", "--out", path).exit_code == 0
    return path


def test_emit(net, plan, tmp_path):
    result = run("emit", net, "--plan", plan, "--out", tmp_path / "rtl", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    there = sorted(path.name for path in (tmp_path / "rtl").iterdir())
    assert there == [outputs.MARKER, *told["files"]]
    emitted = rtl_folder.read(tmp_path / "rtl")
    assert told["digest"] == emitted.digest and told["seconds"] > 0
    assert emitted.manifest["plan_digest"] == plan_file.load(plan).digest
    assert emitted.manifest["network_digest"] == serialize.load(net).digest
    again = run("emit", net, "--plan", plan, "--out", tmp_path / "rtl")
    assert again.exit_code == 2 and "exists already" in again.stderr
    assert run("emit", net, "--out", tmp_path / "rtl", "--force").exit_code == 0


def test_a_plan_for_an_unknown_board(net, plan, tmp_path):
    plan.write_text(plan.read_text().replace("ulx3s-85f", "breadboard"))
    result = run("emit", net, "--plan", plan, "--out", tmp_path / "rtl")
    assert result.exit_code == 2 and not (tmp_path / "rtl").exists()
    assert f"{plan}: board: no board is called 'breadboard'" in result.stderr


def test_a_plan_of_another_network(net, plan, tmp_path):
    plan.write_text(plan.read_text().replace(serialize.load(net).digest, 64 * "0"))
    result = run("emit", net, "--plan", plan, "--out", tmp_path / "rtl")
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert "network" in result.stderr and not (tmp_path / "rtl").exists()


def test_a_plan_that_is_not_there(net, tmp_path):
    for command in (("emit", "--out", tmp_path / "rtl"), ("synth",)):
        result = run(command[0], net, "--plan", tmp_path / "none.yaml", *command[1:])
        assert result.exit_code == 2 and "none.yaml" in result.stderr
    assert list(tmp_path.iterdir()) == []


COUNTS = {"lut": 1234, "ff": 99, "ram_bits": 18432, "ram_blocks": 1, "dsp": 0, "carry": 5}


def test_synth_prints_every_layer(net, tmp_path, monkeypatch):
    made = []

    def synthesise(emitted, target):
        made.append(emitted)
        layers = [{"name": entry["name"], **COUNTS} for entry in emitted.manifest["layers"]]
        return {"target": target, **COUNTS, "layers": layers}

    monkeypatch.setattr(synthesis, "synthesise", synthesise)
    result = run("synth", net, "--json")
    told = json.loads(result.stdout)
    nodes = [node.name for node in serialize.load(net).graph.nodes[1:]]
    assert [layer["name"] for layer in told["layers"]] == nodes and told["lut"] == 1234
    text = run("synth", net).stdout
    assert "1,234" in text and all(name.split("/")[-1] in text for name in nodes)
    assert made[0].digest == made[1].digest
    assert run("synth", net, "--target", "abacus").exit_code == 2
    rtl = tmp_path / "rtl"
    assert run("emit", net, "--rom", "hex", "--out", rtl).exit_code == 0
    result = run("synth", net, "--rtl", rtl, "--target", "gowin", "--json")
    assert json.loads(result.stdout)["target"] == "gowin"
    assert made[2].manifest["rom"] == "hex" and made[2].digest == rtl_folder.read(rtl).digest


def test_edited_rtl_is_named_and_reported_on_where_that_is_allowed(net, plan, tmp_path):
    """A ready of the source that waits for its valid: a way from an input to an output."""
    rtl, report = tmp_path / "rtl", tmp_path / "report.txt"
    assert run("emit", net, "--plan", plan, "--out", rtl).exit_code == 0
    path = rtl / "shiftnas_top.v"
    text = path.read_text()
    before, window = text.split("module \\shiftnas_top.stem.conv.window ", 1)
    edited = re.sub(r"(assign i__ready = )(.*);", r"\1(\2) & i__valid;", window, count=1)
    assert edited != window
    path.write_text(f"{before}module \\shiftnas_top.stem.conv.window {edited}")
    call = ("synth", net, "--rtl", rtl, "--report", report)
    result = run(*call)
    assert result.exit_code == 2 and "shiftnas_top.v: changed since" in result.stderr
    result = run(*call, "--allow-edited")
    assert result.exit_code == 1, result.stderr
    assert f"synth: {path}: edited; modules that differ: shiftnas_top." in result.stderr
    assert "path: s_axis_tvalid -> " in result.stderr
    assert run("synth", net, "--allow-edited").exit_code == 2


def test_rtl_of_another_network_is_refused(net, tmp_path):
    sizes = ("--channels", 1, "--cells", 1, "--image", "4x4x1", "--classes", 2, "--seed", 5)
    other, rtl = tmp_path / "other", tmp_path / "rtl"
    assert run("network", "--genotype", "ShiftNAS_C10", *sizes, "--out", other).exit_code == 0
    assert run("emit", other, "--out", rtl).exit_code == 0
    result = run("synth", net, "--rtl", rtl)
    assert result.exit_code == 2 and "the RTL is of another network" in result.stderr


def built(fmax):
    manifest = {
        **{"board": "ulx3s-85f", "bitstream": "x.bit", "clock_mhz": 50.0, "fmax_mhz": fmax},
        **{"layers": [], **COUNTS, "available": COUNTS},
        "fps": 100.0 if fmax >= 50 else None,
        "short_buffers": [],
    }
    return building.Bitstream({"x.bit": b"bits", "manifest.json": b"{}"}, manifest, cached=False)


@pytest.mark.parametrize(("fmax", "code"), [(50.0, 0), (49.99, 1)])
def test_bitstream_is_written_even_where_timing_is_missed(net, tmp_path, monkeypatch, fmax, code):
    monkeypatch.setattr(building, "build", lambda *arguments: built(fmax))
    out = tmp_path / "bits"
    result = run("bitstream", net, "--board", "ulx3s-85f", "--out", out, "--json")
    assert result.exit_code == code
    assert ("timing" in result.stderr) == bool(code)
    told = json.loads(result.stdout)
    assert told["fmax_mhz"] == fmax and told["lut"] == 1234 and told["cached"] is False
    assert (out / "x.bit").read_bytes() == b"bits"
    text = run("bitstream", net, "--board", "ulx3s-85f", "--out", out, "--force").stdout
    assert "1,234 of 1,234 LUT sites" in text
    assert ("100 frames/s" in text) == (code == 0) and ("timing missed" in text) == (code == 1)


def test_bitstream_for_an_unknown_board(net, tmp_path):
    result = run("bitstream", net, "--board", "breadboard", "--out", tmp_path / "bits")
    assert result.exit_code == 2 and "breadboard" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_bitstream_for_a_board_that_lacks_something(net, plan, tmp_path, monkeypatch):
    """Said before the network is read."""
    row = ("LFE5U-25F", 48.0, "orangecrab_r0_2:OrangeCrabR0_2_25FPlatform")
    monkeypatch.setitem(BOARDS, "orangecrab", Board("orangecrab", *row))
    result = run("bitstream", tmp_path / "none", "--board", "orangecrab", "--out", tmp_path / "b")
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert "board orangecrab: no bitstream can be made, it lacks a serial port" in result.stderr


def test_a_failure_after_hardware_was_begun_is_one_line(net, plan, tmp_path):
    """Amaranth has a warning for each part that was made and not used."""
    code = (
        "import sys, hw.board.bitstream as b, hw.errors as e, shiftnas\n"
        "from hw.board.network_link import NetworkLink\n"
        "def build(*arguments):\n"
        "    parts = [NetworkLink(2, 16, 3) for _ in range(9)]\n"
        "    for part in parts: part.elaborate(None)\n"
        "    raise e.InputError('does not fit')\n"
        "b.build = build\n"
        "shiftnas.main()\n"
    )
    arguments = ("bitstream", net, "--board", "ulx3s-85f", "--plan", plan, "--out", tmp_path / "b")
    ended = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert ended.stderr == "shiftnas: error: does not fit\n"


def test_emit_with_a_testbench(net, plan, tmp_path):
    images = np.full((2, 4, 4, 1), 7, np.uint8)
    np.save(tmp_path / "images.npy", images)
    rtl, call = tmp_path / "rtl", ("emit", net, "--plan", plan, "--name", "net_c", "--testbench")
    result = run(*call, "--images", tmp_path / "images.npy", "--out", rtl, "--json")
    assert result.exit_code == 0, result.output
    files = json.loads(result.stdout)["files"]
    assert "testbench/net_c_tb.sv" in files and "testbench/icarus.sh" in files
    assert all((rtl / name).is_file() for name in files)
    lines = (rtl / "testbench" / "net_c_tb_images.hex").read_text().split()
    assert lines == ["07"] * images.size
    assert rtl_folder.read(rtl).top == "net_c"
    assert run(*call, "--frames", 3, "--seed", 5, "--out", rtl, "--force").exit_code == 0
    assert "FRAMES = 3;" in (rtl / "testbench" / "net_c_tb.sv").read_text()
    assert run("emit", net, "--plan", plan, "--out", rtl, "--force").exit_code == 0
    assert not (rtl / "testbench").exists()


@pytest.mark.parametrize("option", [("--frames", 3), ("--seed", 1), ("--images", "x.npy")])
def test_options_of_the_testbench_need_one(net, tmp_path, option):
    result = run("emit", net, *option, "--out", tmp_path / "rtl")
    assert result.exit_code == 2 and not (tmp_path / "rtl").exists()
    assert f"{option[0]}: is for the testbench; add --testbench" in result.stderr


def test_images_of_another_size_are_refused(net, tmp_path):
    np.save(tmp_path / "images.npy", np.zeros((2, 5, 4, 1), np.uint8))
    call = ("emit", net, "--testbench", "--images", tmp_path / "images.npy")
    result = run(*call, "--out", tmp_path / "rtl")
    assert result.exit_code == 2 and "images" in result.stderr and not (tmp_path / "rtl").exists()


@pytest.mark.parametrize(
    ("expression", "code"),
    [("Apache-2.0", 0), ("(MIT OR BSD-3-Clause) AND X", 0), ("as you like", 2)],
)
def test_licence(net, plan, tmp_path, expression, code):
    rtl = tmp_path / "rtl"
    result = run("emit", net, "--plan", plan, "--licence", expression, "--out", rtl)
    assert result.exit_code == code, result.stderr
    if code:
        assert "--licence: 'as you like' is no SPDX expression" in result.stderr
        return
    emitted = rtl_folder.read(rtl)
    assert emitted.verilog.startswith(f"// SPDX-License-Identifier: {expression}\n")
    assert emitted.manifest["licence"] == expression


def test_a_report_is_written_and_a_finding_is_exit_1(net, plan, tmp_path, monkeypatch):
    monkeypatch.setattr(
        synthesis, "synthesise", lambda *_: {"target": "ecp5", **COUNTS, "layers": []}
    )
    report = tmp_path / "report.txt"
    call = ("synth", net, "--plan", plan, "--report", report)
    result = run(*call, "--json")
    assert result.exit_code == 0 and json.loads(result.stdout)["report"] == str(report)
    assert "findings             0" in report.read_text()
    assert run(*call).exit_code == 2
    real = emission.emit

    def with_a_latch(design):
        made = real(design)
        text = made.verilog.replace("endmodule", "reg q; always @* if (clk) q = rst;\nendmodule", 1)
        text = text.replace("m_axis_tlast = ", "m_axis_tlast = q & ")
        return replace(made, files=made.files | {made.verilog_name: text})

    monkeypatch.setattr(emission, "emit", with_a_latch)
    result = run(*call, "--force")
    assert result.exit_code == 1 and "structure: shiftnas_top: latch: q" in result.stderr
    assert "latches              q" in report.read_text()
    report.write_text("mine")
    result = run(*call, "--force")
    assert result.exit_code == 2 and report.read_text() == "mine"
