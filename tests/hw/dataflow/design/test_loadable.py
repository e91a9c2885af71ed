"""Layers whose weights are loaded, in Amaranth's simulator: as built, and with others' weights."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth import Module, ResetInserter
from amaranth.lib import wiring
from hypothesis import given, settings
from hypothesis import strategies as st
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
from loadable_cases import bus_writes, loadable, other_weights, wider
from stream_simulation import run_streams

from hw.dataflow.design.design import design, engine_design
from hw.dataflow.design.envelope import dense_words, envelope
from hw.dataflow.design.memories import memory_sizes, memory_words
from hw.dataflow.flow.timing import engine_timing
from hw.dataflow.loading.addresses import address_map
from hw.errors import InputError
from hw.ir import graph as g
from hw.ir.format import Format, width_of
from hw.ir.parameters import Arithmetic, Rounding

WEIGHTED = [name for name, (node, _) in LAYERS.items() if isinstance(node, g.Weighted)]
ARITHMETICS = {
    "exact": Arithmetic(),
    "guard": Arithmetic(guard=4),
    "many guard bits": Arithmetic(guard=16, scale_terms=1),
    "six bits, floor": Arithmetic(weight_bits=6, rounding=Rounding.FLOOR, scale_terms=4),
}


def case(name, element="barrel", pe=1, *, seed=0, arithmetic="exact", width=8, weights="lutram"):
    """A layer's network, and a plan with ample room."""
    node, shapes = LAYERS[name]
    network = layer_network(node, shapes, seed=seed, fmt=S8, arithmetic=ARITHMETICS[arithmetic])
    if not isinstance(node, g.Linear):
        network = saturating(network, "x", random_frames(network, "x", 2, seed), width)
    plan = loadable(network, layer_plan(network, "x", element, pe), weights=weights)
    return network, wider(plan, scale=(-9, 3), bias=44)


class Halted(wiring.Component):
    """A loadable layer in reset while its memories are the loader's."""

    def __init__(self, inner: wiring.Component):
        self.inner = inner
        super().__init__(dict(inner.signature.members.items()))

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = ResetInserter(self.load.halt)(self.inner)
        for name in self.signature.members:
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(self.inner, name))
        return m


def run(network, plan, loaded=None, *, stall=0.0, seed=0, read=False):
    """The layer's output, and what it ought to be; `loaded`: weights put into it before."""
    component = Halted(layer(network, plan))
    wanted = network if loaded is None else loaded
    arrays = random_frames(wanted, "x", 2, seed)
    want = expected(wanted, "x", arrays)
    back = []

    async def load(ctx):
        bus = component.load
        words = memory_words(design(wanted, plan).engines["x"])
        writes = bus_writes(wanted, "x", plan, words)
        ctx.set(bus.halt, 1)
        for write in (1, 0) if read else (1,):
            for address, value in writes:
                ctx.set(bus.address, address)
                ctx.set(bus.data, value)
                ctx.set(bus.write, write)
                ctx.set(bus.strobe, 1)
                await ctx.tick()
                ctx.set(bus.strobe, 0)
                assert ctx.get(bus.done)
                if not write:
                    back.append((address, ctx.get(bus.value)))
                await ctx.tick()
                assert not ctx.get(bus.done)
        ctx.set(bus.halt, 0)
        assert back == (writes if read else [])

    beats = {"i": np.ravel(arrays[0]).tolist()}
    before = load if loaded is not None else None
    got, _ = run_streams(component, beats, len(want), stall=stall, seed=seed, before=before)
    return got, want


@pytest.mark.parametrize(
    "name, arithmetic",
    [(name, "exact") for name in WEIGHTED]
    + [(name, one) for name in ("pointwise", "depthwise3", "linear") for one in ARITHMETICS],
)
def test_as_built_it_equals_the_reference(name, arithmetic):
    network, plan = case(name, arithmetic=arithmetic, seed=len(name))
    got, want = run(network, plan, stall=0.2)
    assert got == want


@pytest.mark.parametrize("name", ["pointwise", "depthwise3", "dilated3_stride2_tiny", "linear"])
def test_loaded_with_other_weights(name):
    """The other weights, read back, and all of it over again with the first ones."""
    network, plan = case(name)
    other = other_weights(network, 5)
    got, want = run(network, plan, other, read=True)
    assert got == want
    assert want != run(network, plan)[1]
    got, want = run(other, plan, network)
    assert got == want


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_any_weights_in_any_hardware(data):
    name = data.draw(st.sampled_from(["pointwise", "depthwise3", "reduce_even", "linear", "stem"]))
    arithmetic = data.draw(st.sampled_from(list(ARITHMETICS)))
    exact = ARITHMETICS[arithmetic].guard is None
    element = data.draw(st.sampled_from(["barrel", "horner"] if exact else ["barrel"]))
    channels = LAYERS[name][0].shape[2]
    lanes = [n for n in range(1, channels + 1) if channels % n == 0]
    pe = data.draw(st.sampled_from(lanes)) if element == "barrel" and name in DENSE else 1
    width = data.draw(st.sampled_from([4, 8, 12]))
    network, plan = case(name, element, pe, arithmetic=arithmetic, width=width)
    zeros = data.draw(st.sampled_from([0.0, 0.5, 1.0]))
    p_min = data.draw(st.sampled_from([None, -3, 0]))
    other = other_weights(network, data.draw(st.integers(0, 99)), zeros=zeros, p_min=p_min)
    got, want = run(network, plan, other, stall=data.draw(st.sampled_from([0.0, 0.3])))
    assert got == want


def test_output_steps_coarser_than_the_sum_and_finer():
    """Right shifts, none, and left shifts, with and without batch norm."""
    for name in ("pointwise", "depthwise3"):
        network, plan = case(name)
        for frac in (-12, 6, 25):
            formats = {**network.formats, "x": Format(True, 12, frac)}
            coarse = replace(network, formats=formats)
            got, want = run(coarse, plan, other_weights(coarse, 2, p_min=-2))
            assert got == want, (name, frac)


@pytest.mark.parametrize("element, pe", [("barrel", 1), ("barrel", 2), ("horner", 1)])
def test_the_longest_program_is_that_of_dense_weights(element, pe):
    for name in sorted(DENSE - {"reduce_even"}) + ["depthwise3", "grouped"][: pe == 1]:
        network, plan = case(name, element, pe)
        node, choice = network.graph["x"], plan.layers["x"]
        dense = other_weights(network, 1, zeros=0.0)
        codes = dense.params["x"].codes
        if element == "horner":
            # The largest exponent in every channel: doublings all the way down to the smallest.
            codes = np.ones_like(codes)
            codes.flat[0] = 15
        dense = replace(dense, params={"x": replace(dense.params["x"], codes=codes)})
        words = dense_words(network, node, choice)
        assert len(engine_design(dense, node, choice).program) == words == choice.load.words


def test_lanes_on_both_sides_of_a_factorized_reduce():
    node = g.FactorizedReduce(name="x", inputs=("a",), shape=(2, 2, 6))
    network = layer_network(node, [(4, 4, 2)], seed=1, fmt=S8, zeros=0.0)
    plan = loadable(network, layer_plan(network, "x", "barrel", 2))
    program = design(network, plan).engines["x"].program
    assert len(program) == plan.layers["x"].load.words == 8
    got, want = run(network, plan)
    assert got == want


def test_the_hardware_does_not_depend_on_the_weights():
    for name in WEIGHTED:
        network, plan = case(name)
        node, choice = network.graph["x"], plan.layers["x"]
        other = other_weights(network, 3)
        assert envelope(network, node, choice) == envelope(other, node, choice)
        mine, theirs = design(network, plan), design(other, plan)
        assert memory_sizes(mine.engines["x"]) == memory_sizes(theirs.engines["x"])
        assert address_map(mine) == address_map(theirs)


def test_timing_is_that_of_the_weights_at_hand():
    network, plan = case("depthwise3")
    node, choice = network.graph["x"], plan.layers["x"]
    sparse, dense = (other_weights(network, 1, zeros=zeros) for zeros in (1.0, 0.0))
    engines = [engine_design(one, node, choice) for one in (sparse, network, dense)]
    times = [engine_timing(engine).interval for engine in engines]
    assert times == sorted(times)
    assert times[0] < times[-1]


def test_weights_that_do_not_fit():
    network, plan = case("pointwise")
    node = network.graph["x"]
    load = plan.layers["x"].load
    for field, value, message in (
        ("words", 4, r"x: words: the program has \d+ words, the hardware holds 4"),
        ("scale", (-2, 3), r"x: scale: the exponents of its scales are -\d+ to -?\d+, the hard"),
        ("scale", (-30, -5), r"x: scale: .*, the hardware holds -30 to -5"),
        ("bias", 1, r"x: bias: needs \d+ bits, the hardware holds \d+"),
    ):
        narrow = replace(plan.layers["x"], load=replace(load, **{field: value}))
        with pytest.raises(InputError, match=message):
            engine_design(network, node, narrow)
    network, plan = case("linear")
    narrow = replace(plan.layers["x"], load=replace(plan.layers["x"].load, bias=6))
    bits = width_of(*(edge(network.params["x"].bias) for edge in (min, max)))
    assert bits > 6
    with pytest.raises(InputError, match=rf"x: bias: needs {bits} bits, the hardware holds 6"):
        engine_design(network, network.graph["x"], narrow)


def test_dead_channels_only():
    network, plan = case("pointwise")
    params = network.params["x"]
    none = np.zeros_like(params.scale_sign)
    dead = replace(params, scale_sign=none, scale_exp=none.astype(np.int16), bias=(9, -70, 0, 5))
    got, want = run(network, plan, replace(network, params={"x": dead}))
    assert got == want
