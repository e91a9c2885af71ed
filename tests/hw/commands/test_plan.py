"""plan: dataflow hardware, overlays, and which of them."""

import json

import pytest
import yaml
from click.testing import CliRunner

from hw.board.boards import BOARDS, Board
from hw.commands import plans
from hw.dataflow import plan_file
from hw.errors import InputError
from hw.ir import serialize
from hw.overlay.cost import cost
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


def test_plan_at_a_clock(net, tmp_path, monkeypatch):
    """The board's PLL gives it or the nearest below: the plan has that, and says so."""
    row = ("LFE5U-25F", 48.0, "orangecrab_r0_2:OrangeCrabR0_2_25FPlatform")
    monkeypatch.setitem(BOARDS, "orangecrab", Board("orangecrab", *row))
    out = tmp_path / "plan.yaml"
    for board, asked, clock in (("ulx3s-85f", 60, 60), ("orangecrab", 50, 48), ("none", 900, 900)):
        arguments = ("plan", net, "--board", board, "--clock", asked, "--out", out, "--force")
        told = json.loads(run(*arguments, "--json").stdout)
        assert told["clock_mhz"] == plan_file.load(out).clock_mhz == clock
        assert told["fps"] == pytest.approx(clock * 1e6 / told["cycles_per_frame"])
    text = run("plan", net, "--board", "orangecrab", "--out", out, "--force").stdout
    assert "frames/s at 48 MHz (50 asked for)" in text
    before = out.read_bytes()
    for clock, problem in ((900, "is not what the PLL makes"), (0, "--clock"), (1001, "--clock")):
        result = run("plan", net, "--board", "ulx3s-85f", "--clock", clock, "--out", out, "--force")
        assert result.exit_code == 2 and problem in result.stderr
    assert out.read_bytes() == before


OVERLAY = ("--style", "overlay")


def planned(out, *arguments):
    """What the command says, and the plan that it wrote."""
    result = run("plan", *arguments, "--out", out, "--force", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout), plans.overlay(out)


def test_an_overlay_needs_no_network(tmp_path):
    out = tmp_path / "plan.yaml"
    told, plan = planned(out, "--board", "ulx3s-85f", *OVERLAY)
    sizes = plan.hardware
    assert (sizes.rows, sizes.columns, sizes.fabric) == (8, 8, "ecp5")
    assert (told["style"], told["lanes"], told["words"]) == ("overlay", 64, 2048)
    assert told["clock_mhz"] == plan.clock_mhz == 100 and "fps" not in told
    assert told["digest"] == sizes.digest
    assert (told["lut"], told["ram_blocks"]) == (cost(sizes).lut, cost(sizes).ram_blocks)
    again = run("plan", "--board", "ulx3s-85f", *OVERLAY, "--out", out, "--force")
    assert again.stdout.startswith(f"{out}: 8 x 8 lanes, about ") and "100 MHz" in again.stdout


@pytest.mark.parametrize(
    ("lanes", "grid"), [("64", (8, 8)), ("4x16", (4, 16)), ("32", (4, 8)), ("7", (1, 7))]
)
def test_lanes_are_a_number_or_a_grid(tmp_path, lanes, grid):
    _, plan = planned(tmp_path / "p.yaml", "--board", "none", *OVERLAY, "--lanes", lanes)
    assert (plan.hardware.rows, plan.hardware.columns) == grid
    assert plan.hardware.fabric == "generic"


def test_a_network_says_what_it_needs(net, tmp_path):
    told, plan = planned(
        tmp_path / "p.yaml", net, "--board", "ulx3s-12f", *OVERLAY, "--lanes", "4x4", "--clock", 50
    )
    sizes = plan.hardware
    assert told["memory_words"] <= sizes.words == 512
    assert told["length"] <= sizes.program_words and told["acc_bits"] == sizes.acc_bits >= 17
    assert told["fps"] == pytest.approx(50e6 / told["cycles_per_frame"])
    assert told["latency_cycles"] >= told["cycles_per_frame"] and told["batch"] >= 1


def test_a_program_that_is_streamed_needs_little_memory(net, tmp_path):
    call = (net, "--board", "ulx3s-12f", *OVERLAY, "--lanes", "4x4")
    stored, _ = planned(tmp_path / "p.yaml", *call)
    streamed, plan = planned(tmp_path / "q.yaml", *call, "--stream")
    assert streamed["streamed"] and not stored["streamed"]
    assert streamed["ram_blocks"] < stored["ram_blocks"] and plan.hardware.program_words == 1024
    assert streamed["cycles_per_frame"] == stored["cycles_per_frame"]
    told = run("plan", *call, "--stream", "--out", tmp_path / "q.yaml", "--force").stdout
    assert f"; {streamed['length']:,} words are streamed; " in told


def test_as_few_lanes_as_are_fast_enough(net, tmp_path):
    few, _ = planned(tmp_path / "p.yaml", net, "--board", "ulx3s-85f", *OVERLAY, "--fps", 100)
    assert few["lanes"] == 16 and few["fps"] >= 100
    wanted = few["fps"] * 1.2
    more, _ = planned(tmp_path / "p.yaml", net, "--board", "ulx3s-85f", *OVERLAY, "--fps", wanted)
    assert more["lanes"] > 16 and more["fps"] >= wanted


def test_auto_says_which_and_why(net, tmp_path):
    out = tmp_path / "p.yaml"
    call = ("plan", net, "--board", "ulx3s-85f", "--style", "auto", "--out", out, "--force")
    slow = json.loads(run(*call, "--fps", 100, "--lanes", "4x4", "--json").stdout)
    assert slow["why"].startswith("smaller: ") and slow["style"] == plans.style_of(out)
    fast = run(*call, "--lanes", "4x4")
    assert "plan: dataflow: faster: " in fast.stderr
    small = json.loads(run(*call, "--luts", 3900, "--lanes", "4x4", "--json").stdout)
    assert small["style"] == "overlay"
    assert small["why"].startswith("dataflow hardware does not do: plan: the smallest plan takes")
    neither = run(*call, "--fps", 1e9, "--lanes", "4x4")
    assert neither.exit_code == 1
    assert "dataflow: " in neither.stderr and "overlay: fps: 1e+09 wanted" in neither.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--board", "ulx3s-85f"), "NET: missing: give the NETWORK folder"),
        (("--board", "ulx3s-85f", "--style", "auto"), "NET: missing: give the NETWORK folder"),
        (("--board", "ulx3s-85f", *OVERLAY, "--fps", 9), "--fps: frames of which network?"),
        (("--board", "ulx3s-85f", "--lanes", 64), "--lanes: are an overlay's"),
        (("--board", "ulx3s-85f", *OVERLAY, "--lanes", "8x"), "'8x': expected lanes, such"),
        (("--board", "ulx3s-85f", *OVERLAY, "--lanes", 67), "no grid of up to 64 x 64"),
        (("--board", "ulx3s-85f", *OVERLAY, "--lanes", "65x1"), "rows: 65; expected an integer"),
        (("--board", "ulx3s-85f", *OVERLAY, "--luts", 10**6), "more than the 83640 that ulx3s"),
        (("--board", "ulx3s-85f", "--stream"), "--stream: is of an overlay's program"),
        (("--board", "ulx3s-85f", *OVERLAY, "--stream"), "--stream: the program of which network?"),
        (("--board", "ulx3s-85f", *OVERLAY, "--loadable"), "an overlay's weights are a program"),
    ],
)
def test_what_cannot_be_planned(tmp_path, arguments, problem):
    result = run("plan", *arguments, "--out", tmp_path / "p.yaml")
    assert result.exit_code == 2 and problem in result.stderr, result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--board", "ulx3s-12f", *OVERLAY, "--lanes", 256), "64 block RAMs for 512 words"),
        (("--board", "ulx3s-85f", *OVERLAY, "--luts", 999), "a plan may take 999: take fewer"),
    ],
)
def test_what_does_not_fit_is_a_check_that_failed(tmp_path, arguments, problem):
    result = run("plan", *arguments, "--out", tmp_path / "p.yaml")
    assert result.exit_code == 1 and problem in result.stderr, result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_plan_of_one_style_takes_the_place_of_one_of_the_other(net, tmp_path):
    out = tmp_path / "p.yaml"
    for style in ("dataflow", "overlay", "dataflow"):
        call = ("plan", net, "--board", "ulx3s-85f", "--style", style, "--out", out, "--force")
        assert run(*call).exit_code == 0 and plans.style_of(out) == style
    out.write_text("mine\n")
    result = run("plan", "--board", "none", *OVERLAY, "--out", out, "--force")
    assert result.exit_code == 2 and out.read_text() == "mine\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("style: fpga\n", "style: 'fpga'; expected dataflow or overlay"),
        ("a: [", "expected YAML: line 1: "),
    ],
)
def test_what_is_no_plan(tmp_path, text, problem):
    out = tmp_path / "p.yaml"
    out.write_text(text)
    for call in (("emit", "--plan", out), ("synth", "--plan", out)):
        result = run(*call, *(("--out", tmp_path / "rtl") if call[0] == "emit" else ()))
        assert result.exit_code == 2 and f"{out}: {problem}" in result.stderr, result.stderr


def test_a_board_that_nobody_knows(tmp_path):
    out = tmp_path / "p.yaml"
    planned(out, "--board", "none", *OVERLAY)
    out.write_text(yaml.safe_dump(yaml.safe_load(out.read_text()) | {"board": "ulx4s"}))
    result = run("emit", "--plan", out, "--out", tmp_path / "rtl")
    assert result.exit_code == 2 and f"{out}: board: no board is called 'ulx4s'" in result.stderr


def test_what_is_for_dataflow_hardware_says_so(net, tmp_path):
    out = tmp_path / "p.yaml"
    planned(out, "--board", "none", *OVERLAY)
    with pytest.raises(
        InputError, match=r"p\.yaml: style: overlay; this command is for dataflow hardware: give"
    ):
        plans.load(net, out)
