"""program, and emit and synth of an overlay."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from hw.board import boards
from hw.build import synth as synthesis
from hw.ir import serialize
from hw.overlay import program_file
from hw.overlay.cost import cost
from hw.overlay.hardware import Overlay
from hw.overlay.model import Machine
from hw.overlay.plan import OverlayPlan
from hw.overlay.plan_file import save
from hw.verilog import rtl_folder
from shiftnas import subcommand

TINY = (
    "--genotype", "ShiftNAS_C10", "--channels", 2, "--cells", 1, "--image", "8x8x1",
    "--classes", 3,
)  # fmt: skip

SIZES = Overlay(rows=4, columns=4, words=512, program_words=8192, acc_bits=18, fabric="generic")


def run(name, *arguments):
    return CliRunner().invoke(subcommand(name), [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    folder = tmp_path_factory.mktemp("net") / "net"
    assert run("network", *TINY, "--out", folder).exit_code == 0
    return folder


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "plan.yaml"
    save(OverlayPlan(SIZES, boards.NONE, 100.0), path)
    return path


@pytest.fixture(scope="module")
def emitted(net, plan, tmp_path_factory):
    """The RTL folder with the network's program in it, and what the command says."""
    rtl = tmp_path_factory.mktemp("rtl") / "rtl"
    result = run("emit", net, "--plan", plan, "--out", rtl, "--name", "grid", "--json")
    assert result.exit_code == 0, result.output
    return rtl, json.loads(result.stdout)


def test_emit_writes_the_verilog_and_the_program(emitted, net, plan):
    rtl, told = emitted
    assert told["files"] == [
        "grid.v", "grid.vlt", "manifest.json", "program/program.bin", "program/program.json",
    ]  # fmt: skip
    read = rtl_folder.read(rtl, style="overlay")
    assert read.digest == told["digest"] and read.top == "grid"
    program = program_file.load(rtl / "program", SIZES)
    assert told["program"]["digest"] == program.digest
    assert program.program.network == serialize.load(net).digest
    assert told["program"]["fps"] == pytest.approx(100e6 / program.cycles_per_frame)


def test_program_is_the_same_for_the_rtl_and_for_its_plan(emitted, net, plan, tmp_path):
    rtl, told = emitted
    for hardware in (rtl, plan):
        out = tmp_path / hardware.name
        result = run("program", net, "--overlay", hardware, "--out", out, "--json")
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        assert {key: found[key] for key in told["program"]} == told["program"]
        for name in (program_file.DOCUMENT, program_file.PACKET):
            assert (out / name).read_bytes() == (rtl / "program" / name).read_bytes()
    text = run("program", net, "--overlay", plan, "--out", out, "--force").stdout
    assert text.startswith(f"{out}: {told['program']['words']:,} words, ")
    assert "frames/s at 100 MHz" in text


def test_the_program_s_logits_are_the_reference_s(emitted, net):
    from hw.ir import reference
    from hw.networks.images import full_range

    network = serialize.load(net)
    images = full_range(network.graph.input.shape, 3, 1)
    program = program_file.load(emitted[0] / "program").program
    size = program.images
    found = [Machine(program).run(images[n : n + size]) for n in range(0, len(images), size)]
    expected = reference.logits(network, images)
    assert [row.tolist() for part in found for row in part] == expected.reshape(3, -1).tolist()


def test_a_program_that_is_too_long_is_streamed(net, plan, tmp_path):
    """Or any, if asked for. The board's serial port does not take it, by name."""
    small = SIZES.resized(program_words=64, fabric="ecp5")
    save(OverlayPlan(small, "ulx3s-85f", 100.0), tmp_path / "p.yaml")
    out = tmp_path / "prog"
    result = run("program", net, "--overlay", tmp_path / "p.yaml", "--out", out)
    assert result.exit_code == 0 and " words streamed, " in result.stdout
    assert program_file.load(out, small).program.streamed
    call = ("program", net, "--overlay", plan, "--out", out, "--force", "--json")
    assert json.loads(run(*call, "--stream").stdout)["streamed"]
    assert not json.loads(run(*call).stdout)["streamed"]
    call = ("bitstream", net, "--board", "ulx3s-85f", "--plan", tmp_path / "p.yaml")
    result = run(*call, "--out", tmp_path / "bit")
    assert result.exit_code == 2 and not (tmp_path / "bit").exists()
    assert "is streamed to this overlay, whose memory has 64; the board's serial" in result.stderr


def test_other_hardware_is_refused(net, tmp_path):
    out, prog = tmp_path / "plan.yaml", tmp_path / "prog"
    assert run("plan", net, "--board", "none", "--out", out).exit_code == 0
    result = run("program", net, "--overlay", out, "--out", prog)
    assert result.exit_code == 2
    assert "plan.yaml: style: dataflow; expected an overlay's RTL folder, or its" in result.stderr
    result = run("program", net, "--overlay", tmp_path / "nowhere", "--out", prog)
    assert result.exit_code == 2 and "nowhere: no such plan" in result.stderr


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--rom", "hex"), "--rom: is for dataflow hardware"),
        (("--testbench",), "--testbench: an overlay alone has no logits to compare"),
    ],
)
def test_what_emit_does_not_do_for_an_overlay_alone(plan, tmp_path, option, said):
    result = run("emit", "--plan", plan, "--out", tmp_path / "rtl", *option)
    assert result.exit_code == 2 and said in result.stderr


def test_emit_with_a_testbench(net, plan, tmp_path):
    """A whole batch and an image more, or as many as are asked for."""
    rtl, call = tmp_path / "rtl", ("emit", net, "--plan", plan, "--testbench")
    result = run(*call, "--out", rtl, "--json")
    assert result.exit_code == 0, result.output
    assert "testbench/icarus.sh" in json.loads(result.stdout)["files"]
    bench = (rtl / "testbench" / "shiftnas_top_tb.sv").read_text()
    images = program_file.load(rtl / "program", SIZES).program.images
    assert f"FRAMES = {max(2, images + 1)};" in bench
    assert run(*call, "--frames", 7, "--out", rtl, "--force").exit_code == 0
    assert "FRAMES = 7;" in (rtl / "testbench" / "shiftnas_top_tb.sv").read_text()


def test_synth_counts_by_part(emitted, monkeypatch):
    """Of RTL that stands, without a network; cells of another family are refused by name."""
    rtl, _ = emitted
    seen = []

    def synthesise(emission, target):
        seen.append((emission.digest, [entry["name"] for entry in emission.instances]))
        counts = dict.fromkeys(("lut", "ff", "ram_bits", "ram_blocks", "dsp", "carry"), 0)
        return {"target": target, **counts, "layers": []}

    monkeypatch.setattr(synthesis, "synthesise", synthesise)
    result = run("synth", "--rtl", rtl, "--target", "ice40", "--json")
    assert result.exit_code == 0, result.output
    ((digest, parts),) = seen
    assert digest == rtl_folder.read(rtl, style="overlay").digest
    assert parts == ["array", "sequencer", "program", "loader", "logits", "registers"]
    read = rtl_folder.read(rtl, style="overlay")
    manifest = dict(read.manifest)
    manifest["overlay"] = {**manifest["overlay"], "fabric": "ecp5"}
    monkeypatch.setattr(
        rtl_folder, "read", lambda *_, **__: replace(read, manifest=manifest, source="m.json")
    )
    result = run("synth", "--rtl", rtl, "--target", "ice40")
    assert result.exit_code == 2
    assert "m.json: overlay: fabric: ecp5: has cells that ice40 does not know" in result.stderr
    assert run("synth", "--rtl", rtl).exit_code == 0


def test_synth_without_anything(tmp_path):
    result = run("synth")
    assert result.exit_code == 2 and "NET: missing: give the NETWORK folder" in result.stderr


@pytest.mark.slow
def test_what_is_taken_is_what_was_predicted_and_belongs_to_parts():
    """The prices are those of today's hardware; see benchmarks/overlay_prices.py."""
    from hw.verilog import emit_overlay

    sizes = SIZES.resized(rows=2, columns=4, program_words=1024, fabric="ecp5")
    found = synthesis.synthesise(emit_overlay.emit(OverlayPlan(sizes, "none", 50.0)), "ecp5")
    predicted = cost(sizes)
    assert found["lut"] == pytest.approx(predicted.lut, rel=0.08)
    assert found["ff"] == pytest.approx(predicted.ff, rel=0.08)
    assert found["ram_blocks"] == predicted.ram_blocks and found["dsp"] == 0
    parts = {part["name"]: part["lut"] for part in found["layers"]}
    assert min(parts.values()) > 0 and parts["(elsewhere)"] < 0.15 * found["lut"]
