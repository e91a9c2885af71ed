"""The cosim subcommand on an overlay: by a plan, by an RTL folder; what it refuses."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from hw.ir import serialize
from hw.overlay import plan_file
from hw.verilog import rtl_folder
from sim.code_coverage import constants
from sim.commands.code_coverage import code_coverage
from sim.commands.cosim import cosim
from sim.coverage import store
from sim.fuzz import case as cases
from sim.fuzz.case import Case
from sim.fuzz.models import Model
from tests.support.overlay_cases import OVERLAY, PLAN, emission, network


@pytest.fixture
def folder(tmp_path):
    serialize.save(network(image=(5, 6, 1)), tmp_path / "net")
    plan_file.save(PLAN, tmp_path / "plan.yaml")
    (tmp_path / "rtl").mkdir()
    rtl_folder.write(emission(), tmp_path / "rtl")
    return tmp_path


def call(*arguments) -> tuple[int, str, str]:
    result = CliRunner().invoke(cosim, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_json_of_a_run(folder):
    arguments = (folder / "net", "--rtl", folder / "rtl", "--resets", 1, "--json")
    covered = folder / "covered.json"
    code, out, err = call(*arguments, "--plan", folder / "plan.yaml", "--coverage", covered)
    assert code == 0, err
    groups = store.load(covered).overlays
    for group in ("word", "capture", "batch", "program", "run"):
        assert groups[group].hit_bins
    assert groups["status"].missing() == []
    assert groups["batch"].hits["short"] == 1
    result = json.loads(out)
    assert (result["mismatches"], result["level"], result["edited"]) == (0, "network", [])
    assert result["frames"] == 2 * result["compared"]["classifier"] // 6
    assert result["predicted_cycles_per_frame"] - result["cycles_per_frame"] < 1
    assert "words of program, batches of" in err


@pytest.mark.slow
@pytest.mark.thorough
def test_code_coverage_and_random_programs(folder):
    """Counted in the overlay's Verilog alone, and constants are proved though memories are left
    open."""
    file, covered = folder / "code.json", folder / "covered.json"
    arguments = (folder / "net", "--rtl", folder / "rtl", "--programs", 4, "--resets", 2)
    code, out, err = call(*arguments, "--code-coverage", file, "--coverage", covered, "--json")
    assert code == 0, err
    frames = json.loads(out)["frames"]
    assert frames > 2 * json.loads(out)["compared"]["classifier"] // 6
    assert store.load(covered).overlays["program"].hits["streamed"] == 2
    result = CliRunner().invoke(
        code_coverage, [str(file), "--rtl", str(folder / "rtl"), "--prove", "0", "--json"]
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert {module["name"].partition(".")[0] for module in found["modules"]} == {"shiftnas_top"}
    assert found["lines"]["share"] > 95 and found["toggles"]["share"] > 75
    assert list(found["reasons"]) == [constants.REASON]


def test_a_program_that_is_streamed(folder):
    call_ = (folder / "net", "--rtl", folder / "rtl", "--resets", 0, "--stall", 0, "--frames", 2)
    code, out, err = call(*call_, "--stream", "--json")
    assert code == 0, err
    assert json.loads(out)["mismatches"] == 0
    assert " words of program, streamed to 32,768, batches of " in err
    code, _, err = call(folder / "net", "--stream")
    assert code == 2 and "--stream: is of an overlay's program; leave it out" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--load"], "--load: is for dataflow hardware; an overlay's weights come with its"),
        (["--assertions"], "--assertions: is for dataflow hardware; an overlay has no engines"),
        (["--level", "op", "--each"], "--each: is for dataflow hardware; an overlay has one model"),
        (["--level", "pe", "--corners", "3"], "--corners: the lanes alone have none"),
        (["--level", "op", "--programs", "3"], "--programs: come after the whole network's"),
        (["--level", "pe", "--coverage", "c.json"], "--coverage: is of programs, the lanes alone"),
        (
            ["--level", "pe", "--code-coverage", "c.json"],
            "--code-coverage: is of programs, the lanes",
        ),
        (["--level", "cell", "--only", "cell7"], "only: 'cell7'; expected a name of level cell"),
    ],
)
def test_what_has_no_meaning_is_refused_in_one_line(folder, options, message):
    code, _, err = call(folder / "net", "--rtl", folder / "rtl", *options)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_an_overlay_that_is_too_small_is_refused(folder):
    plan = replace(PLAN, hardware=OVERLAY.resized(words=32))
    plan_file.save(plan, folder / "small.yaml")
    code, _, err = call(folder / "net", "--plan", folder / "small.yaml")
    assert code == 2
    assert "do not fit the data memory" in err


@pytest.mark.icarus
@pytest.mark.slow
def test_icarus_agrees(folder):
    net = Model("resnet20", "cifar", 1 / 16, kept=3)
    case = Case(net, image=(4, 4, 1), classes=2, scale_terms=1)
    serialize.save(cases.network_of(case), folder / "small")
    arguments = (folder / "small", "--rtl", folder / "rtl", "--frames", 1, "--stall", 0)
    code, out, err = call(*arguments, "--resets", 0, "--simulator", "both", "--json")
    assert code == 0, err
    assert json.loads(out)["mismatches"] == 0
