"""Subcommands that make hardware: emit, synth, bitstream."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hw import console, outputs
from hw.build.families import FAMILIES
from hw.commands import plans
from hw.commands.options import (
    FOLDER,
    OUTPUT,
    allow_edited_option,
    optional_network_argument,
    out_option,
    plan_option,
)
from hw.dataflow.flow.buffers import Short
from hw.errors import InputError
from hw.overlay.plan import OverlayPlan
from hw.verilog import identifiers, licence, roms, rtl_folder
from hw.verilog.identifiers import TOP
from hw.verilog.rtl_folder import DATAFLOW

if TYPE_CHECKING:
    import numpy as np

    from hw.board.cores import Core
    from hw.overlay.program_file import ProgramFile

PROGRAM = "program"
"""Folder of a network's program in that of an overlay's RTL."""


@click.command(cls=console.Command)
@optional_network_argument
@plan_option
@click.option(
    "--rom",
    type=click.Choice([*map(str, roms.Rom)]),
    default=str(roms.Rom.INLINE),
    show_default=True,
    help="Contents of ROMs in the Verilog, or in $readmemh files beside it.",
)
@click.option(
    "--name",
    default=TOP,
    show_default=True,
    help="Of the top module; the names of all other modules and of the files begin with it, so "
    "that several networks go into one design.",
)
@click.option(
    "--licence",
    "licensed",
    metavar="SPDX",
    show_default=f"{licence.DEFAULT}, of an overlay {licence.OPEN}",
    help="The terms that the Verilog stands under, an SPDX expression.",
)
@click.option(
    "--testbench",
    is_flag=True,
    help="A plain SystemVerilog testbench too, with scripts for simulators: it needs no Python.",
)
@click.option(
    "--images",
    "images_file",
    type=FOLDER,
    help="Of --testbench: .npy, uint8 (N, H, W, C); default: random ones.",
)
@click.option(
    "--frames",
    type=click.IntRange(min=2),
    help="Images of --testbench; default: 4, for a small network 8, or all that --images has "
    "where they are fewer.",
)
@click.option(
    "--seed", type=console.SEED, help="Of --testbench: its images and stalls; default: 1."
)
@out_option("The RTL folder.")
@console.force_option
@console.json_option
def emit(
    folder: Path | None,
    plan_file: Path | None,
    rom: str,
    name: str,
    licensed: str | None,
    testbench: bool,
    images_file: Path | None,
    frames: int | None,
    seed: int | None,
    out: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Write the Verilog of a NETWORK and manifest.json: ports, formats, digests, tool versions.

    By a plan for an overlay: the overlay's, which needs no NET; with one its program too, in the
    folder `program`.
    """
    from hw.networks.images import default_images, read_images
    from hw.verilog import emit as emission
    from hw.verilog import testbench as benches

    for option, value in (("images", images_file), ("frames", frames), ("seed", seed)):
        if value is not None and not testbench:
            raise InputError(f"--{option}: is for the testbench; add --testbench")
    start = time.monotonic()
    outputs.require_absent(out, force)
    identifiers.check(name, "--name")
    if licensed is not None:
        licence.check(licensed, "--licence")
    overlay = plans.overlay(plan_file)
    images = None if images_file is None else read_images(images_file)
    if overlay is not None:
        if rom != roms.Rom.INLINE:
            raise InputError(
                f"--rom: is for {DATAFLOW} hardware; {plan_file}: an overlay has no ROM"
            )
        bench = (images, frames, 1 if seed is None else seed) if testbench else None
        _emit_overlay(overlay, folder, name, licensed, bench, out, force, as_json)
        return
    network, design = plans.load(folder, plan_file)
    emitted = emission.emit(design, rom, name, licensed or licence.DEFAULT)
    bench = {}
    if testbench:
        seed = 1 if seed is None else seed
        images = default_images(network, images, frames, seed)
        bench = benches.files(emitted, network, images, seed)
    with outputs.folder(out, force) as target:
        rtl_folder.write(emitted, target)
        benches.write(bench, target)
    _note_short("emit", emitted.manifest)
    names = sorted([*emitted.files, rtl_folder.MANIFEST, *bench])
    seconds = round(time.monotonic() - start, 2)
    if as_json:
        console.print_json(
            {"out": out, "files": names, "seconds": seconds, "digest": emitted.digest}
        )
    else:
        click.echo(
            f"{out}: {len(names)} files, {emitted.verilog_name} among them, in {seconds:.1f} s; "
            f"digest {emitted.digest[:12]}"
        )


def _emit_overlay(
    plan: OverlayPlan,
    folder: Path | None,
    name: str,
    licensed: str | None,
    bench: "tuple[np.ndarray | None, int | None, int] | None",
    out: Path,
    force: bool,
    as_json: bool,
) -> None:
    """bench: with a testbench: its images if they are given, how many, seed."""
    from hw.commands import program
    from hw.ir import serialize
    from hw.networks.images import default_images
    from hw.verilog import emit_overlay, overlay_testbench
    from hw.verilog import testbench as benches

    start = time.monotonic()
    if bench is not None and folder is None:
        raise InputError("--testbench: an overlay alone has no logits to compare; give a NETWORK")
    network = None if folder is None else serialize.load(folder)
    made = None if network is None else program.compiled(network, plan)
    emitted = emit_overlay.emit(plan, name, licensed or licence.OPEN)
    tests: dict[str, str] = {}
    if bench is not None and network is not None and made is not None:
        images, frames, seed = bench
        # A whole batch and one that is short.
        count = frames or (made.program.images + 1 if images is None else None)
        images = default_images(network, images, count, seed)
        tests = overlay_testbench.files(emitted, network, made.program, images, seed)
    files = [*emitted.files, rtl_folder.MANIFEST, *tests]
    with outputs.folder(out, force) as target:
        rtl_folder.write(emitted, target)
        benches.write(tests, target)
        if made is not None:
            files += _write_program(made, target)
    result = {
        "out": out,
        "files": sorted(files),
        "seconds": round(time.monotonic() - start, 2),
        "digest": emitted.digest,
    }
    if made is not None:
        result["program"] = program.facts(made, plan)
    if as_json:
        console.print_json(result)
        return
    click.echo(
        f"{out}: {len(files)} files, {emitted.verilog_name} among them, in"
        f" {result['seconds']:.1f} s; digest {emitted.digest[:12]}"
    )
    if made is not None:
        click.echo(f"{out / PROGRAM}: {program.told(result['program'])}")


def _write_program(made: "ProgramFile", target: Path) -> list[str]:
    """The program in a folder of its own; names of its files."""
    from hw.overlay import program_file

    (target / PROGRAM).mkdir()
    program_file.save(made, target / PROGRAM)
    return [f"{PROGRAM}/{name}" for name in made.files]


def _note_short(command: str, manifest: Mapping[str, Any]) -> None:
    """Notes on buffers for which the predicted cycles a frame are the least, not the number."""
    for one in manifest["short_buffers"]:
        console.note(
            f"{command}: {Short(**one)}; a frame takes {manifest['cycles_per_frame']:,} cycles or "
            "more"
        )


@click.command(cls=console.Command)
@optional_network_argument
@plan_option
@click.option("--target", type=click.Choice([*FAMILIES]), default="ecp5", show_default=True)
@click.option("--rtl", type=FOLDER, help="Synthesise the files of this RTL folder instead.")
@click.option(
    "--report",
    "report_file",
    type=OUTPUT,
    help="Write what Yosys finds before it maps: clocks, resets, latches, loops, drivers, paths.",
)
@allow_edited_option
@console.force_option
@console.json_option
def synth(
    folder: Path | None,
    plan_file: Path | None,
    target: str,
    rtl: Path | None,
    report_file: Path | None,
    allow_edited: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Synthesise: LUT, FF, RAM, DSP, carry; by layer, or part of an overlay. Nothing is placed.

    Exit code 1 where there is a latch, a multiplier or a DSP block, and with --report where the
    report has a finding.
    """
    from hw.build import structure
    from hw.build import synth as synthesis

    if rtl is not None and plan_file is not None:
        raise InputError("--plan: the files of --rtl have their own plan; leave one of the two out")
    if allow_edited and rtl is None:
        raise InputError("--allow-edited: is about an RTL folder; add --rtl")
    if report_file is not None:
        outputs.require_absent(report_file, force, structure.MARKS)
    emitted, edited = _hardware(folder, plan_file, rtl, allow_edited)
    for line in edited:
        console.note(f"synth: {rtl}/{line}")
    _require_fabric(emitted, target)
    if report_file is not None:
        found = structure.examine(emitted.files, emitted.top)
        outputs.write_atomic(report_file, structure.report(found))
        found.require_sound()
    console.note(f"synthesising for {target}")
    result = synthesis.synthesise(emitted, target) | {"edited": edited}
    if report_file is not None:
        result["report"] = report_file
    if as_json:
        console.print_json(result)
    else:
        _print_layers(result)


def _hardware(
    folder: Path | None, plan_file: Path | None, rtl: Path | None, allow_edited: bool
) -> tuple[rtl_folder.Emission, list[str]]:
    """The Verilog to be synthesised, of either style, and what of it was edited."""
    from hw.ir import serialize
    from hw.verilog import edits, emit_overlay
    from hw.verilog import emit as emission

    if rtl is None:
        overlay = plans.overlay(plan_file)
        if overlay is not None:
            return emit_overlay.emit(overlay), []
        return emission.emit(plans.load(folder, plan_file)[1]), []
    emitted = rtl_folder.read(rtl, style=None, allow_edited=allow_edited)
    if emitted.style == rtl_folder.OVERLAY:
        return emitted, [f"{name}: edited" for name in edits.edited_files(emitted)]
    network = serialize.load(plans.required(folder))
    emitted = rtl_folder.read(rtl, network, allow_edited=allow_edited)
    return emitted, edits.against(network, emitted)


def _require_fabric(emitted: rtl_folder.Emission, target: str) -> None:
    """InputError where cells of another family are instantiated."""
    fabric = (
        emitted.manifest["overlay"]["fabric"] if emitted.style == rtl_folder.OVERLAY else target
    )
    if fabric not in (target, "generic"):
        raise InputError(
            f"{emitted.source}: overlay: fabric: {fabric}: has cells that {target} does not know;"
            " set `fabric: generic` in the plan"
        )


@click.command(cls=console.Command)
@optional_network_argument
@click.option("--board", metavar="B", required=True)
@plan_option
@out_option("The folder of the bitstream.")
@console.force_option
@console.json_option
def bitstream(
    folder: Path | None, board: str, plan_file: Path | None, out: Path, force: bool, as_json: bool
) -> None:
    """Synthesise, place and route, pack: bitstream, Fmax, utilisation, manifest.

    By a plan for an overlay no NET is needed; with one its program is written too, in the folder
    `program`. Exit code 1 where the design is slower than its clock; the folder is written all the
    same.
    """
    from hw.board import bitstream as building
    from hw.board import boards

    outputs.require_absent(out, force)
    known, _ = boards.for_bitstream(board)
    core = _core(folder, plan_file, known.name)
    start = time.monotonic()
    built = building.build(core, known.name, console.note)
    with outputs.folder(out, force) as target:
        building.write(built, target)
        if core.program is not None:
            _write_program(core.program, target)
    _note_short("bitstream", built.manifest)
    result = {
        "out": out,
        **built.manifest,
        "cached": built.cached,
        "seconds": round(time.monotonic() - start, 1),
    }
    if as_json:
        console.print_json(result)
    else:
        there = result["available"]
        click.echo(
            f"{out / result['bitstream']}: {result['fmax_mhz']:.1f} MHz reached, "
            f"{result['clock_mhz']:g} MHz asked for, {_speed(result)}"
            f"{result['lut']:,} of {there['lut']:,} LUT sites, {result['ff']:,} FF, "
            f"{result['ram_blocks']} of {there['ram_blocks']} block RAMs, {result['dsp']} DSP"
        )
    built.require_timing()


def _core(folder: Path | None, plan_file: Path | None, board: str) -> "Core":
    """The hardware for a bitstream, of either style."""
    from hw.board.cores import NetworkCore, OverlayCore
    from hw.commands import program
    from hw.ir import serialize

    overlay = plans.overlay(plan_file)
    if overlay is None:
        return NetworkCore(plans.load(folder, plan_file, board)[1])
    made = None if folder is None else program.compiled(serialize.load(folder), overlay)
    if made is not None and made.program.streamed:
        words = len(made.program.prefix) + len(made.program.suffix)
        raise InputError(
            f"{folder}: a program of {words:,} words is streamed to this overlay, whose memory has"
            f" {overlay.hardware.program_words:,}; the board's serial port takes programs that are"
            " stored: leave NET out for the bitstream alone"
        )
    return OverlayCore(overlay, made)


def _speed(result: Mapping[str, Any]) -> str:
    if result["fmax_mhz"] < result["clock_mhz"]:
        return "timing missed; "
    if result["fps"] is None:
        return ""
    most = "at most " if result["short_buffers"] else ""
    return f"{most}{result['fps']:.0f} frames/s at that; "


def _print_layers(result: dict[str, Any]) -> None:
    from rich.table import Table

    columns = {"lut": "LUT sites", "ff": "FF", "ram_blocks": "RAM", "dsp": "DSP", "carry": "carry"}
    table = Table(show_footer=True)
    table.add_column("layer", footer="all", overflow="fold")
    for key, title in columns.items():
        table.add_column(title, justify="right", footer=f"{result[key]:,}")
    for row in result["layers"]:
        table.add_row(row["name"], *(f"{row[key]:,}" for key in columns))
    console.print_grid(table)
