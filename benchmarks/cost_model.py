"""How well the cost model predicts synthesis, and the weights that would predict it best.

    python benchmarks/cost_model.py [--layers] [--fit]

Synthesises a few networks with random weights, each planned in another way, and prints for each
what was predicted and what Yosys made of it, with --layers layer by layer. With --fit it prints the
table PRICES of `hw/dataflow/cost.py` fitted to all layers by non-negative least squares. Takes
a few minutes a network the first time; syntheses are kept in the cache.
"""

import argparse
import sys
from dataclasses import replace

import numpy as np
from scipy.optimize import nnls

from hw.board.boards import device
from hw.build.synth import REST, synthesise
from hw.dataflow import cost
from hw.dataflow.design.design import design
from hw.dataflow.fabric import RAM_BLOCK_BITS
from hw.dataflow.plan import Plan
from hw.dataflow.planner import propose
from hw.ir.network import Network
from hw.networks import space
from hw.networks.cells import build
from hw.networks.random_network import random_network
from hw.verilog import emit

BOARD = "ulx3s-85f"

OPERATIONS = (
    space.Genotype(
        normal=(
            ("sep_conv_3x3", 0), ("sep_conv_5x5", 1), ("dil_conv_3x3", 0), ("skip_connect", 1),
            ("skip_connect", 0), ("dil_conv_5x5", 2), ("max_pool_3x3", 0), ("conv_7x1_1x7", 3),
        ),
        normal_concat=(2, 3, 4, 5),
        reduce=(
            ("max_pool_3x3", 0), ("sep_conv_3x3", 1), ("skip_connect", 2), ("max_pool_3x3", 1),
            ("avg_pool_3x3", 0), ("skip_connect", 2), ("skip_connect", 1), ("avg_pool_3x3", 1),
        ),
        reduce_concat=(2, 3, 4, 5),
    ),
    space.Genotype(
        normal=(
            ("avg_pool_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("skip_connect", 1),
            ("sep_conv_5x5", 2), ("max_pool_3x3", 1), ("dil_conv_3x3", 2), ("skip_connect", 0),
        ),
        normal_concat=(3, 4, 5),
        reduce=(
            ("sep_conv_3x3", 0), ("dil_conv_3x3", 1), ("skip_connect", 0), ("max_pool_3x3", 2),
            ("conv_7x1_1x7", 0), ("skip_connect", 3), ("dil_conv_5x5", 1), ("max_pool_3x3", 2),
        ),
        reduce_concat=(2, 3, 4, 5),
    ),
)  # fmt: skip
"""Two genotypes that between them have every operation, at both strides where they can."""


def cases() -> dict[str, tuple[Network, Plan]]:
    """Networks and plans: small and larger, slow and fast, programs in logic and in block RAM."""
    made = {}
    for name, genotype, channels, cells, side, bits, kind in (
        ("a, cheapest", 0, 4, 3, 28, 8, "cheapest"),
        ("b, fastest", 1, 4, 3, 28, 8, "fastest"),
        ("a, 8 channels, in logic", 0, 8, 2, 16, 8, "logic"),
        ("b, 6-bit activations, horner", 1, 6, 2, 16, 6, "horner"),
    ):
        graph = build(
            OPERATIONS[genotype], channels=channels, cells=cells, image=(side, side, 1),
            classes=10, stem="cifar",
        )  # fmt: skip
        network = random_network(graph, seed=1, act_bits=bits)
        slow = kind == "cheapest"
        plan = propose(network, device(BOARD), fps=1.0 if slow else None, luts=80_000).plan
        made[name] = (network, changed(plan, kind))
    return made


def changed(plan: Plan, kind: str) -> Plan:
    """The plan with every program in logic, or with every element a sorted Horner sum."""
    layers = dict(plan.layers)
    for name, layer in plan.layers.items():
        if layer.element == "pool":
            continue
        if kind == "logic":
            layers[name] = replace(layer, weights="logic")
        elif kind == "horner":
            layers[name] = replace(layer, element="horner", pe=1)
    return replace(plan, layers=layers)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", action="store_true", help="print fitted tables")
    parser.add_argument("--layers", action="store_true", help="print every layer")
    arguments = parser.parse_args()
    rows = []
    print(f"{'network':32}{'':>10}{'LUT':>8}{'FF':>8}{'RAM blocks':>12}")
    for name, (network, plan) in cases().items():
        made = design(network, plan)
        predicted, found = cost.predict(made), synthesise(emit.emit(made))
        blocks = predicted.ram_bits // RAM_BLOCK_BITS
        print(f"{name:32}{'predicted':>10}{predicted.lut:8}{predicted.ff:8}{blocks:12}")
        print(f"{'':32}{'made':>10}{found['lut']:8}{found['ff']:8}{found['ram_blocks']:12}")
        for layer in found["layers"]:
            if layer["name"] == REST:
                print(f"{'':32}{'elsewhere':>10}{layer['lut']:8}{layer['ff']:8}")
                continue
            designed = made.layers[layer["name"]]
            guess = cost.layer_logic(designed)
            rows.append((cost.features(designed), layer, guess))
            if arguments.layers:
                print(f"  {layer['name']:40}{guess.lut:8}{layer['lut']:8}")
                print(f"  {'':40}{guess.ff:8}{layer['ff']:8}", flush=True)
    errors = np.array([guess.lut / layer["lut"] - 1 for _, layer, guess in rows])
    print(f"{len(rows)} layers, LUT: mean error {errors.mean():+.1%},", end=" ")
    print(f"mean absolute {np.abs(errors).mean():.1%}, 9 in 10 within", end=" ")
    print(f"{np.quantile(np.abs(errors), 0.9):.1%}")
    if arguments.fit:
        fit(rows)
    return 0


def fit(rows: list) -> None:
    """Prints the table; relative errors weigh alike but for the smallest layers."""
    names = sorted({name for found, *_ in rows for name in found})
    matrix = np.array([[found.get(name, 0) for name in names] for found, *_ in rows])
    fitted = []
    for key in ("lut", "ff"):
        target = np.array([layer[key] for _, layer, *_ in rows], float)
        weight = 1 / (target + 30)
        fitted.append(nnls(matrix * weight[:, None], target * weight)[0])
        error = np.abs(matrix @ fitted[-1] / target - 1)
        print(f"# {key}: mean absolute error of a layer {error.mean():.1%}")
    print("PRICES = {")
    for name, lut, ff in zip(names, *fitted, strict=True):
        print(f'    "{name}": ({lut:.3g}, {ff:.3g}),')
    print("}")


if __name__ == "__main__":
    sys.exit(main())
