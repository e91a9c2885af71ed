"""What shift weights cost in accuracy, each kind of weights at the learning rate that suits it.

    python benchmarks/accuracy.py [--hours H]

The plan, written before the runs: preset `fashion-small` (8 channels, 5 cells, 8,192 images of
Fashion-MNIST), 8 epochs, 6,000 other images for validation, all 10,000 test images.

1. Rates: of each arm those in `ARMS`, on the first network, seed 1. The best by validation accuracy
   is the arm's; test images choose nothing.
2. Five published networks x seeds 1 to 3, every arm at its rate; differences seed by seed and
   network by network, 15 pairs: with the standard deviation of 0.6 points that trials had between
   seeds, and so 0.85 of a difference, an interval of 95 % reaches 0.47 points to either side.

Each run is a line of accuracy.jsonl, which is in the repository: what is there is not run again, so
that the plan goes on over many sittings. A run takes some ten minutes of one core. With `--hours`
no run begins after so many; without it nothing is run, and the table is that of the ledger.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

from nas.compare.statistics import difference, summary

LEDGER = Path(__file__).with_suffix(".jsonl")
NETWORKS = ("ShiftNAS_C10", "DARTS_V2", "PDARTS", "DOTS_C10", "GDAS_V1")
SEEDS = (1, 2, 3)
COMMON = ("train.epochs=8", "train.validation=0.1", "threads=1")


@dataclass(frozen=True)
class Arm:
    """Kind of weights: its domain and settings, and the learning rates that are tried."""

    domain: str
    settings: tuple[str, ...]
    rates: tuple[float, ...]


ARMS = {
    "real": Arm("real", (), (0.1, 0.03, 0.3)),
    "ps": Arm("shift", ("shift.layer=ps",), (0.1, 0.3)),
    "q": Arm("shift", ("shift.layer=q",), (0.1, 0.05)),
    "q, K = 1": Arm("shift", ("shift.layer=q", "shift.scale_terms=1"), (0.1, 0.05)),
}


@dataclass(frozen=True)
class Run:
    network: str
    arm: str
    lr: float
    seed: int


def ledger() -> dict[Run, dict]:
    """What was run: accuracies in validation, test and, exported to 8 bits, of integers."""
    lines = LEDGER.read_text().splitlines() if LEDGER.exists() else []
    return {Run(**entry["run"]): entry for entry in map(json.loads, lines)}


def rate_of(arm: str, done: dict[Run, dict]) -> float | None:
    """The best of an arm's rates; None while there are some to be tried."""
    tried = [done.get(Run(NETWORKS[0], arm, lr, SEEDS[0])) for lr in ARMS[arm].rates]
    found = [entry for entry in tried if entry is not None]
    if len(found) < len(tried):
        return None
    return max(found, key=lambda entry: entry["validation"])["run"]["lr"]


def next_run(done: dict[Run, dict]) -> Run | None:
    """The first of the plan that is not done."""
    for name, arm in ARMS.items():
        for lr in arm.rates:
            run = Run(NETWORKS[0], name, lr, SEEDS[0])
            if run not in done:
                return run
    for seed, network, name in product(SEEDS, NETWORKS, ARMS):
        lr = rate_of(name, done)
        assert lr is not None
        run = Run(network, name, lr, seed)
        if run not in done:
            return run
    return None


def carry_out(run: Run) -> dict:
    """Train, export where weights are shifts; the ledger's line."""
    arm = ARMS[run.arm]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        settings = [*COMMON, *arm.settings, f"train.lr={run.lr}"]
        command = ["train", "--genotype", run.network, "--data", "fashion", "--out", str(out)]
        command += ["--config", "fashion-small", "--domain", arm.domain, "--seed", str(run.seed)]
        shiftnas(*command, *(f"--set={setting}" for setting in settings))
        metrics = json.loads((out / "metrics.json").read_text())
        provenance = json.loads((out / "provenance.json").read_text())
        integers = None
        if arm.domain == "shift":
            exported = shiftnas("export", str(out), "--out", str(Path(folder) / "net"))
            integers = json.loads(exported)["accuracy_integer"]
    return {
        "run": asdict(run),
        "validation": metrics["validation_accuracy"],
        "test": metrics["accuracy"],
        "integers": integers,
        "seconds": metrics["seconds"],
        "source": provenance["calls"][-1]["source"][:12],
    }


def shiftnas(*arguments: str) -> str:
    """Standard output, JSON, of a command."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "shiftnas", *arguments, "--json"]
    done = subprocess.run(command, env=environment, check=True, text=True, stdout=subprocess.PIPE)
    return done.stdout


def table(done: dict[Run, dict]) -> None:
    print("| arm | learning rate | validation, % |\n| --- | --- | --- |")
    for name, arm in ARMS.items():
        for lr in arm.rates:
            entry = done.get(Run(NETWORKS[0], name, lr, SEEDS[0]))
            figure = "–" if entry is None else f"{100 * entry['validation']:.2f}"
            print(f"| {name} | {lr} | {figure} |")
    if any(rate_of(name, done) is None for name in ARMS):
        return
    found: dict[str, dict[int, float]] = {}
    for name in ARMS:
        lr = rate_of(name, done)
        assert lr is not None
        places = enumerate(product(NETWORKS, SEEDS))
        entries = {k: done.get(Run(network, name, lr, seed)) for k, (network, seed) in places}
        present = {k: entry for k, entry in entries.items() if entry is not None}
        found[name] = {k: 100 * entry["test"] for k, entry in present.items()}
        if ARMS[name].domain == "shift":
            integers = {k: 100 * entry["integers"] for k, entry in present.items()}
            found[f"{name}, integers"] = integers
    print("\n| arm | n | test, % | minus real | minus q |\n| --- | --- | --- | --- | --- |")
    for name, values in found.items():
        if not values:
            continue
        of = summary(list(values.values()))
        spread = "" if of.sd is None else f" ± {of.sd:.2f}"
        print(f"| {name} | {of.n} | {of.mean:.2f}{spread} |", end="")
        for base in ("real", "q"):
            shared = found[base].keys() & values.keys()
            if base == name or not shared:
                print(" – |", end="")
                continue
            d = difference(values, found[base])
            interval = "" if d.low is None else f" [{d.low:.2f}, {d.high:.2f}]"
            print(f" {d.mean:+.2f}{interval} |", end="")
        print()


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--hours", type=float, default=0.0)
    options = parser.parse_args()
    end = time.monotonic() + 3600 * options.hours
    while time.monotonic() < end:
        run = next_run(ledger())
        if run is None:
            break
        print(run, file=sys.stderr)
        line = json.dumps(carry_out(run))
        with LEDGER.open("a") as file:
            file.write(line + "\n")
    table(ledger())


if __name__ == "__main__":
    main()
