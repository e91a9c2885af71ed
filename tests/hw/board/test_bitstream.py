import hashlib
import json
from dataclasses import replace

import pytest

from hw.board import bitstream, boards, cores
from hw.board.cores import NetworkCore
from hw.build.families import FAMILIES
from hw.build.netlist import Netlist
from hw.dataflow.design.design import design
from hw.errors import CheckFailed, InputError


@pytest.fixture(scope="module")
def built(network, plan, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        built = bitstream.build(NetworkCore(design(network, plan)), "ulx3s-85f")
        assert not built.cached
        yield built


@pytest.mark.slow
def test_folder(built, tmp_path):
    bitstream.write(built, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "ulx3s-85f.bit",
        "report.json",
        "manifest.json",
    }
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest == built.manifest
    for name, facts in manifest["files"].items():
        content = (tmp_path / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == facts["sha256"]
        assert len(content) == facts["bytes"]
    # An ECP5 bitstream: comments, then the preamble.
    assert b"\xff\xff\xbd\xb3" in (tmp_path / "ulx3s-85f.bit").read_bytes()[:1000]


@pytest.mark.slow
def test_figures(built, network, plan):
    manifest = built.manifest
    assert manifest["clock_mhz"] == 50
    assert manifest["fmax_mhz"] >= 50
    built.require_timing()
    assert manifest["dsp"] == 0
    assert manifest["ff"] == manifest["synthesis"]["ff"]
    # The ends of carry chains come on top.
    assert 1 <= manifest["lut"] / manifest["synthesis"]["lut"] < 1.35
    assert manifest["fps"] == pytest.approx(50e6 / manifest["cycles_per_frame"], rel=1e-3)
    assert sum(layer["lut"] for layer in manifest["layers"]) == manifest["synthesis"]["lut"]
    assert (manifest["network_digest"], manifest["plan_digest"]) == (network.digest, plan.digest)


@pytest.mark.slow
def test_again_from_the_cache_with_the_same_bytes(built, network, plan):
    again = bitstream.build(NetworkCore(design(network, plan)), "ulx3s-85f")
    assert again.cached
    assert again.files == built.files


def test_timing_missed():
    slow = bitstream.Bitstream({}, {"fmax_mhz": 49.9, "clock_mhz": 50.0}, False)
    with pytest.raises(CheckFailed, match=r"49\.9 MHz reached, 50 MHz asked for; .* --clock 49$"):
        slow.require_timing()


def test_too_large_a_design_is_refused_before_routing():
    cell = {"type": "LUT4", "attributes": {}}
    module = {"cells": {str(n): cell for n in range(24_289)}, "netnames": {}}
    netlist = Netlist("t", module, FAMILIES["ecp5"])
    bitstream.require_fit(netlist, boards.board("ulx3s-45f"))
    rows = [{"name": name, "lut": lut, "ff": 0} for name, lut in (("a", 5), ("b", 9), ("c", 1))]
    with pytest.raises(InputError, match=r"24288, most of them in b \(9\), a \(5\), c \(1\); edit"):
        bitstream.require_fit(netlist, boards.board("ulx3s-25f"), rows, NetworkCore.relief)
    with pytest.raises(InputError, match="takes 24289 LUT sites and there are 24288"):
        bitstream.require_fit(netlist, boards.board("ulx3s-25f"))


def test_unknown_board(network, plan):
    with pytest.raises(InputError, match="no board is called 'x'"):
        bitstream.build(NetworkCore(design(network, plan)), "x")


def test_plan_of_another_network(network, plan):
    with pytest.raises(InputError, match="plan: network"):
        bitstream.build(NetworkCore(design(network, replace(plan, network="f" * 64))), "ulx3s-85f")


def test_what_the_board_lacks_is_said_before_anything_is_built(network, plan, monkeypatch):
    row = ("LFE5U-25F", 48.0, "orangecrab_r0_2:OrangeCrabR0_2_25FPlatform")
    monkeypatch.setitem(boards.BOARDS, "orangecrab", boards.Board("orangecrab", *row))
    monkeypatch.setattr(cores.emit, "emit", None)
    with pytest.raises(InputError, match="lacks a serial port"):
        bitstream.build(NetworkCore(design(network, plan)), "orangecrab")
    with pytest.raises(InputError, match="clock: 900 MHz is not what the PLL makes"):
        bitstream.build(NetworkCore(design(network, replace(plan, clock_mhz=900.0))), "ulx3s-85f")
