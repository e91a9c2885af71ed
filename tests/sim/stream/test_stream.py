"""The agents, their rules and the scoreboard, on a design that is wrong on demand: the cocotb tests
of tests/support/tb_stream.py, in both simulators.
"""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from sim import runner

DESIGN = Path(__file__).parents[2] / "support" / "stream_faults.v"


@pytest.mark.parametrize(
    ("simulator", "tests"),
    [("verilator", 74), pytest.param("icarus", 77, marks=pytest.mark.icarus)],
)
def test_agents_rules_and_scoreboard(simulator, tests, tmp_path):
    ports = ["clk", "rst", "fault"]
    for stream in ("s_axis", "m_axis"):
        ports += [f"{stream}_t{part}" for part in ("data", "valid", "ready", "last")]
    ports.append("m_axis_tuser")
    model = runner.build(
        {DESIGN.name: DESIGN.read_text()},
        DESIGN.stem,
        runner.Build(simulator),
        public=ports,
    )
    runner.run(model, "tb_stream", tmp_path, seed=1)
    cases = list(ElementTree.parse(tmp_path / "results.xml").getroot().iter("testcase"))
    assert len([case for case in cases if case.find("skipped") is None]) == tests
    log = (tmp_path / "sim.log").read_text()
    assert "the test ended without finish(); s_axis: 5 frames not taken" in log
