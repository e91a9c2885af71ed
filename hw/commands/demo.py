"""`shiftnas demo`: the whole way, from real images to a bitstream, for both styles of hardware.

Nothing here does any of the work: every step is a subcommand that a user can run alone, printed as
it is called and kept while its inputs stand (see `hw.commands.ledger`).
"""

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from hw import console, data
from hw.commands.ledger import Done, Ledger, Step, announce, call
from hw.commands.options import OUTPUT, Number
from hw.errors import CheckFailed, InputError
from hw.report.text import DESIGN_FIGURES, FIGURES, duration, grouped
from hw.verilog.rtl_folder import DATAFLOW, OVERLAY

DEBIAN_PACKAGE = "dataset-fashion-mnist"
APT_TIMEOUT_S = 120

PRESETS = {"digits": "digits"}
"""Data set -> configuration of search and training; `demo` for all others."""

CONTRACT = ("hw/ir", "hw/networks/space.py", "hw/data")
CODE = {
    "search": ("nas", *CONTRACT),
    "train": ("nas", *CONTRACT),
    "export": ("nas", *CONTRACT),
    "plan": ("hw",),
    "emit": ("hw",),
    "cosim": ("hw", "sim"),
    "bitstream": ("hw",),
}
"""Subcommand -> the code that decides what it makes."""


# --- data


def choose_data(name: str | None) -> str:
    """`name` where given, else Fashion-MNIST where it is or can be installed, else digits."""
    if name is not None:
        if name not in data.NAMES or not data.is_available(name):
            data.load(name, data.evaluated(name))  # raises where it is not to be had, and says why
        return name
    if data.is_available("fashion"):
        return "fashion"
    if _can_install():
        console.note(f"Fashion-MNIST is not installed; running: apt-get install {DEBIAN_PACKAGE}")
        if _install() and data.is_available("fashion"):
            return "fashion"
    console.note(
        "NOTICE: using scikit-learn's digits (8x8), because Fashion-MNIST is not on this machine. "
        f"For the full demo: apt-get install {DEBIAN_PACKAGE}, then run again."
    )
    return "digits"


def _can_install() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def _install() -> bool:
    """Install the Debian package; the list of packages is fetched first only where needed."""
    install = ["apt-get", "install", "--yes", "--no-install-recommends", DEBIAN_PACKAGE]
    return _apt(install) or (_apt(["apt-get", "update"]) and _apt(install))


def _apt(command: list[str]) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        process = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=APT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return process.returncode == 0


# --- the steps


def steps(
    out: Path,
    *,
    data_set: str,
    config: str,
    board: str,
    lanes: int,
    fps: float,
    frames: int,
    stall: float,
    seed: int,
    route_dataflow: bool = False,
) -> list[Step]:
    """The whole way, as commands. All but the report, which reads their records.

    The network found becomes a program of an overlay, placed and routed, and dataflow hardware,
    which is placed and routed with `route_dataflow` only: that takes minutes.
    """
    search, train, network = out / "search", out / "train", out / "network"
    images = ("--data", data_set)
    reads_data = () if data_set in data.NAMES else (Path(data_set),)
    settings = ("--config", config, "--seed", str(seed))
    reads_config = (Path(config),) if Path(config).is_file() else ()
    genotype = search / "genotype.yaml"

    def step(name: str, *arguments: object, reads: Sequence[Path] = (), **rest: Any) -> Step:
        words = tuple(str(argument) for argument in arguments)
        return Step(name, words, reads=tuple(reads), code=CODE[words[0]], **rest)

    def design(style: str, *wanted: object, route: bool) -> list[Step]:
        plan, rtl, bitstream = (out / f"{style}-{name}" for name in ("plan.yaml", "rtl", "board"))
        found = [
            step(
                f"{style} plan", "plan", network, "--style", style, "--board", board, *wanted,
                "--out", plan,
                reads=(network,), writes=plan,
            ),
            step(
                f"{style} emit", "emit", network, "--plan", plan, "--out", rtl,
                reads=(network, plan), writes=rtl,
            ),
            step(
                f"{style} cosim", "cosim", network, "--plan", plan, "--rtl", rtl, *images,
                "--frames", frames, "--stall", stall, "--seed", seed,
                reads=(network, plan, rtl, *reads_data),
            ),
        ]  # fmt: skip
        if route:
            found += [
                step(
                    f"{style} bitstream", "bitstream", network, "--board", board, "--plan", plan,
                    "--out", bitstream,
                    reads=(network, plan), writes=bitstream,
                )
            ]  # fmt: skip
        return found

    return [
        step(
            "search", "search", *images, *settings, "--out", search,
            reads=(*reads_data, *reads_config), writes=search, checkpoint="checkpoint.pt",
        ),
        step(
            "train", "train", "--genotype", genotype, *images, *settings, "--out", train,
            reads=(genotype, *reads_data, *reads_config), writes=train, checkpoint="checkpoint.pt",
        ),
        step("export", "export", train, "--out", network, reads=(train,), writes=network),
        *design(OVERLAY, "--lanes", lanes, route=True),
        *design(DATAFLOW, "--fps", fps, route=route_dataflow),
    ]  # fmt: skip


# --- the closing table


def closing_table(done: dict[str, Done], *, data_set: str, board: str) -> dict[str, Any]:
    """The figures of a finished run, and the conditions it had to hold."""
    result = {name: step.result for name, step in done.items()}
    table: dict[str, Any] = {
        "data": data_set,
        "genotype": result["search"]["genotype"],
        **{
            key: result["export"][key]
            for key in ("accuracy_float", "accuracy_integer", "split", "weights")
        },
        "board": board,
        "designs": [_design(style, result) for style in (OVERLAY, DATAFLOW)],
        "seconds": round(sum(step.seconds for step in done.values()), 1),
    }
    table["checks"] = checks(table) + [
        {"what": f"`{step.command}`", "measured": "exit code 1", "passed": False}
        for step in done.values()
        if not step.passed
    ]
    return table


def _design(style: str, result: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Figures of the network in one style of hardware: measured, or as planned."""
    compared, planned = result[f"{style} cosim"], result[f"{style} plan"]
    keys = ("frames", "stalled_frames", "bits", "mismatches", "cycles_per_frame")
    found = {"style": style, **{key: compared[key] for key in keys}}
    built = result.get(f"{style} bitstream")
    if built is None:
        keys = ("clock_mhz", "fps", "lut", "ff", "ram_bits")
        return found | {"routed": False, **{key: planned[key] for key in keys}}
    keys = ("clock_mhz", "fmax_mhz", "fps", "lut", "ff", "ram_bits", "dsp")
    return found | {"routed": True, **{key: built[key] for key in keys}}


def checks(table: dict[str, Any]) -> list[dict[str, Any]]:
    """The conditions: what, what was measured, whether it holds."""
    gap = abs(table["accuracy_float"] - table["accuracy_integer"])
    found = [
        {
            "what": "integer accuracy within 1 point of float",
            "measured": f"{100 * gap:.2f} points",
            "passed": gap <= 0.01,
        }
    ]
    for design in table["designs"]:
        style = design["style"]
        found.append(
            {
                "what": f"{style}: every bit equal over {design['frames']} frames, "
                f"{design['stalled_frames']} of them under stalls",
                "measured": f"{grouped(design['mismatches'])} of {grouped(design['bits'])} differ",
                "passed": design["mismatches"] == 0 and design["bits"] > 0,
            }
        )
        if design["routed"]:
            found += [
                {
                    "what": f"{style}: no DSP block",
                    "measured": str(design["dsp"]),
                    "passed": design["dsp"] == 0,
                },
                {
                    "what": f"{style}: timing met at {design['clock_mhz']:g} MHz",
                    "measured": f"{design['fmax_mhz']:.1f} MHz",
                    "passed": design["fmax_mhz"] >= design["clock_mhz"],
                },
            ]
    return found


def print_table(table: dict[str, Any], done: Sequence[Done]) -> None:
    """The closing table on stdout: figures, conditions, times."""
    from rich.table import Table

    figures = Table(title="ShiftNAS demo", title_justify="left", show_header=False)
    figures.add_column(style="bold")
    figures.add_column(overflow="fold")
    for figure in FIGURES:
        if figure.of(table):
            figures.add_row(figure.label, figure.of(table))
    designs = Table(title="The network as hardware", title_justify="left")
    designs.add_column("", style="bold")
    for design in table["designs"]:
        designs.add_column(design["style"], justify="right")
    for figure in DESIGN_FIGURES:
        if any(figure.of(design) for design in table["designs"]):
            designs.add_row(figure.label, *(figure.of(design) for design in table["designs"]))
    for check in table["checks"]:
        verdict = "[green]holds[/]" if check["passed"] else "[bold red]MISSED[/]"
        figures.add_row(check["what"], f"{check['measured']}: {verdict}")
    times = Table(title="Steps", title_justify="left")
    times.add_column("step")
    times.add_column("time", justify="right")
    times.add_column("")
    for step in done:
        times.add_row(step.name, duration(step.seconds), "kept from before" if step.kept else "")
    console.print_grid(figures)
    console.print_grid(designs)
    console.print_grid(times)


# --- the command


@click.command(cls=console.Command)
@click.option(
    "--out",
    type=OUTPUT,
    default=Path("runs/demo"),
    show_default=True,
    help="Folder of everything the demo makes.",
)
@click.option(
    "--data",
    "data_set",
    metavar="D",
    help="Data set (fashion, mnist5k, digits) or folder; default: fashion where it can be had.",
)
@click.option("--config", help="Preset or YAML file of search and training; default: small.")
@click.option("--board", metavar="B", default="ulx3s-85f", show_default=True)
@click.option(
    "--lanes", type=click.IntRange(min=1), default=64, show_default=True, help="Of the overlay."
)
@click.option(
    "--fps",
    type=Number(min=0, min_open=True),
    default=500,
    show_default=True,
    help="Frames a second to plan dataflow hardware for: the smallest that is fast enough.",
)
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Test images to co-simulate, once without and once with stalls.",
)
@click.option(
    "--stall",
    type=Number(0, 0.95, min_open=True),
    default=0.25,
    show_default=True,
    help="Chance that a stream pauses in a cycle, in the run with stalls.",
)
@click.option(
    "--route-dataflow",
    is_flag=True,
    help="Place and route the dataflow hardware too, which takes some minutes more.",
)
@click.option("--force", is_flag=True, help="Do every step again.")
@console.seed_option
@console.json_option
def demo(
    out: Path,
    data_set: str | None,
    config: str | None,
    board: str,
    lanes: int,
    fps: float,
    frames: int,
    stall: float,
    route_dataflow: bool,
    force: bool,
    seed: int,
    as_json: bool,
) -> None:
    """The whole way: search, train, export, plan, emit, co-simulate, bitstream, report.

    The network found becomes a program of an overlay, and dataflow hardware of its own.

    Steps whose inputs and outputs stand are kept from an earlier run; an interrupted one resumes.
    """
    from hw.board import boards

    boards.for_bitstream(board)
    if out.exists() and not (out / "demo.json").exists() and any(out.iterdir()):
        raise InputError(f"{out}: holds something other than a demo; choose another --out")
    start = time.monotonic()
    data_set = choose_data(data_set)
    ledger = Ledger(out / "demo.json")
    way = steps(
        out,
        data_set=data_set,
        config=config or PRESETS.get(data_set, "demo"),
        board=board,
        lanes=lanes,
        fps=fps,
        frames=frames,
        stall=stall,
        seed=seed,
        route_dataflow=route_dataflow,
    )
    done: dict[str, Done] = {}
    for number, step in enumerate(way, 1):
        announce(number, len(way) + 1, step)
        done[step.name] = ledger.run(step, force=force)
        if done[step.name].kept:
            console.note("      kept: nothing it reads or wrote has changed")
    table = closing_table(done, data_set=data_set, board=board)
    ledger.extra = {"table": table}
    ledger.save()
    page = _report(out, len(way) + 1)
    if as_json:
        rows = [
            {"name": d.name, "command": d.command, "seconds": d.seconds, "kept": d.kept, **d.result}
            for d in done.values()
        ]
        console.print_json({"table": table, "steps": rows, "report": page})
    else:
        print_table(table, list(done.values()))
        click.echo(f"report: {page}")
    console.note(f"done in {duration(time.monotonic() - start)}")
    missed = [check["what"] for check in table["checks"] if not check["passed"]]
    if missed:
        raise CheckFailed(f"missed: {'; '.join(missed)}")


def _report(out: Path, number: int) -> Path:
    """The page, made by `report` like any other step, but always anew."""
    step = Step("report", ("report", str(out), "--force"))
    announce(number, number, step)
    result, _ = call(step.arguments, step.command)
    return Path(result["report"])
