"""The way of the demo on digits in the smallest setting, up to the co-simulation, twice."""

import json
import re
from dataclasses import replace

import pytest

from hw.commands import demo
from hw.commands.ledger import Ledger
from hw.dataflow import plan_file
from hw.ir import serialize
from hw.report import page

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Folder and records of all steps but the bitstream, which takes a minute."""
    out = tmp_path_factory.mktemp("demo") / "out"
    way = demo.steps(
        out,
        data_set="digits",
        config="tiny",
        board="ulx3s-85f",
        lanes=16,
        fps=100,
        frames=4,  # a whole batch of the overlay's
        stall=0.3,
        seed=1,
    )
    # Whether the code has changed does not count here: someone may be at work on it.
    way = [replace(step, code=()) for step in way if step.name != "overlay bitstream"]
    ledger = Ledger(out / "demo.json")
    return out, way, {step.name: ledger.run(step) for step in way}


@pytest.mark.parametrize("style", ["overlay", "dataflow"])
def test_every_bit_is_equal(run, style):
    out, _, done = run
    assert all(step.passed and not step.kept for step in done.values())
    compared = done[f"{style} cosim"].result
    network = serialize.load(out / "network")
    assert compared["mismatches"] == 0
    assert compared["frames"] == 8 and compared["stalled_frames"] == 4
    names = [node.name for node in network.graph.nodes[1:]]
    assert set(names) <= set(compared["compared"]), "every layer, cells and logits among them"


def test_every_beat_of_the_streams_is_equal(run):
    out, _, done = run
    network = serialize.load(out / "network")
    assert done["dataflow cosim"].result["beats"] >= 8 * sum(
        node.shape[0] * node.shape[1] * node.shape[2] for node in network.graph.nodes[1:]
    )


def test_prediction_is_what_the_simulation_counts(run):
    _, _, done = run
    for style, within in (("overlay", 0), ("dataflow", 0.02)):
        predicted = done[f"{style} plan"].result["cycles_per_frame"]
        counted = done[f"{style} cosim"].result["cycles_per_frame"]
        assert counted == pytest.approx(predicted, rel=within), style


def test_the_files_belong_together(run):
    out, _, done = run
    network = serialize.load(out / "network")
    planned = plan_file.load(out / "dataflow-plan.yaml")
    manifest = json.loads((out / "dataflow-rtl" / "manifest.json").read_text())
    assert done["export"].result["digest"] == network.digest == planned.network
    assert manifest["network_digest"] == network.digest
    assert manifest["plan_digest"] == planned.digest
    assert manifest["digest"] == done["dataflow emit"].result["digest"]
    assert network.meta["genotype"] == done["search"].result["genotype"]
    overlay = json.loads((out / "overlay-rtl" / "manifest.json").read_text())
    program = json.loads((out / "overlay-rtl" / "program" / "program.json").read_text())
    assert program["network_digest"] == network.digest
    assert program["overlay_digest"] == overlay["overlay_digest"]


def test_a_second_run_runs_nothing(run):
    out, way, done = run
    again = Ledger(out / "demo.json")
    for step in way:
        kept = again.run(step)
        assert kept.kept and kept.result == done[step.name].result


def test_the_page_has_curves_and_cells(run):
    out, _, _ = run
    text = page.page(page.read(out))
    titles = re.findall(r"<figcaption>(.*?)</figcaption>", text)
    assert {"Normal cell", "Reduction cell", "Accuracy", "Learning rate"} <= set(titles)
    assert len(titles) == text.count("data:image/svg+xml;base64,") >= 8
