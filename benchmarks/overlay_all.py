"""Every published genotype and every conventional network on one overlay, in RTL, bit for bit.

    python benchmarks/overlay_all.py [--only DARTS_V1 resnet8 …] [--terms 1 3] [--stall 0.25]

The overlay is the one that `shiftnas plan --style overlay --board ulx3s-85f` proposes for any
network. It is emitted once and its model is built once; a network is a program for it. Genotypes
have three cells, two of them reductions, for 8 x 8 pixels; conventional networks are narrow, all of
their layers there. Weights are random, of one and of three powers of two.

Two whole batches and an image more at full speed; with `--stall` all once more with pauses on every
stream. Compared are each plane of each node and each logit with the reference, and the cycles of
each whole batch with the compiler's. Exit code 1 where a network differs or has no program.
"""

import argparse
import hashlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from hw.errors import CheckFailed, InputError
from hw.ir.graph import Graph, Shape
from hw.ir.network import Network
from hw.networks import genotypes
from hw.networks.cells import Stem, build
from hw.networks.conventional import MODELS, model
from hw.networks.conventional.sizes import Sizes
from hw.networks.images import random_images
from hw.networks.random_network import random_network
from hw.overlay.compiler.compile import compile_network
from hw.overlay.cycles import cycles
from hw.overlay.hardware import Overlay
from hw.overlay.plan import OverlayPlan
from hw.overlay.programming import fitted
from hw.verilog.emit_overlay import emit
from sim.overlay.cosim import Hardware, cosim
from sim.overlay.planes import AT_PORT
from sim.stimuli import Stimuli

PLAN = OverlayPlan(Overlay(words=2048, program_words=32768), "ulx3s-85f", 100.0)
"""That `shiftnas plan --style overlay --board ulx3s-85f` proposes: 8 x 8 lanes, sums of 19 bits."""

IMAGE: Shape = (8, 8, 3)
CLASSES, CHANNELS, CELLS = 10, 2, 3
WIDTHS = {
    "resnet50": 1 / 64,
    "resnet101": 1 / 64,
    "resnet152": 1 / 64,
    "vgg16": 1 / 64,
    "vgg19": 1 / 64,
}
"""Of conventional networks whose layers are wide, the share of the published channels."""
WIDTH = 1 / 32
LARGEST = 32
"""Side of the largest images."""
SEEDS = 8
"""Weights are drawn anew where formats do not suit them."""


@dataclass(frozen=True)
class Row:
    """What the table says of a network.

    Parameters
    ----------
    nodes: of its graph
    batch: images of one; words: of its program
    predicted, simulated: cycles of a whole batch
    frames, planes, pixels, differ: compared, and bits of them that differ
    """

    name: str
    terms: int
    nodes: int
    batch: int
    words: int
    predicted: int
    simulated: float
    frames: int
    planes: int
    pixels: int
    differ: int

    @property
    def cells(self) -> list[str]:
        return [
            self.name,
            str(self.terms),
            str(self.nodes),
            str(self.batch),
            f"{self.words:,}",
            f"{self.predicted:,}",
            f"{self.simulated:,.0f}",
            str(self.frames),
            f"{self.planes:,}",
            f"{self.pixels:,}",
            str(self.differ),
        ]


HEAD = ["network", "K", "nodes", "batch", "words", "predicted", "simulated", "frames", "planes",
        "pixels", "differ"]  # fmt: skip


def graphs() -> Iterator[tuple[str, Graph]]:
    """All networks by name, small."""
    for name, entry in genotypes.published().items():
        yield (
            name,
            build(entry.genotype, channels=CHANNELS, cells=CELLS, image=IMAGE, classes=CLASSES),
        )
    for name in MODELS:
        yield name, _conventional(name)


def _conventional(name: str) -> Graph:
    """On the smallest images that leave something behind its last pool."""
    height, width, depth = IMAGE
    while True:
        sizes = Sizes((height, width, depth), CLASSES, Stem.CIFAR, WIDTHS.get(name, WIDTH))
        try:
            return model(name, sizes)
        except InputError:
            if height >= LARGEST:
                raise
            height, width = 2 * height, 2 * width


def network(graph: Graph, terms: int) -> Network:
    """Random weights of so many powers of two a scale."""
    for seed in range(1, SEEDS + 1):
        try:
            return random_network(graph, seed=seed, scale_terms=terms)
        except CheckFailed:
            continue
    raise CheckFailed(f"no weights of {SEEDS} seeds suit their formats")


def run(name: str, drawn: Network, terms: int, hardware: Hardware, stall: float) -> Row:
    """A network's program on the overlay.

    Raises
    ------
    CheckFailed: it differs, or takes other cycles; InputError: it does not fit
    """
    compiled = fitted(compile_network(drawn, hardware.overlay))
    program = compiled.program
    images = random_images(drawn, 2 * program.images + 1, 1)
    found = cosim(drawn, hardware, Stimuli(images, stall, resets=0), compiled=compiled)
    depth = {node.name: node.shape[2] for node in drawn.graph}
    planes = sum(depth[one.layer] for one in found.compared if not one.layer.endswith(AT_PORT))
    return Row(
        name,
        terms,
        len(drawn.graph),
        program.images,
        len(program.prefix) + len(program.suffix),
        cycles(program).batch,
        (found.cycles_per_frame or 0) * program.images,
        found.frames,
        found.frames * planes,
        found.beats,
        found.mismatches,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--terms", nargs="+", type=int, default=[1, 3])
    parser.add_argument("--stall", type=float, default=0.0)
    options = parser.parse_args()
    emission = emit(PLAN)
    hardware = Hardware.of(emission)
    digest = hashlib.sha256(emission.verilog.encode()).hexdigest()
    print(f"overlay {hardware.overlay}\nVerilog, SHA-256 {digest}", flush=True)
    print(" | ".join(HEAD), flush=True)
    wrong, start = 0, time.monotonic()
    chosen = [(name, graph) for name, graph in graphs() if name in (options.only or [name])]
    for name, graph in chosen:
        for terms in options.terms:
            try:
                row = run(name, network(graph, terms), terms, hardware, options.stall)
            except (CheckFailed, InputError) as error:
                wrong += 1
                print(f"{name} | {terms} | {error}", flush=True)
                continue
            print(" | ".join(row.cells), flush=True)
    took = time.monotonic() - start
    print(f"{wrong} failed or refused; {took:.0f} s")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
