"""The cosim subcommand: text, JSON, exit codes, one-line errors."""

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner
from mutant_cases import adder_of
from PIL import Image

from hw.dataflow import plan_file
from hw.dataflow.check import check
from hw.dataflow.flow import deadlock
from hw.ir import serialize
from hw.networks import genotypes
from hw.networks.cells import build
from hw.networks.random_network import random_network
from hw.verilog import emit, rtl_folder
from sim.commands.cosim import _images, cosim
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
    rtl_folder.write(schemata.mutated(hardware.emission, adder), folder / "rtl")
    arguments = (folder / "net", "--plan", folder / "plan.yaml", "--rtl", folder / "rtl")
    report, run = folder / "report.xml", folder / "run"
    code, out, err = call(
        *arguments, "--frames", 2, "--json", "--junit", report, "--waves", "--out", run
    )
    assert (code, out) == (1, "")
    assert f"shiftnas: error: cosim: {layer}: frame 0, pixel (" in err.splitlines()[-1]
    # The report has every stream; the first one that differs is the one of the message.
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    assert len(cases) == len(hardware.network.graph.nodes)
    failed = {case.get("name"): case[0].get("message", "") for case in cases if len(case)}
    assert next(iter(failed)) == layer
    assert failed[layer] == err.splitlines()[-1].removeprefix("shiftnas: error: ")
    # The waves open there.
    saved = (run / "dump.gtkw").read_text()
    assert "cosim_harness.dut.cell0.edge0_sep_conv_3x3.dw1.o__valid\n" in saved
    assert re.search(r"^\*-\S+ [1-9]\d* ", saved, re.M)


def test_edited_rtl_is_named_and_simulated_where_that_is_allowed(hardware, folder):
    layer = "classifier"
    rtl = folder / "rtl"
    rtl.mkdir()
    rtl_folder.write(hardware.emission, rtl)
    path = rtl / "shiftnas_top.v"
    path.write_text(schemata.apply(path.read_text(), adder_of(hardware.emission, layer)))
    arguments = (folder / "net", "--rtl", rtl, "--frames", 1, "--level", "op", "--only", layer)
    code, _, err = call(*arguments)
    assert code == 2 and "shiftnas_top.v: changed since it was emitted" in err
    code, _, err = call(*arguments, "--allow-edited")
    assert code == 1
    module = "shiftnas_top.classifier.elements"
    assert f"cosim: {path}: edited; modules that differ: {module}" in err.splitlines()
    assert f"shiftnas: error: cosim: {layer}: frame 0" in err


def test_what_does_not_fit_is_refused_before_anything_is_made(folder, monkeypatch):
    def made(*_, **__):
        raise AssertionError("made")

    monkeypatch.setattr("hw.dataflow.planner.propose", made)
    for arguments, message in (
        (["--level", "op", "--only", "stem"], "only: 'stem'; expected a name of level op"),
        (["--only", "stem"], "only: level network simulates everything"),
        (["--stall", "1"], "--stall"),
        (
            ["--stall", "0", "--stall-pattern", "bursts"],
            "--stall-pattern: bursts is for the s",
        ),
        (["--stall-pattern", "often"], "--stall-pattern"),
        (["--allow-edited"], "--allow-edited: is about an RTL folder; add --rtl"),
        (["--stall", "0.5", "--stall-pattern", "bursts"], "--stall: the pattern bursts has no cha"),
        (["--stall", "0.5", "--stall-pattern", "never"], "--stall: the pattern never has no cha"),
        (["--assertions", "--level", "op"], "--assertions: are bound to the whole network"),
        (["--assertions", "--gates"], "--assertions: are bound to the Verilog, not to a netlist"),
        (["--assertions", "--simulator", "both"], "--assertions: Icarus knows none"),
        (["--gates", "--simulator", "icarus"], "--gates: netlists are for Verilator"),
    ):
        code, _, err = call(folder / "net", *arguments)
        assert code == 2, arguments
        assert message in err and len(err.splitlines()) == 1


def test_rtl_of_another_network_is_refused_before_anything_is_built(hardware, folder):
    other = build(genotypes.get("GDAS_V1"), channels=1, cells=1, image=(8, 12, 3), classes=2)
    serialize.save(random_network(other, seed=1), folder / "other")
    (folder / "rtl").mkdir()
    rtl_folder.write(hardware.emission, folder / "rtl")
    manifest = folder / "rtl" / "manifest.json"
    for net, options, message in (
        ("other", [], "network_digest: the RTL is of another network"),
        ("net", ["--load"], "load: the weights of this RTL are fixed"),
    ):
        code, _, err = call(folder / net, "--rtl", folder / "rtl", *options)
        assert code == 2
        assert err.startswith(f"shiftnas: error: {manifest}: {message}") and err.count("\n") == 1


def test_a_fifo_below_full_speed_is_told_where_it_is_slower(hardware, folder):
    """The plan with every FIFO of its joins as small as may be."""
    network, plan = hardware.network, hardware.plan
    least = deadlock.depths(network.graph, {name: one.store for name, one in plan.layers.items()})
    small = replace(plan, fifos={n: tuple(d) for n, d in least.items()})
    plan_file.save(small, folder / "small.yaml")
    arguments = (folder / "net", "--plan", folder / "small.yaml", "--frames", 4, "--stall", 0)
    code, out, err = call(*arguments, "--resets", 0, "--json")
    assert code == 0, err
    result = json.loads(out)
    assert result["cycles_per_frame"] > result["predicted_cycles_per_frame"] > 0
    _, pace, *fifos = [line for line in err.splitlines() if line.startswith("cosim: ")]
    assert re.fullmatch(r"cosim: slower than predicted: [\d,]+ cycles a frame, .* predicted", pace)
    assert fifos == [f"cosim: {line}" for line in result["short_buffers"]]
    assert all(re.fullmatch(r"cosim: fifos: .*: \d+ beats, full speed .* \d+", x) for x in fifos)


def test_constant_logits_are_told(hardware, folder):
    """The classifier without weights."""
    network = hardware.network
    last = network.graph.output.name
    params = network.params[last]
    dead = replace(params, codes=np.zeros_like(params.codes))
    dull = replace(network, params={**network.params, last: dead})
    serialize.save(dull, folder / "dull")
    code, out, err = call(folder / "dull", "--frames", 2, "--stall", 0, "--json")
    assert code == 0 and json.loads(out)["constant_logits"]
    assert "cosim: the logits are the same for all 2 images, which differ" in err


@pytest.mark.slow
def test_rtl_brings_its_own_plan(folder):
    """Without --plan, and whatever else would be proposed; another plan beside it is refused."""
    net, plan, rtl = folder / "net", folder / "plan.yaml", folder / "own"
    rtl.mkdir()
    rtl_folder.write(emit.emit(check(plan_file.load(plan), serialize.load(net))), rtl)
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


def test_parts_one_after_the_other(folder, hardware):
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
    # The same of an RTL folder: its modules, one after the other.
    (folder / "rtl").mkdir()
    rtl_folder.write(hardware.emission, folder / "rtl")
    words = (folder / "net", "--rtl", folder / "rtl", "--frames", 1, "--level", "op")
    code, out, err = call(*words, "--each", "--only", "classifier", "--json")
    assert code == 0, err
    assert [part["name"] for part in json.loads(out)["parts"]] == ["classifier"]
    code, _, err = call(folder / "net", "--plan", folder / "plan.yaml", "--each")
    assert code == 2 and "--each: is for the parts of a level" in err


def test_a_folders_images_have_the_networks_size(tmp_path):
    graph = build(genotypes.get("GDAS_V1"), channels=1, cells=1, image=(8, 12, 3), classes=2)
    for name in ("a", "b"):
        (tmp_path / "test" / name).mkdir(parents=True)
        Image.new("RGB", (20, 30)).save(tmp_path / "test" / name / "1.png")
    images = _images(random_network(graph, seed=1), str(tmp_path), None)
    assert images is not None and images.shape == (2, 8, 12, 3)
