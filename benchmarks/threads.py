"""What waiting threads cost: one training, idle and beside a busy loop.

    python benchmarks/threads.py [--repetitions 3] [--set train.epochs=3]

Between two parallel pieces of work the threads of PyTorch's OpenMP spin unless told to sleep
(OMP_WAIT_POLICY, which `nas` sets to PASSIVE before PyTorch is loaded). On an idle machine that
hardly matters; beside another job each of them waits, running, for one that has no core. The
settings take turns, so that what else happens on the machine meets them all.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import click

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = {
    "PyTorch's default": {"GOMP_SPINCOUNT": "300000"},
    "passive (ours)": {},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
BUSY = "while True: pass"


def train(environment: dict[str, str], overrides: tuple[str, ...]) -> float:
    """Seconds of a training of preset `tiny`."""
    command = [sys.executable, "-m", "shiftnas", "train", "--genotype", "ShiftNAS_C10"]
    command += ["--data", "digits", "--config", "tiny", *(f"--set={one}" for one in overrides)]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OMP_")}
    with tempfile.TemporaryDirectory(prefix="shiftnas-") as temporary:
        start = time.monotonic()
        subprocess.run(
            [*command, "--out", f"{temporary}/run"],
            cwd=ROOT,
            env=kept | environment,
            check=True,
            capture_output=True,
        )
        return time.monotonic() - start


@click.command()
@click.option("--repetitions", default=3, show_default=True)
@click.option("--set", "overrides", multiple=True, default=("train.epochs=3",), show_default=True)
def main(repetitions: int, overrides: tuple[str, ...]) -> None:
    """Seconds of a training under each setting of its threads, idle and beside a busy loop."""
    for busy in (0, 1):
        jobs = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(busy)]
        try:
            taken: dict[str, list[float]] = {name: [] for name in SETTINGS}
            for _ in range(repetitions):
                for name, environment in SETTINGS.items():
                    taken[name].append(train(environment, overrides))
        finally:
            for job in jobs:
                job.kill()
        best = min(map(median, taken.values()))
        click.echo(f"beside {busy} busy loops" if busy else f"idle, {os.cpu_count()} cores")
        for name, seconds in taken.items():
            here = median(seconds)
            click.echo(
                f"  {name:<18} {here:6.1f} s ({min(seconds):.1f} to {max(seconds):.1f}),"
                f" {here / best:.2f} times the best"
            )


if __name__ == "__main__":
    main()
