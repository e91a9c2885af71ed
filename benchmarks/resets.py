"""Which registers a co-simulation finds that a reset leaves out: each is left out in its turn.

Those that the default run does not find go through what `shiftnas mutate` does with a survivor:
other images and more resets, their layer or fork on its own, and a search for a proof that no input
ever shows the difference, as for a register that is always written before it is read.
"""

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import click

from hw.board.boards import device
from hw.dataflow.planner import propose
from hw.errors import CheckFailed
from hw.networks.cells import build
from hw.networks.random_network import random_network
from hw.networks.space import Genotype
from hw.verilog import emit
from sim import designs
from sim.mutation import campaign, schemata
from sim.mutation.sites import Mutant, sites
from sim.runner import Build
from sim.simulation import Simulation
from sim.stimuli import RESETS, Stimuli, random_images

EDGES = (("sep_conv_3x3", 0), ("skip_connect", 1))
PATIENCE = 1500


@click.command()
@click.option("--frames", default=4, show_default=True, help="Each passes twice.")
@click.option("--resets", default=RESETS, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--prove", default=30, show_default=True, help="Seconds for each proof.")
@click.option("--jobs", default=2, show_default=True)
def main(frames: int, resets: int, seed: int, prove: int, jobs: int) -> None:
    """One cell on images of 5x7x2, level network."""
    genotype = Genotype(EDGES, (2,), EDGES, (2,))
    graph = build(genotype, channels=2, cells=1, image=(5, 7, 2), classes=3, stem="cifar")
    network = random_network(graph, seed=7)
    design = propose(network, device("ulx3s-85f"))
    emission = emit.emit(design)
    mutants = [
        Mutant(site.kind, site.statement.module, site.statement.line, site.before, site.after[0])
        for site in sites(emission.verilog, emission.manifest["top"])
        if site.kind == "reset missing"
    ]
    text = schemata.combine(emission.verilog, mutants)
    combined = replace(emission, files=emission.files | {emission.verilog_name: text})
    bench = designs.bench(network, design, "network", emission=combined)
    bench = replace(bench, sources=schemata.BESIDE | dict(bench.sources))
    simulation = Simulation.build(network, bench, Build(optimise="-O1"))
    images = random_images(network, frames, seed)
    lines, left = emission.verilog.split("\n"), []
    with tempfile.TemporaryDirectory(prefix="shiftnas-") as temporary:
        place = Path(temporary)
        simulation.write(place, Stimuli(images, seed=seed, patience=PATIENCE, resets=resets))
        simulation.run(place, arguments=["+mutant=0"])
        for number, mutant in enumerate(mutants, start=1):
            try:
                simulation.run(place, arguments=[f"+mutant={number}"])
                left.append(mutant)
            except CheckFailed:
                pass
    found = len(mutants) - len(left)
    click.echo(f"{found} of {len(mutants)} registers found, {resets} resets, seed {seed}")
    if not left:
        return
    tried = campaign.run(network, design, mutants=left, seed=seed, jobs=jobs, prove_seconds=prove)
    for run, count in Counter(verdict.run for verdict in tried.killed).items():
        click.echo(f"{count} more found, {run}")
    click.echo(f"{len(tried.equivalent)} proved to change nothing, whatever comes in")
    rest = [verdict.mutant for verdict in tried.survivors if not verdict.equivalent]
    click.echo(f"{len(rest)} neither found nor proved")
    for mutant in rest:
        # The line after the condition sets the register.
        register = lines[mutant.line + 1].split("<=")[0].strip()
        click.echo(f"  {mutant.module} {register}")


if __name__ == "__main__":
    main()
