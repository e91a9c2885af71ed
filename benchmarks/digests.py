"""Digests of emitted hardware: the same before and after a change that should alter nothing.

    python benchmarks/digests.py > before.txt
    …
    python benchmarks/digests.py > after.txt && cmp before.txt after.txt

Runs the command, as a user would: the shipped network with its plan, every published genotype in
small, every board, other arithmetic, contents of ROMs in files, loadable plans. Prints a line a
case: the digests of network, plan and RTL folder (which is over every file in it). Takes about six
minutes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "bitstreams/ulx3s-85f"
SMALL = {"channels": 2, "cells": 3, "image": "8x8x3", "classes": 4}
TINY = {"channels": 2, "cells": 1, "image": "9x6x1", "classes": 3}


def shiftnas(*words: object) -> dict:
    """The JSON object that a command prints."""
    command = [sys.executable, "-m", "shiftnas", *map(str, words), "--json"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return json.loads(done.stdout)


def network(folder: Path, genotype: str, *more: object, **sizes: object) -> None:
    """Makes a NETWORK with random weights."""
    words = [word for name, value in sizes.items() for word in (f"--{name}", value)]
    shiftnas("network", "--genotype", genotype, *words, *more, "--out", folder)


def line(case: str, folder: Path, plan: Path | None, out: Path, *more: object) -> None:
    """Emits a case and prints its digests."""
    given = ("--plan", plan) if plan is not None else ()
    shiftnas("emit", folder, *given, *more, "--out", out)
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    digests = (manifest["network_digest"], manifest["plan_digest"], manifest["digest"])
    print(f"{case:<42}", *(digest[:16] for digest in digests), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="only cases whose name begins so")
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory(prefix="shiftnas-") as temporary:
        folder = Path(temporary)

        def case(name: str, genotype: str, *more: object, plan=None, emit=(), **sizes) -> None:
            if not name.startswith(only):
                return
            place = folder / name.replace(" ", "_")
            network(place / "net", genotype, *more, **sizes)
            planned = None
            if plan is not None:
                planned = place / "plan.yaml"
                shiftnas("plan", place / "net", *plan, "--out", planned)
            line(name, place / "net", planned, place / "rtl", *emit)

        if "shipped".startswith(only):
            line("shipped", SHIPPED / "network", SHIPPED / "plan.yaml", folder / "shipped")
        known = [entry["name"] for entry in shiftnas("genotypes")["genotypes"]]
        for genotype in known:
            case(f"genotype {genotype}", genotype, plan=("--board", "none"), **SMALL)
        boards = shiftnas_boards()
        for board in boards:
            case(f"board {board}", "ShiftNAS_C10", plan=("--board", board), **TINY)
        slow = ("--board", "ulx3s-85f", "--fps", 50)
        case("imagenet stem", "ShiftNAS_C100", "--stem", "imagenet", plan=slow,
             channels=2, cells=3, image="32x36x3", classes=3)  # fmt: skip
        case("guard", "DARTS_V2", "--guard", 4, plan=slow, **TINY)
        case("paper", "DOTS_C10", "--paper", plan=slow, **TINY)
        case("wide", "NASNet", "--act-bits", 16, "--weight-bits", 6, plan=slow, **TINY)
        case("one term", "AmoebaNet", "--scale-terms", 1, plan=slow, **TINY)
        case("hex", "PDARTS", plan=slow, emit=("--rom", "hex"), **TINY)
        load = ("--board", "none", "--loadable")
        for genotype in ("ShiftNAS_C10", "AmoebaNet", "DARTS_V1"):
            case(f"loadable {genotype}", genotype, plan=(*load, "--fps", 2000), **TINY)
        case("loadable fast", "ShiftNAS_C10", plan=load, **TINY)
        case("loadable guard", "GDAS_V1", "--guard", 3, plan=(*load, "--fps", 2000), **TINY)


def shiftnas_boards() -> list[str]:
    """The boards that a plan can be for, as its error message lists them."""
    command = [sys.executable, "-m", "shiftnas", "plan", "x", "--board", "?"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    listed = done.stderr.partition("choose one of ")[2].partition(", or ")[0]
    return [name.strip() for name in listed.split(", ") if name.strip()]


if __name__ == "__main__":
    main()
