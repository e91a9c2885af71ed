"""network, plan."""

import json

import pytest
from click.testing import CliRunner

from hw.dataflow import plan_file
from hw.ir import serialize
from shiftnas import subcommand

TINY = (
    "--genotype", "ShiftNAS_C10", "--channels", 2, "--cells", 1, "--image", "8x8x1",
    "--classes", 10,
)  # fmt: skip


def run(name, *arguments):
    return CliRunner().invoke(subcommand(name), [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    folder = tmp_path_factory.mktemp("net") / "net"
    assert run("network", *TINY, "--out", folder).exit_code == 0
    return folder


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_network_is_repeatable(net, tmp_path):
    result = run("network", *TINY, "--out", tmp_path / "again", "--json")
    made = json.loads(result.stdout)
    assert files(tmp_path / "again") == files(net)
    loaded = serialize.load(net)
    assert made["digest"] == loaded.digest and made["nodes"] == len(loaded.graph)
    assert loaded.meta["channels"] == 2 and loaded.meta["weights"] == "random"
    run("network", *TINY, "--out", tmp_path / "other", "--seed", 2)
    assert serialize.load(tmp_path / "other").digest != loaded.digest


def test_network_settings_reach_the_network(tmp_path):
    settings = ("--act-bits", 6, "--scale-terms", 2, "--guard", 4, "--weight-bits", 6)
    assert run("network", *TINY, *settings, "--out", tmp_path / "net").exit_code == 0
    made = serialize.load(tmp_path / "net")
    assert made.arithmetic.scale_terms == 2 and made.arithmetic.guard == 4
    assert made.arithmetic.weight_bits == 6
    assert {fmt.width for name, fmt in made.formats.items() if name != "input"} == {6}


def test_paper_mode(tmp_path):
    assert run("network", *TINY, "--paper", "--out", tmp_path / "net").exit_code == 0
    made = serialize.load(tmp_path / "net")
    assert made.arithmetic.rounding == "floor" and made.arithmetic.guard == 0
    assert made.formats["stem/conv"].width == 32


def test_an_output_that_exists_is_kept(net):
    before = files(net)
    result = run("network", *TINY, "--out", net, "--seed", 3)
    assert result.exit_code == 2 and "exists already" in result.stderr and files(net) == before


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (("--genotype", "Unknown"), "Unknown"),
        (("--image", "8x8"), "--image"),
        (("--image", "8x8x0"), "image"),
        (("--channels", "0"), "channels"),
        (("--cells", "-1"), "cells"),
        (("--act-bits", "33"), "--act-bits"),
    ],
)
def test_network_of_wrong_calls(tmp_path, change, part):
    result = run("network", *TINY, *change, "--out", tmp_path / "net")
    assert result.exit_code == 2 and result.stdout == "" and part in result.stderr
    assert result.stderr.count("\n") == 1 and list(tmp_path.iterdir()) == []


def test_plan_predicts_and_is_written(net, tmp_path):
    result = run("plan", net, "--board", "ULX3S-85F", "--out", tmp_path / "plan.yaml", "--json")
    assert result.exit_code == 0, result.output
    predicted = json.loads(result.stdout)
    for key in ("lut", "ff", "ram_bits", "cycles_per_frame", "fps", "latency"):
        assert predicted[key] > 0, key
    made = serialize.load(net)
    assert predicted["limiting_layer"] in made.graph.by_name
    assert predicted["fps"] == pytest.approx(
        predicted["clock_mhz"] * 1e6 / predicted["cycles_per_frame"]
    )
    plan = plan_file.load(tmp_path / "plan.yaml")
    assert plan.network == made.digest and plan.board == "ulx3s-85f"
    again = run("plan", net, "--board", "ulx3s-85f", "--out", tmp_path / "plan.yaml")
    assert again.exit_code == 2 and "exists already" in again.stderr


def test_plan_for_an_unknown_board(net, tmp_path):
    result = run("plan", net, "--board", "ulx4s", "--out", tmp_path / "plan.yaml")
    assert result.exit_code == 2 and "ulx4s" in result.stderr and "ulx3s-85f" in result.stderr
    assert list(tmp_path.iterdir()) == []
