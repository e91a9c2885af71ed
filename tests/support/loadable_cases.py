"""Loadable layers and networks, and other weights for them."""

from dataclasses import replace

import numpy as np
from amaranth.sim import Simulator

from hw.dataflow.design.design import design
from hw.dataflow.design.envelope import room_for
from hw.dataflow.loading.addresses import address_map
from hw.dataflow.loading.image import region_writes
from hw.dataflow.plan import LoadPlan, Plan
from hw.ir import graph as g
from hw.ir.network import Network
from hw.ir.parameters import LayerParams
from hw.ir.weights import P_MIN, encode

IDENTITY, CONTROL, STATUS, MAP, NETWORK = 0x00, 0x08, 0x0C, 0x10, 0x18
"""Byte addresses of the registers."""


def loadable(network: Network, plan: Plan, *, weights: str = "lutram", margin: int = 2) -> Plan:
    """The plan with room for other weights in every weighted layer."""
    layers = dict(plan.layers)
    for node in network.graph:
        if isinstance(node, g.Weighted):
            layer = layers[node.name]
            room = room_for(network, node, layer, margin=margin)
            layers[node.name] = replace(layer, weights=weights, load=room)
    return replace(plan, layers=layers)


def wider(plan: Plan, **fields) -> Plan:
    """The plan with other room in every layer that has such a field."""
    layers = {
        name: layer
        if layer.load is None
        else replace(
            layer,
            load=LoadPlan(
                layer.load.words,
                layer.load.scale and fields.get("scale", layer.load.scale),
                layer.load.bias and fields.get("bias", layer.load.bias),
            ),
        )
        for name, layer in plan.layers.items()
    }
    return replace(plan, layers=layers)


def other_weights(network: Network, seed: int, *, zeros: float = 0.3, p_min: int | None = None):
    """A network of the same structure: other weights, scales (exponents -6 to 2) and biases."""
    rng = np.random.default_rng(seed)
    params = {}
    for name, old in network.params.items():
        bits = network.arithmetic.weight_bits
        sign = rng.choice([-1, 0, 1], old.codes.shape, p=[(1 - zeros) / 2, zeros, (1 - zeros) / 2])
        low = P_MIN[bits] if p_min is None else p_min
        codes = encode(sign, rng.integers(low, 1, old.codes.shape), bits)
        node = network.graph[name]
        if isinstance(node, g.Conv) and not node.batch_norm:
            params[name] = LayerParams(codes, old.scale_sign, old.scale_exp, old.bias)
            continue
        channels, terms = old.scale_sign.shape
        if terms:
            exps = rng.permuted(np.tile(np.arange(-6, 3), (channels, 1)), axis=1)[:, :terms]
            signs = rng.choice([-1, 1], (channels, terms)).astype(np.int8)
            used = np.arange(terms) < rng.integers(0, terms + 1, (channels, 1))
            signs, exps = np.where(used, signs, 0), np.where(used, exps, 0)
            bias = [int(b) << 8 for b in rng.integers(-1000, 1000, channels)]
            params[name] = LayerParams(
                codes, signs.astype(np.int8), exps.astype(np.int16), tuple(bias)
            )
        else:
            bias = rng.integers(-2000, 2000, channels).tolist()
            params[name] = LayerParams(codes, old.scale_sign, old.scale_exp, tuple(bias))
    return Network(network.graph, network.formats, params, network.arithmetic)


def bus_writes(network: Network, name: str, plan: Plan, words: dict) -> list[tuple[int, int]]:
    """Bus accesses (address in units of 32 bits, data) that load one layer."""
    return [
        (address // 4, value)
        for region in address_map(design(network, plan))[name]
        for address, value in region_writes(region, words[region.name])
    ]


def simulate(component, testbench) -> None:
    """Run an async testbench on a clocked component."""
    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
