"""Coverage of one network by its layers."""

import dataclasses

import numpy as np
import pytest
from coverage_cases import made

from hw.errors import CheckFailed
from hw.ir import reference
from hw.ir.graph import Concat
from sim.coverage import instances
from sim.coverage.store import Coverage
from sim.coverage.values import rounded_kind
from sim.stimuli import random_images

NOTHING = {"held_back": [], "starved": [], "full": [], "waited": [], "tlast": []}


def network_of():
    return made((("sep_conv_3x3", 0), ("avg_pool_3x3", 1)))


def measured(network, layers, seen=NOTHING):
    coverage = Coverage()
    tensors = reference.run(network, random_images(network, 4, seed=2))
    instances.measure(coverage, network, layers, tensors, seen)
    return coverage.networks[network.digest], tensors


def hit(group):
    return {name for name, times in group.hits.items() if times}


def test_every_layer_is_there_and_only_those_that_ran_are_hit():
    network = network_of()
    groups, _ = measured(network, {"stem/conv"})
    assert list(groups) == [node.name for node in network.graph.nodes[1:]]
    assert {name for name, group in groups.items() if hit(group)} == {"stem/conv"}
    found = hit(groups["stem/conv"])
    assert {"reads input: largest", "window top", "window inside", "rounded up"} <= found


def test_counts_are_those_of_the_tensors():
    network = network_of()
    groups, tensors = measured(network, {node.name for node in network.graph})
    for node in network.graph.nodes[1:]:
        group = groups[node.name]
        if rounded_kind(node) is None:
            assert "clamped low" not in group.hits
            continue
        fmt, codes = network.formats[node.name], tensors[node.name]
        for end, value in (("smallest", fmt.qmin), ("largest", fmt.qmax)):
            clamped = group.hits["clamped low" if end == "smallest" else "clamped high"]
            assert clamped + group.hits[f"{end} code"] == np.count_nonzero(codes == value)
        roundings = sum(group.hits[name] for name in instances.ROUNDED)
        assert roundings <= codes.size


def test_values_next_to_the_clamp_are_told_apart():
    """A layer's biases set so that its sums are one beyond the largest code, or it."""
    network = network_of()
    name = "cell0/edge0_sep_conv_3x3/pw1"
    node, fmt = network.graph[name], network.formats[name]
    for code, bins in (
        (fmt.qmax, {"largest code"}),
        (fmt.qmax + 1, {"one above the largest code", "clamped high"}),
        (fmt.qmax + 2, {"clamped high"}),
        (fmt.qmin - 1, {"one below the smallest code", "clamped low"}),
    ):
        params = network.params[name]
        shift = instances.reach.rounding(network, node).shift
        zeros = dataclasses.replace(
            params, codes=params.codes * 0, bias=(code << shift,) * node.shape[2]
        )
        # All weights zero: the biases alone, at the shift of a layer without weights.
        dead = dataclasses.replace(network, params=network.params | {name: zeros})
        now = instances.reach.rounding(dead, node).shift
        zeros = dataclasses.replace(zeros, bias=(code << now,) * node.shape[2])
        dead = dataclasses.replace(network, params=network.params | {name: zeros})
        groups, _ = measured(dead, {name})
        clamp = {bin_name for bin_name in instances.CLAMP if groups[name].hits[bin_name]}
        assert clamp == bins
        assert set(instances.CLAMP) - bins <= set(groups[name].out_of_reach)


def test_what_is_said_to_be_out_of_reach_and_seen_is_an_error(monkeypatch):
    network = network_of()
    monkeypatch.setattr(instances.reach.Values, "meets", lambda self, low, high: False)
    with pytest.raises(CheckFailed, match=r"stem/conv: .* was hit, but is said to be out of reach"):
        measured(network, {"stem/conv"})


def test_streams_fifos_and_the_last_beat():
    network = network_of()
    node = network.graph["cell0/node2"]
    first = f"{node.name} input 0 ({node.inputs[0]})"
    seen = {
        "held_back": ["stem/conv", "classifier (m_axis)"],
        "starved": ["classifier", "classifier (m_axis)"],
        "full": [first],
        "waited": [],
        "tlast": ["held back"],
    }
    groups, _ = measured(network, (), seen)
    assert hit(groups["stem/conv"]) == {"output held back"}
    assert hit(groups["classifier"]) == {
        "output held back", "output waited for", "tlast held back",
    }  # fmt: skip
    assert hit(groups[node.name]) == {f"{first}, full"}
    concat = next(one for one in network.graph if isinstance(one, Concat))
    assert len(concat.inputs) == 1
    alone = f"{concat.name} input 0 ({concat.inputs[0]}), waited for"
    assert groups[concat.name].out_of_reach[alone] == "the only input"


def test_windows_beside_the_image_are_out_of_reach():
    """A 3×3 window at stride 2 on an even side hangs over the first row only."""
    network = made((("max_pool_3x3", 0), ("max_pool_3x3", 1)), image=(6, 8, 1))
    groups, _ = measured(network, {node.name for node in network.graph})
    pool = next(n for n in network.graph if n.name.endswith("/pool") and n.stride == (2, 2))
    group = groups[pool.name]
    assert group.hits["window top"] and group.hits["window left"]
    assert {"window bottom", "window right"} <= set(group.out_of_reach)
