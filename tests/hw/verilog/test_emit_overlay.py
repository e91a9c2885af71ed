"""RTL folder of an overlay: what is in it, what stands in its head, what is refused."""

import re

import pytest

from hw.build import structure
from hw.errors import InputError
from hw.overlay.hardware import Overlay
from hw.overlay.plan import OverlayPlan
from hw.verilog import emit_overlay, rtl_folder, yosys
from hw.verilog.modules import modules

HARDWARE = Overlay(rows=2, columns=3, acc_bits=17, words=600, program_words=64, fabric="generic")
PLAN = OverlayPlan(HARDWARE, "ulx3s-85f", 100.0)


@pytest.fixture(scope="module")
def emission():
    return emit_overlay.emit(PLAN)


@pytest.fixture(scope="module")
def ecp5():
    plan = OverlayPlan(HARDWARE.resized(fabric="ecp5"), "ulx3s-85f", 100.0)
    return emit_overlay.emit(plan, name="grid", licensed="Apache-2.0")


def test_the_manifest_says_what_it_is(emission):
    manifest = emission.manifest
    assert emission.style == "overlay" and emission.top == "shiftnas_top"
    assert manifest["overlay_digest"] == HARDWARE.digest
    assert manifest["plan_digest"] == PLAN.digest and emit_overlay.plan_in(emission) == PLAN
    assert manifest["registers"]["status"] == 0x10
    assert manifest["licence"] == "MIT-0" and manifest["cells"] == []
    assert [part["name"] for part in manifest["parts"]] == list(emit_overlay.PARTS)
    assert sorted(emission.files) == ["shiftnas_top.v", "shiftnas_top.vlt"]


def test_ports_are_those_of_the_top_module(emission):
    top = emission.verilog[emission.verilog.index("\nmodule shiftnas_top(") :]
    head = top[: top.index(");")]
    declared = re.findall(r"^  (in|out)put (?:reg )?(?:\[(\d+):0\] )?(\w+)", head, re.M)
    found = [(name, way, int(high or 0) + 1) for way, high, name in declared]
    assert found == [
        (port["name"], port["direction"], port["width"]) for port in emission.manifest["ports"]
    ]


def test_the_head_says_what_the_file_is(emission, ecp5):
    head = emission.verilog.partition("\nmodule ")[0]
    assert all(line.startswith("//") and len(line) <= 100 for line in head.splitlines() if line)
    assert head.startswith("// SPDX-License-Identifier: MIT-0\n")
    for fact in (
        "an overlay of 2 x 3 shift-add lanes", HARDWARE.digest, PLAN.digest, "ulx3s-85f at 100 MHz",
        "No cell of any family", "up to 64 words", "words          600", "0x10  status",
        "core.sequencer  words of the program",
    ):  # fmt: skip
        assert fact in head, fact
    for port in emission.manifest["ports"]:
        assert f"//   {port['name']} " in head
    other = ecp5.verilog.partition("\nmodule ")[0]
    assert "// Instantiated are the cells CCU2C, DP16KD, LUT4, PFUMX, TRELLIS_FF" in other
    assert other.startswith("// SPDX-License-Identifier: Apache-2.0\n")


def test_it_is_sound(emission):
    """One clock, every register in reset but those without a meaning, no path between streams."""
    found = structure.examine(emission.files, emission.top)
    assert found.findings == []
    assert list(found.clocks) == ["clk, rising edge"] and found.reset_registers > 100


@pytest.mark.parametrize("which", ["emission", "ecp5"])
def test_names_are_for_people(which, request):
    """Nothing that tools made up, no module twice, no latch's `always @*`."""
    found = request.getfixturevalue(which)
    assert not re.search(r"\\\S*\$", found.verilog)
    assert "always @*" not in found.verilog
    texts = [text.partition("(")[2] for _, text in modules(found.verilog)]
    assert len(set(texts)) == len(texts)
    kinds = [name for name, _ in modules(found.verilog) if re.search(r"\.lane\d_\d$", name)]
    assert len(kinds) == 6, "2 x 3 lanes: four corners, two in the middle of an edge"


def test_the_cells_of_the_manifest_are_those_in_the_text(ecp5):
    defined = {name for name, _ in modules(ecp5.verilog)}
    kinds = set(re.findall(r"^  (?:\\(\S+) |(\w+)) +(?:#\(|\S+ +\()", ecp5.verilog, re.M))
    used = {escaped or plain for escaped, plain in kinds} - {"assign", "always", "for", "reg"}
    assert sorted(used - defined) == ecp5.manifest["cells"]


def test_read_back_and_known_by_its_style(emission, tmp_path):
    rtl_folder.write(emission, tmp_path)
    again = rtl_folder.read(tmp_path, style="overlay")
    assert (again.files, again.manifest) == (emission.files, emission.manifest)
    assert rtl_folder.read(tmp_path, style=None).style == "overlay"
    with pytest.raises(InputError, match=r"json: style: overlay; this is for dataflow hardware"):
        rtl_folder.read(tmp_path)


def test_board_and_clock_are_in_the_head_alone(emission):
    other = emit_overlay.emit(OverlayPlan(HARDWARE, "none", 50.0))
    assert other.digest != emission.digest
    assert other.manifest["overlay_digest"] == emission.manifest["overlay_digest"]
    bodies = [made.verilog.partition("\nmodule ")[2] for made in (emission, other)]
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("which", ["emission", "ecp5"])
def test_yosys_reads_it_and_finds_no_latch(which, request, tmp_path):
    found = request.getfixturevalue(which)
    (tmp_path / "top.v").write_text(found.verilog)
    yosys.run(
        f"read_verilog top.v\nhierarchy -top {found.top}\nproc\n"
        "select -assert-none t:$dlatch t:$adlatch t:$sr t:$mul t:$div t:$mod\n",
        tmp_path,
    )


def test_what_is_no_name_and_no_licence():
    with pytest.raises(InputError, match=r"^name: 'module' is a reserved word"):
        emit_overlay.emit(PLAN, name="module")
    with pytest.raises(InputError, match=r"^licence: 'a b' is no SPDX expression"):
        emit_overlay.emit(PLAN, licensed="a b")
