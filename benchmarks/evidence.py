"""What the search is worth in small: strategies, ablations and domains on Fashion-MNIST.

    python benchmarks/evidence.py [--out runs/evidence] [--jobs 2] [--seeds 3]
        [--rows ROW ...] [--table]

Searches and trains every row of docs/results.md for several seeds with the preset `fashion-small`,
by the commands `shiftnas search` and `shiftnas train`, and prints the page's table: test accuracy
of the networks found, mean and sample standard deviation over the seeds. All networks of a domain
are trained alike; every search but random's sees equally many images. Runs that are done are kept:
started again it goes on. `--table` prints what is there and runs nothing. The whole takes an hour
or two of two cores.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hw.networks import genotypes

ROOT = Path(__file__).resolve().parent.parent
COMMON = ("--data", "fashion", "--config", "fashion-small")
REAL_LR = 0.01
"""The learning rate of shift weights, 0.1, is a step in the exponent; real weights need less."""


@dataclass(frozen=True)
class Row:
    """A way to find architectures; `seeds`: more than the table's, where it costs little."""

    name: str
    title: str
    settings: tuple[str, ...] = ()
    strategy: str = "shiftnas"
    domain: str = "shift"
    seeds: int = 0


NO_RESET, PLAIN_L2 = "search.lr_reset=false", "search.regularisation=latent"

ROWS = (
    Row("shiftnas", "ShiftNAS: L2R, LRR"),
    Row("random", "random architectures", strategy="random", seeds=6),
    Row("darts", "DARTS, first order", strategy="darts"),
    Row("dots", "DOTS", strategy="dots"),
    Row("no-lrr", "ShiftNAS without LRR", (NO_RESET,)),
    Row("no-l2r", "ShiftNAS without L2R", (PLAIN_L2,)),
    Row("neither", "ShiftNAS without L2R, LRR", (NO_RESET, PLAIN_L2)),
    Row("real", "ShiftNAS, searched with real weights", (f"search.lr={REAL_LR}",), domain="real"),
)

TWINS = ("shiftnas", "random", "darts", "dots")
TWIN_SEEDS = 3
"""Rows whose networks are trained with real weights too, and for how many seeds."""


@dataclass(frozen=True)
class Job:
    """One search, and the trainings of what it finds."""

    row: Row
    seed: int

    def folder(self, out: Path, what: str) -> Path:
        return out / self.row.name / f"seed{self.seed}" / what

    def commands(self, out: Path) -> Iterator[tuple[Path, list[str]]]:
        """Folder and arguments of each run, in order."""
        row, seed = self.row, ("--seed", str(self.seed))
        settings = [part for setting in row.settings for part in ("--set", setting)]
        search = self.folder(out, "search")
        how = ("--strategy", row.strategy, "--domain", row.domain)
        yield search, ["search", *COMMON, *how, *settings, *seed]
        genotype = ("--genotype", str(search / "genotype.yaml"))
        yield self.folder(out, "train"), ["train", *COMMON, *genotype, *seed]
        if row.name in TWINS and self.seed <= TWIN_SEEDS:
            real = ("--domain", "real", "--set", f"train.lr={REAL_LR}")
            yield self.folder(out, "train-real"), ["train", *COMMON, *genotype, *seed, *real]


def done(folder: Path) -> bool:
    name = "genotype.yaml" if folder.name == "search" else "metrics.json"
    return (folder / name).exists()


def run(job: Job, out: Path) -> None:
    """The runs of a job that are not done."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for folder, arguments in job.commands(out):
        if done(folder):
            continue
        command = [sys.executable, str(ROOT / "shiftnas.py"), *arguments, "--out", str(folder)]
        command.append("--resume")
        result = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if result.returncode:
            sys.exit(f"{' '.join(command)}: {result.stderr.strip().splitlines()[-1]}")
        print(f"done: {folder.relative_to(out)}", file=sys.stderr, flush=True)


def accuracies(jobs: list[Job], out: Path, what: str) -> list[float]:
    """Test accuracies in percent of the trainings that are done."""
    files = [job.folder(out, what) / "metrics.json" for job in jobs]
    return [
        100 * json.loads(file.read_text(encoding="utf-8"))["accuracy"]
        for file in files
        if file.exists()
    ]


def skips(jobs: list[Job], out: Path) -> float:
    """Mean number of skips in the normal cells (of 8 edges)."""
    files = [job.folder(out, "search") / "genotype.yaml" for job in jobs]
    found = [genotypes.load(file) for file in files if file.exists()]
    counts = [sum(o == "skip_connect" for o, _ in genotype.normal) for genotype in found]
    return statistics.mean(counts) if counts else float("nan")


def spread(values: list[float]) -> str:
    if not values:
        return "–"
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}"


def table(jobs: list[Job], out: Path) -> str:
    """Markdown: a line for each row. The difference is of the networks trained in both domains."""
    lines = [
        "| architectures of | seeds | shift, % | range | real, % | difference | skips |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in ROWS:
        own = [job for job in jobs if job.row == row]
        shift, real = accuracies(own, out, "train"), accuracies(own, out, "train-real")
        ends = f"{min(shift):.2f} – {max(shift):.2f}" if shift else "–"
        paired = [a - b for a, b in zip(shift, real, strict=False)]
        both = f"{statistics.mean(paired):+.2f}" if paired else "–"
        lines.append(
            f"| {row.title} | {len(shift)} | {spread(shift)} | {ends} | {spread(real)} | {both} | "
            f"{skips(own, out):.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "evidence")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3)
    names = [row.name for row in ROWS]
    parser.add_argument("--rows", nargs="+", choices=names, default=names, help="to run")
    parser.add_argument("--table", action="store_true", help="print what is there, run nothing")
    options = parser.parse_args()
    out = options.out.resolve()
    # Seed after seed, so that a table of fewer seeds is there early.
    most = max(options.seeds, *(row.seeds for row in ROWS))
    jobs = [
        Job(row, seed)
        for seed in range(1, most + 1)
        for row in ROWS
        if seed <= max(options.seeds, row.seeds)
    ]
    if not options.table:
        with ThreadPoolExecutor(options.jobs) as pool:
            list(
                pool.map(lambda job: run(job, out), [j for j in jobs if j.row.name in options.rows])
            )
    print(table(jobs, out))


if __name__ == "__main__":
    main()
