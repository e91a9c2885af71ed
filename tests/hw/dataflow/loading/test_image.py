"""Load images as files, what is refused, and the address map."""

import json
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from click.testing import CliRunner
from loadable_cases import loadable, other_weights, wider

from hw.board.boards import device
from hw.commands.load import load as command
from hw.dataflow import cost, plan_file
from hw.dataflow.check import check
from hw.dataflow.design.design import design
from hw.dataflow.loading import image
from hw.dataflow.loading.addresses import CONTROLS, address_bits, address_map, map_digest
from hw.dataflow.plan import as_dict, from_dict
from hw.dataflow.planner import propose
from hw.errors import InputError
from hw.ir import serialize
from hw.ir.format import Format
from hw.ir.parameters import Rounding
from hw.verilog import emit, rtl_folder


@pytest.fixture(scope="module")
def case(network, plan):
    """A network, other weights for it, a plan for both, and the manifest's part for images."""
    plan = wider(loadable(network, plan), scale=(-7, 3), bias=20)
    manifest = {
        "plan": as_dict(plan),
        "load": image.describe(design(network, plan)),
        "network_digest": network.digest,
    }
    return network, other_weights(network, 3), plan, manifest


def test_regions_are_apart_and_aligned(case):
    network, _, plan, manifest = case
    regions = [one for layer in address_map(design(network, plan)).values() for one in layer]
    taken = [range(one.base, one.base + one.size) for one in regions]
    assert all(one.base % one.size == 0 for one in regions)
    assert all(a.stop <= b.start for a, b in pairwise(taken))
    assert taken[0].start >= CONTROLS and taken[-1].stop <= 1 << address_bits(
        address_map(design(network, plan))
    )
    shown = manifest["load"]["map"]["stem/conv"][0]
    assert shown["name"] == "program" and shown["address"] == 4 * regions[0].base


def test_an_image_for_other_weights(case, tmp_path):
    network, other, _, manifest = case
    made = image.make(other, manifest)
    own = image.make(network, manifest)
    assert made.writes != own.writes
    assert len({address for address, _ in made.writes}) == len(made.writes)
    assert all(address % 4 == 0 and 0 <= value < 1 << 32 for address, value in made.writes)
    assert made.summary["writes"] == len(made.writes)
    assert made.summary["network_digest"] == other.digest
    image.save(made, tmp_path)
    assert image.read(tmp_path) == made
    text = (tmp_path / image.WEIGHTS).read_text()
    (tmp_path / image.WEIGHTS).write_text(text.replace("0", "1", 1))
    with pytest.raises(InputError, match=r"weights.hex: changed since it was made; make it again"):
        image.read(tmp_path)
    (tmp_path / image.SUMMARY).write_text(json.dumps({**made.summary, "schema_version": 2}))
    with pytest.raises(InputError, match="schema_version: 2 is newer than 1"):
        image.read(tmp_path)
    with pytest.raises(InputError, match="no load image"):
        image.read(tmp_path / "nowhere")


def test_what_is_refused(case, network, plan):
    _, other, loading, manifest = case
    with pytest.raises(InputError, match="load: the weights of this RTL are fixed; plan it with"):
        image.make(other, {"plan": as_dict(plan), "network_digest": network.digest})
    formats = {**other.formats, "stem/conv": Format(True, 8, 6)}
    with pytest.raises(InputError, match=r"NET: stem/conv: s8.6, in manifest.json s8.5; only wei"):
        image.make(replace(other, formats=formats), manifest)
    arithmetic = replace(other.arithmetic, rounding=Rounding.FLOOR)
    with pytest.raises(InputError, match=r"NET: rounding: floor, in manifest\.json half_up"):
        image.make(replace(other, arithmetic=arithmetic), manifest)
    nodes = other.graph.nodes
    padded = replace(nodes[1], kernel=(1, 1), padding=(0, 0))
    graph = replace(other.graph, nodes=(nodes[0], padded, *nodes[2:]))
    with pytest.raises(InputError, match=r"NET: stem/conv: kernel: \[1, 1\], in manifest.json \["):
        image.make(replace(other, graph=graph), manifest)
    narrow = {**manifest, "plan": as_dict(wider(loading, scale=(-3, 1)))}
    narrow["load"] = image.describe(design(network, wider(loading, scale=(-3, 1))))
    with pytest.raises(InputError, match=r"stem/conv: scale: the exponents .* holds -3 to 1$"):
        image.make(other, narrow)
    with pytest.raises(InputError, match="map_digest: of another version; emit the RTL again"):
        image.make(other, {**manifest, "plan": as_dict(wider(loading, scale=(-8, 3)))})


def test_the_hardware_is_that_of_all_weights(case):
    """Emitted for either network, the RTL differs in what memories and registers begin with."""
    network, other, plan, _ = case
    texts = []
    for one in (network, other):
        text = emit.emit(design(one, replace(plan, network=one.digest))).verilog
        text = text[text.index("\nmodule ") :]
        text = re.sub(r"^ *//.*\n", "", text, flags=re.M)
        text = re.sub(r"  initial begin\n.*?  end\n", "", text, flags=re.S)
        text = re.sub(r"(\S*(?:network|last_word)\S*)\s+= \d+'h[0-9a-f]+", r"\1", text)
        texts.append(text)
    assert texts[0] == texts[1]
    assert map_digest(design(network, plan)) == map_digest(design(other, plan))


def test_the_planner_covers_the_networks_it_is_told_of(case):
    network, other, _, _ = case
    plan = propose(network, device("ulx3s-85f"), loadable=True, cover=[other]).plan
    check(plan, network)
    assert plan.loadable
    assert {layer.weights for layer in plan.layers.values()} <= {"lutram", "block"}
    assert plan_file.loads(plan_file.dumps(plan), "plan.yaml") == plan
    assert from_dict(as_dict(plan)) == plan
    described = image.describe(design(network, plan))
    manifest = {"plan": as_dict(plan), "load": described, "network_digest": network.digest}
    for one in (network, other):
        assert image.make(one, manifest).summary["writes"]
    predicted = cost.predict(design(network, plan))
    fixed = cost.predict(propose(network, device("ulx3s-85f")))
    assert predicted.lut > fixed.lut


def test_command(case, tmp_path):
    network, other, plan, _ = case
    serialize.save(other, tmp_path / "net")
    (tmp_path / "rtl").mkdir()
    emission = emit.emit(design(network, plan))
    rtl_folder.write(emission, tmp_path / "rtl")
    arguments = [str(tmp_path / "net"), "--rtl", str(tmp_path / "rtl")]
    arguments += ["--out", str(tmp_path / "image"), "--json"]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    said = json.loads(result.stdout)
    made = image.read(tmp_path / "image")
    assert said["writes"] == len(made.writes)
    assert made == image.make(other, emission.manifest)
    names = {port["name"] for port in emission.manifest["ports"]}
    assert {"s_axil_awaddr", "s_axil_rready"} <= names
