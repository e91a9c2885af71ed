"""How fast a step of the search and of training is, beside a straightforward implementation.

    python benchmarks/search_speed.py [--case paper] [--batch 16] [--repetitions 7] [--threads 2]

Both sides compute the same: a module for each candidate of each edge, quantised one by one, with
the library's default layout and optimiser (`benchmarks/straightforward/`), against `nas/`. First
loss and gradients are compared in float64 from equal weights; a relative difference above 1e-4 ends
the run with exit code 1 (they agree to about 1e-14). Then the sides take turns, step by step, so
that a change in the machine's load meets both. Reported are the median and the range of each side's
times, the median and the range of the ratios of neighbouring steps, and each side's peak memory: of
a process of its own on a CPU, allocated by torch on a GPU. On a machine that others use,
`--clock cpu --threads 1` gives the steadier figures.

A case is `paper` (the paper's search: 8 cells, 16 channels, 32×32×3), `small` (3 cells, 4 channels,
28×28×1) or `training` (the network ShiftNAS_C10: 20 cells, 36 channels on a GPU, 8 cells, 16
channels on a CPU). Images are random, augmentation and drop-path are left out. The batch is 128 as
in the paper on a GPU, 16 on a CPU unless --batch says otherwise. On a GPU a step in bfloat16 is
timed too. After the case `paper` the whole search of 70 epochs on 50,000 images is projected from
the steps measured. Takes about ten minutes on two idle cores; the first step of a network is many
times slower than the others, since kernels are made for each shape.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import torch
from rich.console import Console
from rich.table import Table
from speed.cases import (
    SIDES,
    Case,
    Stage,
    cases,
    compare,
    equal_start,
    make_shipped,
    make_straightforward,
)

from hw.errors import CheckFailed
from nas.precision import autocast
from nas.runs import pick_device
from nas.search_config import SearchConfig

TOLERANCE = 1e-4
"""Largest relative difference of loss and gradients."""

TRAINING_IMAGES = 50_000
"""Of CIFAR-10, for the projection."""

CHECKED_IMAGES = 4
"""Of the comparison, which runs in float64."""

# --- measuring --------------------------------------------------------------------------


def check(case: Case, stage: Stage, device: torch.device) -> dict[str, float]:
    """Relative differences of the two sides.

    Raises
    ------
    CheckFailed: they do not compute the same
    """
    sides = make_shipped(case, stage, device), make_straightforward(case, stage, device)
    found = compare(*sides, *case.batch(CHECKED_IMAGES, device))
    for what, value in found.items():
        if not value <= TOLERANCE:
            raise CheckFailed(
                f"{case.name}, {stage.name}: {what} differ by {value:.1e} of their size; "
                "the two sides do not compute the same"
            )
    return found


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
"""CPU seconds are of all threads; with one thread another process hardly changes them."""


def seconds_of(step: Any, batch: tuple, device: torch.device, clock: str) -> float:
    """Seconds of one step, whatever it left to the GPU included."""
    start = CLOCKS[clock]()
    step(*batch)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return CLOCKS[clock]() - start


def time_sides(
    sides: dict[str, Any],
    steps: tuple[str, ...],
    batch: tuple,
    device: torch.device,
    repeat: int,
    clock: str,
) -> dict[str, dict[str, list[float]]]:
    """Seconds of each step and side; the sides take turns. Two rounds before are not counted."""
    seconds = {step: {side: [] for side in sides} for step in steps}
    for repetition in range(-2, repeat):
        for step in steps:
            for side, made in sides.items():
                taken = seconds_of(getattr(made, f"{step}_step"), batch, device, clock)
                if repetition >= 0:
                    seconds[step][side].append(taken)
    return seconds


def make_side(side: str, case: Case, stage: Stage, device: torch.device) -> Any:
    return (make_shipped if side == SIDES[0] else make_straightforward)(case, stage, device)


def run_once(side: str, case: Case, stage: Stage, device: torch.device, size: int) -> None:
    """Two rounds of a side's steps: what its peak memory is measured of."""
    made, batch = make_side(side, case, stage, device), case.batch(size, device)
    for _ in range(2):
        for step in stage.steps:
            getattr(made, f"{step}_step")(*batch)


def peak_memory(side: str, case: Case, stage: Stage, device: torch.device, size: int) -> float:
    """MiB: allocated by torch on a GPU, resident in a process of its own on a CPU."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run_once(side, case, stage, device, size)
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    command = [sys.executable, __file__, "--alone", side, stage.name]
    command += ["--case", case.name, "--device", "cpu", "--batch", str(size)]
    command += ["--threads", str(torch.get_num_threads())]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=True
    )
    return float(done.stdout)


def resident_peak() -> float:
    """Peak resident memory of this process since it began, in MiB."""
    # Not getrusage: its peak is inherited from the process that started this one.
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measure(
    case: Case,
    stage: Stage,
    device: torch.device,
    size: int,
    repeat: int,
    clock: str,
    with_memory: bool,
) -> list[dict[str, Any]]:
    """A row a step: the figures of both sides."""
    memory = {}
    if with_memory:
        memory = {side: peak_memory(side, case, stage, device, size) for side in SIDES}
    differences = check(case, stage, device)
    sides: dict[str, Any] = {side: make_side(side, case, stage, device) for side in SIDES}
    equal_start(sides[SIDES[0]], sides[SIDES[1]])
    batch = case.batch(size, device)
    seconds = time_sides(sides, stage.steps, batch, device, repeat, clock)
    if device.type == "cuda":
        half = make_shipped(case, stage, device, lambda: autocast(device, "bfloat16"))
        timed = time_sides({"bfloat16": half}, stage.steps, batch, device, repeat, clock)
        for step, taken in timed.items():
            seconds[step] |= taken
    return [
        {
            "case": case.name,
            "network": case.title,
            "stage": stage.name,
            "step": step,
            "batch": size,
            "seconds": taken,
            "ratios": [b / a for a, b in zip(taken[SIDES[0]], taken[SIDES[1]], strict=True)],
            "memory_mib": memory,
            "differences": differences,
        }
        for step, taken in seconds.items()
    ]


def projection(rows: list[dict[str, Any]], side: str) -> float:
    """Hours of a whole search of the paper's epochs; data loading and evaluation left out.

    The topology stage's warm-up is counted as joint steps, which cost a little more.
    """
    config = SearchConfig()
    step = {
        row["step"]: statistics.median(row["seconds"][side])
        for row in rows
        if row["case"] == "paper"
    }
    half, whole = (images // rows[0]["batch"] for images in (TRAINING_IMAGES // 2, TRAINING_IMAGES))
    operation = (config.operation_warmup + config.operation_epochs) * half * step["weight"]
    operation += config.operation_epochs * half * step["architecture"]
    topology = (config.topology_warmup + config.topology_epochs) * whole * step["joint"]
    return (operation + topology) / 3600


# --- printing ---------------------------------------------------------------------------


def spread(values: list[float], unit: str = "") -> str:
    """Median and range."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):.3g}{unit} ({low:.3g} to {high:.3g})"


def table_of(rows: list[dict[str, Any]]) -> Table:
    """The rows of one case."""
    table = Table(title=f"{rows[0]['network']}, batch {rows[0]['batch']}", title_justify="left")
    others = [side for side in rows[0]["seconds"] if side not in SIDES]
    memory = ["MiB"] if rows[0]["memory_mib"] else []
    for title in ("step", "nas, s", "straightforward, s", "times faster", *memory):
        table.add_column(title)
    for other in others:
        table.add_column(f"nas in {other}, s")
    for row in rows:
        seconds = row["seconds"]
        table.add_row(
            row["step"] if row["stage"] == "training" else f"{row['stage']}: {row['step']}",
            *(spread(seconds[side]) for side in SIDES),
            spread(row["ratios"], "×"),
            *(" / ".join(f"{mib:,.0f}" for mib in row["memory_mib"].values()) for _ in memory),
            *(spread(seconds[other]) for other in others),
        )
    return table


def describe(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}"
    return f"CPU, {torch.get_num_threads()} threads, PyTorch {torch.__version__}"


@click.command()
@click.option(
    "--case", "names", multiple=True, type=click.Choice(["paper", "small", "training"]),
    help="Case measured; repeatable. Default: all.",
)  # fmt: skip
@click.option("--batch", type=click.IntRange(2), help="Default: 128 on a GPU, 16 on a CPU.")
@click.option("--repetitions", type=click.IntRange(1), default=7, show_default=True)
@click.option("--threads", type=click.IntRange(1), help="Of a CPU; default: torch's choice.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option(
    "--clock", type=click.Choice(list(CLOCKS)), default="wall", show_default=True,
    help="cpu, with --threads 1: for a machine that others use too.",
)  # fmt: skip
@click.option("--memory/--no-memory", default=True, help="Whether peak memory is measured.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@click.option("--alone", nargs=2, hidden=True, help="Peak memory of one side and stage.")
def main(
    names: tuple[str, ...],
    batch: int | None,
    repetitions: int,
    threads: int | None,
    device: str,
    clock: str,
    memory: bool,
    as_json: bool,
    alone: tuple[str, str] | None,
) -> None:
    """Time steps of the search and of training beside a straightforward implementation."""
    if threads:
        torch.set_num_threads(threads)
    where = pick_device(device)
    if clock == "cpu" and where.type == "cuda":
        raise click.UsageError("--clock cpu: a GPU's work is not seen by it; use wall")
    size = batch or (128 if where.type == "cuda" else 16)
    chosen = [case for name, case in cases(where).items() if not names or name in names]
    if alone:
        side, name = alone
        stage = next(stage for stage in chosen[0].stages if stage.name == name)
        run_once(side, chosen[0], stage, where, size)
        print(resident_peak())
        return
    console, rows = Console(stderr=True, width=120, highlight=False), []
    console.print(f"{describe(where)}; the sides take turns, {repetitions} times")
    for case in chosen:
        for stage in case.stages:
            console.print(f"{case.title}, batch {size}: {stage.name}")
            rows += measure(case, stage, where, size, repetitions, clock, memory)
            found = rows[-1]["differences"].items()
            said = ", ".join(f"{what} {relative:.1e}" for what, relative in found)
            console.print(f"  relative differences: {said}")
    projected = {}
    if any(case.name == "paper" for case in chosen):
        projected = {side: projection(rows, side) for side in rows[0]["seconds"]}
    if as_json:
        figures = {
            "machine": describe(where),
            "clock": clock,
            "rows": rows,
            "paper_search_hours": projected,
        }
        print(json.dumps(figures))
        return
    print(f"Median (range) of {clock} seconds a step; nas first in the peak memory")
    for case in chosen:
        of_case = [row for row in rows if row["case"] == case.name]
        Console(width=120).print(table_of(of_case))
    for side, hours in projected.items():
        print(f"the paper's whole search, {side}: {hours:,.1f} h in batches of {size}")


if __name__ == "__main__":
    try:
        main()
    except CheckFailed as error:
        sys.exit(f"search_speed: {error}")
