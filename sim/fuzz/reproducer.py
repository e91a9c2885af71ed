"""A failing case as a folder that anyone can run again."""

import json
import shlex
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import click
import numpy as np

from hw import outputs
from hw.dataflow import plan_file
from hw.errors import CheckFailed, InputError
from hw.ir import serialize
from hw.ir.network import Network
from hw.overlay import plan_file as overlay_plans
from hw.verilog import emit, emit_overlay, rtl_folder
from sim.commands.cosim import cosim
from sim.fuzz import case as cases
from sim.fuzz import images, overlays
from sim.fuzz.case import Case
from sim.fuzz.run import Failure, Outcome

NETWORK, PLAN, IMAGES, RTL, RUN = "network", "plan.yaml", "images.npy", "rtl", "run"
MAKER = "fuzz"
CASE, DRAWN, COMMAND, README = "case.json", "drawn.json", "command.txt", "README.md"


def write(folder: Path, outcome: Outcome, drawn: Case, origin: str) -> str:
    """Writes the failing case of `outcome` and runs it once more from the folder, with waves.

    Parameters
    ----------
    folder: appears whole or not at all, in place of an earlier one
    drawn: the case before it was shrunk; origin: the command that drew it

    Returns
    -------
    what the command in the folder said
    """
    assert outcome.failure is not None
    with outputs.folder(folder, force=True, maker=MAKER) as place:
        _dump(place / CASE, outcome.case)
        _dump(place / DRAWN, drawn)
        simulable = _write_hardware(place, outcome.case)
        arguments = cosim_arguments(outcome.case, Path()) if simulable else ["fuzz", "--case", CASE]
        (place / COMMAND).write_text(f"shiftnas {shlex.join(arguments)}\n", encoding="utf-8")
        said = run_again(place, outcome.case) if simulable else outcome.failure.message
        (place / README).write_text(
            _readme(outcome.failure, arguments, said, origin, simulable), encoding="utf-8"
        )
    return said


def _dump(path: Path, case: Case) -> None:
    path.write_text(json.dumps(cases.as_dict(case), indent=1) + "\n", encoding="utf-8")


def _write_hardware(folder: Path, case: Case) -> bool:
    """Network, plan, images and RTL, as far as the case gets; true if it gets to simulation."""
    try:
        network = cases.network_of(case)
        serialize.save(network, folder / NETWORK)
        if case.overlay:
            _write_overlay(folder, case, network)
            return True
        hardware = cases.hardware_of(case, network)
        plan_file.save(hardware.design.plan, folder / PLAN)
        np.save(folder / IMAGES, hardware.images)
        emission = emit.emit(hardware.design)
    except Exception:  # where this is the failure there is nothing more to write
        return False
    (folder / RTL).mkdir()
    rtl_folder.write(emission, folder / RTL)
    return True


def _write_overlay(folder: Path, case: Case, network: Network) -> None:
    plan = overlays.plan(case)
    overlay_plans.save(plan, folder / PLAN)
    np.save(folder / IMAGES, images.make(case.frames, network.graph.input.shape, case.seed))
    (folder / RTL).mkdir()
    rtl_folder.write(emit_overlay.emit(plan), folder / RTL)


def cosim_arguments(case: Case, folder: Path) -> list[str]:
    """Arguments of `shiftnas` that simulate the folder's contents again, waves included."""
    return [
        "cosim",
        str(folder / NETWORK),
        *(
            (f"--rtl={folder / RTL}", "--load")
            if case.through_port
            else (f"--plan={folder / PLAN}",)
        ),
        f"--level={case.level}",
        f"--images={folder / IMAGES}",
        f"--frames={len(case.frames)}",
        f"--stall={case.stall}",
        *([f"--resets={overlays.resets(case)}"] if case.overlay else []),
        f"--seed={case.seed}",
        "--waves",
        f"--out={folder / RUN}",
        "--force",
    ]


def run_again(folder: Path, case: Case) -> str:
    """Runs the folder's command, here; what it said: the failure, or that there was none."""
    arguments = cosim_arguments(case, folder)[1:]
    with ExitStack() as quiet:
        quiet.enter_context(redirect_stdout(StringIO()))
        quiet.enter_context(redirect_stderr(StringIO()))
        try:
            cosim.main(arguments, standalone_mode=False)
        except (CheckFailed, InputError, click.ClickException) as error:
            return " ".join(str(error).split())
    return "no failure: run from the folder, every bit is right"


def _readme(failure: Failure, arguments: list[str], said: str, origin: str, simulable: bool) -> str:
    lines = [
        f"# {failure.kind}",
        "",
        f"Found by `{origin}`, shrunk; in this folder:",
        "",
        f"    shiftnas {shlex.join(arguments)}",
        "",
        "When the folder was written, that command said:",
        "",
        f"    {said}",
        "",
        f"- `{CASE}`: the case, for `shiftnas fuzz --case`; `{DRAWN}`: as it was drawn",
    ]
    if simulable:
        lines += [
            f"- `{NETWORK}/`, `{PLAN}`, `{IMAGES}`: what is simulated",
            f"- `{RTL}/`: the Verilog as it was (add `--rtl={RTL}` to simulate it, not a new one)",
            f"- `{RUN}/`: files of the run, `dump.vcd` among them",
        ]
    return "\n".join(lines) + "\n"
