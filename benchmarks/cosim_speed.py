"""How fast a whole network is co-simulated, and how much of the time is Python's.

    python benchmarks/cosim_speed.py [NET] [--plan P] [--frames 4] [--optimise -O1]

Without arguments: the network of the demo, every layer tapped, random images at full speed and
under stalls. Where two settings are compared on a machine with other work, the cycles a second of
processor time say more than those of the clock on the wall.

Between the start of the clock and the last beat no Python runs: cocotb's clock is C++, agents and
taps are part of the model. Python's share is starting up and comparing.
"""

import resource
import tempfile
import time
from pathlib import Path

import click

from hw.board.boards import device
from hw.dataflow.design.design import design
from hw.dataflow.plan_file import load
from hw.dataflow.planner import propose
from hw.ir import serialize
from sim import designs
from sim.runner import Build
from sim.simulation import Simulation
from sim.stimuli import Stimuli, random_images

DEMO = Path(__file__).parents[1] / "bitstreams" / "ulx3s-85f"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=DEMO / "network")
@click.option("--plan", "plan_file", type=click.Path(path_type=Path))
@click.option("--frames", default=4, show_default=True, help="Each passes twice.")
@click.option("--optimise", default="-O1", show_default=True, help="g++ flag of the model.")
def main(folder: Path, plan_file: Path | None, frames: int, optimise: str) -> None:
    """Speed of the co-simulation of NET."""
    network = serialize.load(folder)
    if plan_file is None and folder == DEMO / "network":
        plan_file = DEMO / "plan.yaml"
    if plan_file is None:
        plan = propose(network, device("ulx3s-85f")).plan
    else:
        plan = load(plan_file)
    bench = designs.bench(network, design(network, plan), "network")
    before = _children()
    simulation = Simulation.build(network, bench, Build(optimise=optimise))
    build = _children() - before
    with tempfile.TemporaryDirectory(prefix="shiftnas-") as temporary:
        place = Path(temporary)
        simulation.write(place, Stimuli(random_images(network, frames, seed=1), resets=0))
        before, start = _children(), time.monotonic()
        run = simulation.run(place)
        total, wall = _children() - before, time.monotonic() - start
    python = total - run.cpu_seconds
    cached = "kept from before" if simulation.model.cached else f"{build:.1f} s of processor time"
    click.echo(
        f"layers   {len(run.compared)} tapped\n"
        f"model    {optimise}, {cached}\n"
        f"cycles   {run.cycles:,} in {run.seconds:.2f} s, {run.cpu_seconds:.2f} s of them running\n"
        f"speed    {run.cycles / run.seconds:,.0f} cycles/s, "
        f"{2 * frames / run.seconds:,.1f} frames/s; "
        f"{run.cycles / run.cpu_seconds:,.0f} cycles a second of processor time\n"
        f"python   {python:.2f} s of {total:.2f} s of processor time, {python / total:.0%} "
        f"(starting, comparing); {wall:.2f} s in all"
    )


def _children() -> float:
    """Processor time of all programs run so far, seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
