"""The bitstreams in the repository are those of their networks and plans, and their checks held."""

import hashlib
import json
from pathlib import Path

import pytest

from hw.board import boards
from hw.dataflow import plan_file
from hw.dataflow.check import check
from hw.ir.serialize import load

FOLDERS = sorted(
    path.parent for path in (Path(__file__).parent.parent / "bitstreams").glob("*/manifest.json")
)


def test_there_is_one():
    assert FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_manifest_belongs_to_network_plan_and_files(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    network = load(folder / "network")
    plan = check(plan_file.load(folder / "plan.yaml"), network).plan
    assert manifest["network_digest"] == network.digest
    assert manifest["plan_digest"] == plan.digest
    assert manifest["board"] == folder.name == boards.board(plan.board).name
    for name, facts in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == facts["sha256"], name
    assert manifest["bitstream"] in manifest["files"]
    assert manifest["dsp"] == 0
    assert manifest["fmax_mhz"] >= plan.clock_mhz
