"""The subcommand equiv: which of the two it was, exit codes, edited folders, the report."""

import json
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from mutant_cases import adder_of

from hw.verilog import rtl_folder
from shiftnas import subcommand
from sim.mutation import schemata


@pytest.fixture
def folders(hardware, tmp_path):
    """The RTL, the same again, and an edited copy."""
    mutant = adder_of(hardware.emission, "cell0/edge0_sep_conv_3x3/dw1")
    for name in ("a", "b", "edited"):
        (tmp_path / name).mkdir()
        rtl_folder.write(hardware.emission, tmp_path / name)
    path = tmp_path / "edited" / "shiftnas_top.v"
    path.write_text(schemata.apply(path.read_text(), mutant))
    return tmp_path


def call(*arguments) -> tuple[int, str, str]:
    result = CliRunner().invoke(subcommand("equiv"), [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_an_unchanged_pair(folders):
    code, out, err = call(folders / "a", folders / "b")
    assert (code, err) == (0, "")
    assert out == "the same Verilog, comments aside: equal\n"


def test_a_changed_pair(folders):
    report = folders / "report.xml"
    edited = folders / "edited"
    options = ("--frames", 2, "--stall", 0, "--prove", 5, "--json", "--junit", report)
    code, out, err = call(folders / "a", edited, *options)
    assert code == 1
    content = json.loads(out)
    assert (content["equal"], content["how"]) == (False, "stimulus")
    assert content["modules"] == ["shiftnas_top.cell0.edge0_sep_conv_3x3.dw1.elements"]
    note, error = err.splitlines()
    assert note == f"equiv: {edited}/shiftnas_top.v: edited since it was emitted"
    assert error.startswith(f"shiftnas: error: equiv: {folders / 'a'} and {edited} differ: cell0/e")
    (failure,) = ElementTree.parse(report).getroot().iter("failure")
    assert failure.get("message", "").startswith("cell0/edge0_sep_conv_3x3/dw1: frame 0")


def test_what_is_no_pair(folders):
    code, out, err = call(folders / "a", folders)
    assert (code, out) == (2, "")
    assert "manifest.json: not found: no RTL folder" in err
