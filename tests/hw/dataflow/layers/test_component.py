"""Every operation's RTL against the reference, in Amaranth's simulator, with and without stalls."""

import gc
import warnings
from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Fragment, UnusedElaboratable
from layer_cases import (
    DENSE,
    LAYERS,
    S8,
    expected,
    layer,
    layer_network,
    layer_plan,
    random_frames,
    saturating,
)
from stream_simulation import run_streams

from hw.dataflow.design.design import engine_design
from hw.dataflow.design.envelope import dense_words
from hw.dataflow.flow.timing import engine_timing
from hw.ir import graph as g
from hw.ir.format import IMAGE_FORMAT, Format
from hw.ir.parameters import Arithmetic, Rounding


def check(
    node,
    shapes,
    *,
    element="barrel",
    pe=1,
    stall=0.0,
    seed=0,
    frames=2,
    width=8,
    slack=1,
    **options,
) -> int:
    sources = options.pop("sources", [S8] * len(shapes))
    network = layer_network(node, shapes, seed=seed, sources=sources, fmt=sources[0], **options)
    arrays = random_frames(network, "x", frames, seed)
    if isinstance(node, g.Conv | g.FactorizedReduce | g.Add | g.Concat):
        network = saturating(network, "x", arrays, width)
    plan = layer_plan(network, "x", element, pe, slack)
    ports = ["i"] if len(arrays) == 1 else [f"i{k}" for k in range(len(arrays))]
    beats = {p: a.reshape(-1).tolist() for p, a in zip(ports, arrays, strict=True)}
    want = expected(network, "x", arrays)
    got, cycles = run_streams(layer(network, plan), beats, len(want), stall=stall, seed=seed)
    assert got == want
    return cycles


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize("name", LAYERS)
def test_layer_equals_reference(name, stall):
    node, shapes = LAYERS[name]
    check(node, shapes, stall=stall, seed=len(name))


@pytest.mark.parametrize(
    "name", [n for n, (node, _) in LAYERS.items() if isinstance(node, g.Weighted)]
)
def test_horner_element(name):
    node, shapes = LAYERS[name]
    check(node, shapes, element="horner", seed=3)


@pytest.mark.parametrize("name", sorted(DENSE))
def test_lanes_in_parallel(name):
    node, shapes = LAYERS[name]
    for pe in (p for p in range(2, node.shape[2] + 1) if node.shape[2] % p == 0):
        check(node, shapes, pe=pe, seed=pe, stall=0.2)


@pytest.mark.parametrize("guard", [0, 4, 14])
def test_guard_bits(guard):
    for name in ("pointwise", "depthwise3"):
        node, shapes = LAYERS[name]
        check(node, shapes, seed=guard, arithmetic=Arithmetic(guard=guard))


def test_paper_mode():
    wide = Format(True, 32, 16)
    paper = Arithmetic(weight_bits=6, guard=0, rounding=Rounding.FLOOR)
    for name in ("pointwise", "stem", "depthwise3", "reduce_odd", "add", "avg", "max", "global"):
        node, shapes = LAYERS[name]
        check(
            node, shapes, seed=9, sources=[wide] * len(shapes), width=32, arithmetic=paper, frames=1
        )


@pytest.mark.parametrize(
    "source, width",
    [
        (IMAGE_FORMAT, 4),
        (Format(True, 16, 12), 16),
        (Format(True, 2, 0), 5),
        (Format(True, 6, 7), 12),
    ],
)
def test_formats(source, width):
    for name in ("pointwise", "depthwise3", "add", "concat", "reduce_odd"):
        node, shapes = LAYERS[name]
        check(node, shapes, seed=1, sources=[source] * len(shapes), width=width)


def test_adding_a_tensor_of_another_scale():
    node, shapes = LAYERS["add"]
    check(node, shapes, sources=[Format(True, 8, 7), Format(True, 8, 2)])


def test_dead_channels():
    """All weights zero: the output is the rounded bias, for both elements and any lanes."""
    node, shapes = LAYERS["pointwise"]
    for element, pe in (("barrel", 1), ("barrel", 2), ("horner", 1)):
        check(node, shapes, element=element, pe=pe, zeros=1.0)


@pytest.mark.parametrize("name", ["pointwise", "stem", "depthwise3", "avg", "reduce_even"])
def test_cycles_as_predicted(name):
    """Later frames take the cycles that the cost model predicts, or as many as they have beats."""
    node, shapes = LAYERS[name]
    network = layer_network(node, shapes, seed=0, fmt=S8)
    engine = engine_design(network, node, layer_plan(network, "x").layers["x"])
    predicted = engine_timing(engine).interval
    times = [check(node, shapes, seed=0, frames=frames, slack=2) for frames in (2, 6)]
    measured = (times[1] - times[0]) / 4
    pixels = node.shape[0] * node.shape[1]
    assert measured == predicted * pixels


def test_a_corrupted_weight_is_seen():
    node, shapes = LAYERS["pointwise"]
    network = layer_network(node, shapes, seed=0, fmt=S8)
    arrays = random_frames(network, "x", 1, 0)
    want = expected(network, "x", arrays)
    codes = network.params["x"].codes.copy()
    codes[0, 0, 0, 0] = 0 if codes[0, 0, 0, 0] else 1
    network.params["x"] = type(network.params["x"])(
        codes, *(getattr(network.params["x"], f) for f in ("scale_sign", "scale_exp", "bias"))
    )
    component = layer(network, layer_plan(network, "x"))
    got, _ = run_streams(component, {"i": np.ravel(arrays[0]).tolist()}, len(want))
    assert got != want


def test_no_element_and_no_place_stands_for_another():
    """Values that a plan's check lets through by mistake raise where a layer is made of them."""
    node, shapes = LAYERS["pointwise"]
    network = layer_network(node, shapes, seed=0, fmt=S8)
    plan = layer_plan(network, "x")

    def error(**change):
        changed = replace(plan, layers={"x": replace(plan.layers["x"], **change)})
        try:
            Fragment.get(layer(network, changed), None)
        except (ValueError, KeyError) as raised:
            return str(raised)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        assert error(element="third") == "x: no weights in a third element"
        assert error(weights="third") == "'third'"
        gc.collect()
    with pytest.raises(ValueError, match="third"):
        dense_words(network, network.graph["x"], replace(plan.layers["x"], element="third"))
