"""Cycles a frame of networks on an overlay, as its compiler predicts them.

    python benchmarks/overlay_cycles.py [--words 1535] [--grid 8 16] [--cases demo …] [--nodes]

Networks of random weights have half of them zero and scales of one power of two. The demo network
is that of bitstreams/ulx3s-85f, as it was trained; `demo-k1` is its graph with random weights, 64 %
of them zero as there, and one power of two: a stand-in for one trained so. Times and memory are of
the compiler alone.
"""

import argparse
import resource
import time
from pathlib import Path

from hw.errors import InputError
from hw.ir import serialize
from hw.ir.graph import Graph
from hw.ir.network import Network
from hw.networks import genotypes
from hw.networks.cells import build
from hw.networks.conventional import model
from hw.networks.conventional.sizes import Sizes
from hw.networks.random_network import random_network
from hw.overlay.compiler.compile import compile_network
from hw.overlay.cycles import cycles
from hw.overlay.hardware import Overlay
from hw.overlay.profile import KINDS, Row, profile

DEMO = Path(__file__).parent.parent / "bitstreams/ulx3s-85f/network"
CASES = ("demo", "demo-k1", "resnet8", "resnet20", "paper")
IMAGE = (32, 32, 3)


def network(case: str) -> Network:
    """The network of a case."""
    if case == "demo":
        return serialize.load(DEMO)
    if case == "demo-k1":
        graph = serialize.load(DEMO).graph
        return random_network(graph, seed=1, scale_terms=1, zeros=0.64)
    return random_network(_graph(case), seed=1, scale_terms=1, zeros=0.5)


def _graph(case: str) -> Graph:
    if case == "paper":
        genotype = genotypes.get("ShiftNAS_C10")
        return build(genotype, channels=36, cells=20, image=IMAGE, classes=10)
    return model(case, Sizes(IMAGE, 10))


def _table(rows: list[Row]) -> None:
    """Cycles by node and kind, nodes that take none left out."""
    total = {kind: sum(row.kinds[kind] for row in rows) for kind in KINDS}
    width = max(len(row.name) for row in rows)
    print(f"{'':{width}}  {'cycles':>9}" + "".join(f" {kind:>10}" for kind in KINDS))
    for row in [*(row for row in rows if row.cycles), Row("all", "", total)]:
        numbers = "".join(f" {row.kinds[kind]:10,.0f}" for kind in KINDS)
        print(f"{row.name or row.section:{width}}  {row.cycles:9,.0f}{numbers}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=int, default=1535)
    parser.add_argument("--acc-bits", type=int, default=24)
    parser.add_argument("--grid", type=int, nargs="+", default=[8, 16])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--nodes", action="store_true", help="a table of where the cycles go")
    options = parser.parse_args()
    for case in options.cases:
        made = network(case)
        for side in options.grid:
            hardware = Overlay(
                rows=side, columns=side, words=options.words, acc_bits=options.acc_bits
            )
            start = time.process_time()
            try:
                compiled = compile_network(made, hardware)
            except InputError as error:
                print(f"{case}, {side} x {side}: {error}")
                continue
            took = time.process_time() - start
            if options.nodes:
                _table(profile(compiled.program, compiled.ends))
            print(
                f"{case}, {side} x {side}: {cycles(compiled.program).frame:,.0f} cycles a frame,"
                f" batch of {compiled.program.images}, {compiled.memory} words, {took:.1f} s"
            )
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
