"""Verilator's lint takes emitted Verilog as it is, and with its control file under -Wall."""

import re

import pytest
from loadable_cases import loadable

from hw.board.boards import device
from hw.dataflow.design.design import design
from hw.dataflow.planner import propose
from hw.errors import CheckFailed
from hw.networks import genotypes
from hw.networks.cells import build
from hw.networks.random_network import random_network
from hw.overlay.hardware import Overlay
from hw.overlay.plan import OverlayPlan
from hw.verilog import emit, emit_overlay, rtl_folder, waivers
from sim import gates
from sim.lint import lint


def checked(emission: rtl_folder.Emission) -> None:
    lint(emission.files, emission.top, wall=False)
    lint(emission.files, emission.top)


def test_emitted_verilog_is_clean(hardware):
    checked(hardware.emission)


def test_loadable_verilog_is_clean(hardware):
    plan = loadable(hardware.network, hardware.plan, weights="block")
    checked(emit.emit(design(hardware.network, plan)))


def test_an_overlay_is_clean():
    sizes = Overlay(rows=2, columns=3, acc_bits=17, words=600, program_words=64, fabric="generic")
    checked(emit_overlay.emit(OverlayPlan(sizes, "none", 50.0)))


def test_an_overlay_of_an_ecp5_is_clean_beside_models_of_its_cells():
    sizes = Overlay(rows=2, columns=3, acc_bits=17, words=600, program_words=64, fabric="ecp5")
    emission = emit_overlay.emit(OverlayPlan(sizes, "none", 50.0))
    # What is said of the models is not ours.
    files = [name for name in gates.models() if name.endswith(".v")]
    quiet = "\n".join(["`verilator_config", *(f'lint_off -file "*{name}"' for name in files), ""])
    lint({**gates.models(), "models.vlt": quiet, **emission.files}, emission.top)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "arithmetic", "stem", "rom"), [
    ("ShiftNAS_C10", {}, "cifar", "inline"),
    ("NASNet", {"scale_terms": 1}, "imagenet", "hex"),
    ("AmoebaNet", {"paper": True}, "cifar", "hex"),
])  # fmt: skip
def test_published_genotypes_are_clean(name, arithmetic, stem, rom):
    graph = build(genotypes.get(name), channels=2, cells=1, image=(8, 9, 3), classes=3, stem=stem)
    network = random_network(graph, seed=1, **arithmetic)
    checked(emit.emit(propose(network, device("ulx3s-85f")), rom, name="other_name"))


def test_undriven_signal_is_found():
    text = (
        "module bad(input wire clk, output reg q); wire d; always @(posedge clk) q <= d; endmodule"
    )
    with pytest.raises(
        CheckFailed, match=r"lint: 1 findings, the first: %Warning-UNDRIVEN: bad\.v:"
    ):
        lint({"bad.v": f"{text}\n"}, "bad")


def test_a_sum_of_unlike_widths_is_found_without_flags():
    text = "module bad(input [3:0] a, output [7:0] q); assign q = a; endmodule\n"
    with pytest.raises(CheckFailed, match="the first: %Warning-WIDTHEXPAND"):
        lint({"bad.v": text}, "bad", wall=False)


def test_syntax_error_is_found():
    with pytest.raises(CheckFailed, match=r"the first: %Error: bad\.v:1"):
        lint({"bad.v": "module bad(input clk; endmodule\n"}, "bad")


def test_waivers_are_by_rule_with_a_reason_for_one_file():
    lines = [line for line in waivers.control_file("top.v").splitlines() if line][1:]
    waived = [k for k, line in enumerate(lines) if not line.startswith("//")]
    assert len(waived) == len(waivers.RULES)
    for k in waived:
        assert re.fullmatch(r'lint_off -rule [A-Z]+ -file "\*top\.v"', lines[k])
        assert lines[k - 1].startswith("// ")


@pytest.mark.parametrize("rule", waivers.RULES)
def test_every_waiver_is_needed(hardware, rule):
    files = dict(hardware.emission.files)
    control = f"{hardware.emission.top}.vlt"
    lines = files[control].splitlines(keepends=True)
    files[control] = "".join(line for line in lines if f" {rule} " not in line)
    with pytest.raises(CheckFailed, match=f"the first: %Warning-{rule}"):
        lint(files, hardware.emission.top)
