"""What each further cell of a network costs: time, memory and bytes of network, plan and Verilog.

    python benchmarks/scale.py [--cells 3 6 9 12 15 18] [--channels 4] [--side 8]

Makes networks with random weights of the same genotype with more and more cells (multiples of 3, so
that a third of them stands before, between and behind the reductions), each in a process of its
own, and prints CPU seconds, peak memory and sizes. The last lines are the slope a cell of a
straight line through the figures, and how much dearer the last cells were than the first: 1 where
the cost is linear. Takes about three minutes.
"""

import argparse
import json
import subprocess
import sys
import time
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

import numpy as np

from hw.board.boards import device
from hw.dataflow.design.design import design
from hw.dataflow.planner import propose
from hw.ir.network import Network
from hw.networks import genotypes
from hw.networks.cells import build
from hw.networks.random_network import random_network
from hw.verilog import emit

GENOTYPE = "ShiftNAS_C10"
CLASSES = 10

COLUMNS = {
    "nodes": "nodes",
    "weights": "weights",
    "network_s": "network, s",
    "plan_s": "plan, s",
    "emit_s": "emit, s",
    "memory_mb": "memory, MiB",
    "verilog_kb": "Verilog, KiB",
}
"""Figures of a network, and their titles; the seconds are of CPU, tools included."""


def network(cells: int, channels: int, side: int) -> Network:
    """A network of random weights for square images of one channel."""
    graph = build(
        genotypes.get(GENOTYPE),
        channels=channels,
        cells=cells,
        image=(side, side, 1),
        classes=CLASSES,
        stem="cifar",
    )
    return random_network(graph, seed=1)


def measure(cells: int, channels: int, side: int) -> dict[str, float]:
    """Figures of one network, made in this process."""
    start = _seconds()
    made = network(cells, channels, side)
    drawn = _seconds()
    plan = propose(made, device("none"), fps=1).plan
    planned = _seconds()
    emission = emit.emit(design(made, plan))
    emitted = _seconds()
    peak = max(getrusage(whose).ru_maxrss for whose in (RUSAGE_SELF, RUSAGE_CHILDREN))
    return {
        "nodes": len(made.graph),
        "weights": sum(layer.codes.size for layer in made.params.values()),
        "network_s": drawn - start,
        "plan_s": planned - drawn,
        "emit_s": emitted - planned,
        "memory_mb": peak / 1024,
        "verilog_kb": len(emission.verilog) / 1024,
    }


def _seconds() -> float:
    """CPU seconds of this process and of those it has started."""
    children = getrusage(RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, nargs="+", default=[3, 6, 9, 12, 15, 18])
    parser.add_argument("--channels", type=int, default=4)
    parser.add_argument("--side", type=int, default=8, help="of the images")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        (cells,) = arguments.cells
        print(json.dumps(measure(cells, arguments.channels, arguments.side)))
        return 0
    print(f"{'cells':>16}" + "".join(f"{title:>14}" for title in COLUMNS.values()))
    rows = []
    for cells in arguments.cells:
        command = [sys.executable, __file__, "--one", "--cells", str(cells)]
        command += ["--channels", str(arguments.channels), "--side", str(arguments.side)]
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=True
        )
        rows.append(json.loads(done.stdout))
        _print(str(cells), rows[-1])
    _print(
        "a cell", {key: np.polyfit(arguments.cells, _column(rows, key), 1)[0] for key in COLUMNS}
    )
    if len(rows) > 2:
        steps = np.diff(arguments.cells)
        growth = {key: np.diff(_column(rows, key)) / steps for key in COLUMNS}
        _print("last / first", {key: one[-1] / one[0] for key, one in growth.items()})
    return 0


def _column(rows: list[dict[str, float]], key: str) -> list[float]:
    return [row[key] for row in rows]


def _print(name: str, row: dict[str, float]) -> None:
    numbers = "".join(f"{row[key]:>14,.{0 if row[key] > 1000 else 2}f}" for key in COLUMNS)
    print(f"{name:>16}{numbers}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
