"""Every operation in Verilator under cocotb, with random stalls, against the reference: one model
holds them all."""

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import stream, wiring
from layer_cases import (
    LAYERS,
    S8,
    expected,
    layer,
    layer_network,
    layer_plan,
    random_frames,
    saturating,
)

from hw.errors import CheckFailed
from hw.ir import graph as g
from hw.ir.network import Network
from hw.ir.parameters import Arithmetic, LayerParams
from sim.component import check

FRAMES = 3


class Bench(wiring.Component):
    """Independent components side by side; port `p` of component `name` becomes `name_p`."""

    def __init__(self, parts: dict[str, wiring.Component]):
        self.parts = parts
        super().__init__(
            {
                f"{name}_{port}": member
                for name, part in parts.items()
                for port, member in part.signature.members.items()
                if isinstance(member.signature, stream.Signature)
            }
        )

    def elaborate(self, platform):
        m = Module()
        for name, part in self.parts.items():
            m.submodules[name] = part
            for port in part.signature.members:
                wiring.connect(
                    m, wiring.flipped(getattr(self, f"{name}_{port}")), getattr(part, port)
                )
        return m


def case(name: str, arithmetic: Arithmetic) -> tuple[Network, list[np.ndarray]]:
    node, shapes = LAYERS[name]
    sources = [S8] * len(shapes)
    network = layer_network(node, shapes, seed=7, sources=sources, fmt=S8, arithmetic=arithmetic)
    arrays = random_frames(network, "x", FRAMES, seed=7)
    if isinstance(node, g.Conv | g.FactorizedReduce | g.Add | g.Concat):
        network = saturating(network, "x", arrays, 8)
    return network, arrays


EXACT = Arithmetic()


def bench(names, arithmetic=EXACT, element="barrel"):
    parts, inputs, outputs = {}, {}, {}
    for name in names:
        network, arrays = case(name, arithmetic)
        node = network.graph["x"]
        parts[name] = layer(network, layer_plan(network, "x", element))
        joins = isinstance(node, g.Add | g.Concat)
        for k, array in enumerate(arrays):
            inputs[f"{name}_i{k if joins else ''}"] = array.reshape(-1).tolist()
        outputs[f"{name}_o"] = expected(network, "x", arrays)
    return parts, inputs, outputs


@pytest.mark.slow
@pytest.mark.parametrize(
    "arithmetic, element",
    [
        pytest.param(Arithmetic(), "barrel", marks=pytest.mark.thorough),
        (Arithmetic(guard=4), "barrel"),
        (Arithmetic(), "horner"),
    ],
    ids=["exact", "guard4", "horner"],
)
def test_every_layer_under_stalls(arithmetic, element):
    names = (
        LAYERS
        if element == "barrel"
        else [n for n, (x, _) in LAYERS.items() if isinstance(x, g.Weighted)]
    )
    parts, inputs, outputs = bench(names, arithmetic, element)
    checked = check(Bench(parts), inputs, outputs)
    assert checked.beats == 5 * sum(map(len, outputs.values()))


@pytest.mark.slow
def test_a_flipped_weight_sign_is_found():
    """The bench notices one wrong weight in one layer."""
    network, (array,) = case("pointwise", Arithmetic())
    inputs = {"pointwise_i": array.reshape(-1).tolist()}
    outputs = {"pointwise_o": expected(network, "x", [array])}
    params = network.params["x"]
    codes = params.codes.copy()
    first = tuple(axis[0] for axis in codes.nonzero())
    codes[first] ^= 16
    wrong = LayerParams(codes, params.scale_sign, params.scale_exp, params.bias)
    flipped = Network(network.graph, network.formats, {"x": wrong}, network.arithmetic)
    part = layer(flipped, layer_plan(flipped, "x"))
    with pytest.raises(CheckFailed, match="pointwise_o"):
        check(Bench({"pointwise": part}), inputs, outputs)
