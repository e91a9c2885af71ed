"""The subcommand plan: which hardware, for a board."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from hw import console, outputs
from hw.commands import plans
from hw.commands.options import FOLDER, Number, optional_network_argument, out_option
from hw.dataflow.fabric import CLOCK_MHZ
from hw.errors import CheckFailed, InputError
from hw.verilog.rtl_folder import DATAFLOW, OVERLAY

AUTO = "auto"

OVERLAY_CLOCK_MHZ = 100.0


class Lanes(click.ParamType):
    """Lanes of a grid: 64, or 8x8 (rows x columns)."""

    name = "N|RxC"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(\d+)(?:x(\d+))?", value)
        if match is None:
            self.fail(
                f"{value!r}: expected lanes, such as 64, or rows and columns: 8x8", param, ctx
            )
        number = int(match[1])
        if match[2] is not None:
            return number, int(match[2])
        # The squarest grid of so many.
        rows = max((side for side in range(1, 65) if side * side <= number and number % side == 0),
                   default=0)  # fmt: skip
        if not rows or number // rows > 64:
            self.fail(f"{number}: no grid of up to 64 x 64 has so many lanes", param, ctx)
        return rows, number // rows


@dataclass(frozen=True)
class Wanted:
    """What the call asks for."""

    board: str
    fps: float | None
    luts: int | None
    clock_mhz: float | None
    lanes: tuple[int, int] | None
    stream: bool
    loadable: bool
    cover: tuple[Path, ...]


@click.command(cls=console.Command)
@optional_network_argument
@click.option("--board", metavar="B", required=True)
@click.option(
    "--style",
    type=click.Choice([DATAFLOW, OVERLAY, AUTO]),
    default=DATAFLOW,
    show_default=True,
    help="An engine for each layer; one grid of lanes that runs a program; what suits NET better.",
)
@click.option(
    "--lanes", type=Lanes(), help="Of an overlay; default: 8x8, with --fps as few as are enough."
)
@click.option("--fps", type=Number(min=0, min_open=True), help="Frames a second wanted.")
@click.option("--luts", type=click.IntRange(min=1), help="LUT budget; default: 80 % of the board.")
@click.option(
    "--clock",
    "clock_mhz",
    metavar="MHZ",
    type=Number(min=0, max=1000, min_open=True),
    show_default=f"{CLOCK_MHZ:g}, of an overlay {OVERLAY_CLOCK_MHZ:g}",
    help="The hardware's clock; a board gives it, or the nearest one below.",
)
@click.option(
    "--stream",
    is_flag=True,
    help="Of an overlay with NET: a program that is streamed though there is room for it.",
)
@click.option("--loadable", is_flag=True, help="Weights can be loaded at run time.")
@click.option(
    "--cover",
    "cover",
    metavar="NET",
    type=FOLDER,
    multiple=True,
    help="With --loadable: room for this network's scales and biases too; may be repeated.",
)
@out_option("plan.yaml.", default=Path("plan.yaml"), required=False, show_default=True)
@console.force_option
@console.json_option
def plan(
    folder: Path | None,
    board: str,
    style: str,
    lanes: tuple[int, int] | None,
    fps: float | None,
    luts: int | None,
    clock_mhz: float | None,
    stream: bool,
    loadable: bool,
    cover: tuple[Path, ...],
    out: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Choose hardware for a board: elements and FIFO depths, or an overlay; predict size and speed.

    With --board none nothing limits the plan but --luts; without that and --fps dataflow hardware
    is the fastest there is. An overlay needs no NET; with one its memories suit it. Every line of
    the plan may be edited: a plan never changes a bit of the result.
    """
    outputs.require_absent(out, force, plans.MARKS)
    wanted = Wanted(board, fps, luts, clock_mhz, lanes, stream, loadable, cover)
    if cover and not loadable:
        raise InputError("--cover: is for weights that are loaded; give --loadable too")
    if lanes is not None and style == DATAFLOW:
        raise InputError("--lanes: are an overlay's; add --style overlay")
    if stream and style == DATAFLOW:
        raise InputError("--stream: is of an overlay's program; add --style overlay")
    if stream and folder is None:
        raise InputError("--stream: the program of which network? give NET too")
    if loadable and style != DATAFLOW:
        raise InputError("--loadable: is of dataflow hardware; an overlay's weights are a program")
    if folder is None and fps is not None:
        raise InputError("--fps: frames of which network? give NET too")
    if folder is None and style != OVERLAY:
        plans.required(folder)
    why = None
    if style == AUTO:
        style, text, result, line, why = _better(plans.required(folder), wanted)
    elif style == OVERLAY:
        text, result, line = _overlay(folder, wanted)
    else:
        text, result, line = _dataflow(plans.required(folder), wanted)
    outputs.write_atomic(out, text)
    result = {"out": out, "style": style, **result}
    if as_json:
        console.print_json(result if why is None else result | {"why": why})
        return
    if why is not None:
        console.note(f"plan: {style}: {why}")
    click.echo(f"{out}: {line}")


Planned = tuple[str, dict[str, Any], str]
"""The plan's text, the figures, and the line that tells them."""


def _dataflow(folder: Path, wanted: Wanted) -> Planned:
    from hw.board import boards
    from hw.dataflow import cost, plan_file
    from hw.dataflow.planner import propose
    from hw.ir import serialize
    from hw.ir.structure import require_same_structure, structure

    asked = wanted.clock_mhz or CLOCK_MHZ
    device = boards.device(wanted.board, asked)
    made = serialize.load(folder)
    others = []
    for path in wanted.cover:
        others.append(serialize.load(path))
        require_same_structure(others[-1], structure(made), str(path), str(folder))
    design = propose(
        made, device, fps=wanted.fps, luts=wanted.luts, loadable=wanted.loadable, cover=others
    )
    predicted, proposed = cost.predict(design), design.plan
    figures = {"board": proposed.board, "clock_mhz": proposed.clock_mhz} | asdict(predicted)
    del figures["layers"]
    line = (
        f"about {predicted.lut:,} LUT, {predicted.ff:,} FF, {predicted.ram_bits:,} RAM bits, board"
        f" {proposed.board}; {predicted.cycles_per_frame:,} cycles a frame, {predicted.fps:.0f}"
        f" frames/s at {_clock(proposed.clock_mhz, asked)}, limited by {predicted.limiting_layer}"
    )
    return plan_file.dumps(proposed), figures, line


def _overlay(folder: Path | None, wanted: Wanted, grids: Any = None) -> Planned:
    from hw.board import boards
    from hw.ir import serialize
    from hw.overlay import plan_file
    from hw.overlay.planner import SHARE, Room, propose

    asked = wanted.clock_mhz or OVERLAY_CLOCK_MHZ
    device = boards.device(wanted.board, asked)
    luts = wanted.luts
    if device.luts is not None:
        if luts is not None and luts > device.luts:
            raise InputError(
                f"--luts: {luts} are more than the {device.luts} that {device.board} has; choose a"
                " larger board, or --board none"
            )
        luts = luts or int(device.luts * SHARE)
    fabric = "generic" if device.board == boards.NONE else "ecp5"
    room = Room(device.board, device.clock_mhz, fabric, luts, device.ram_blocks)
    network = None if folder is None else serialize.load(folder)
    chosen = [wanted.lanes] if wanted.lanes is not None else grids
    found = propose(room, network, grids=chosen, fps=wanted.fps, stream=wanted.stream)
    sizes, cost = found.plan.hardware, found.cost
    figures = {
        "board": found.plan.board,
        "clock_mhz": found.plan.clock_mhz,
        "lut": cost.lut,
        "ff": cost.ff,
        "ram_bits": cost.ram_bits,
        "ram_blocks": cost.ram_blocks,
        **{name: value for name, value in asdict(sizes).items() if name != "fabric"},
        "lanes": sizes.lanes,
        "fabric": sizes.fabric,
        "digest": sizes.digest,
    }
    line = (
        f"{sizes.rows} x {sizes.columns} lanes, about {cost.lut:,} LUT, {cost.ff:,} FF,"
        f" {cost.ram_blocks} block RAMs ({sizes.words:,} words of data,"
        f" {sizes.program_words:,} of program), board {found.plan.board}"
    )
    if found.program is None:
        line += f", {_clock(found.plan.clock_mhz, asked)}"
    else:
        program = found.program
        figures |= {
            "cycles_per_frame": program.cycles_per_frame,
            "batch": program.program.images,
            "latency_cycles": program.cycles_alone,
            "fps": found.fps,
            "memory_words": program.memory,
            "length": len(program.program.prefix) + len(program.program.suffix),
            "streamed": program.program.streamed,
        }
        if program.program.streamed:
            line += f"; {figures['length']:,} words are streamed"
        line += (
            f"; {program.cycles_per_frame:,.0f} cycles a frame, {found.fps:,.0f} frames/s at"
            f" {_clock(found.plan.clock_mhz, asked)}, images in batches of {program.program.images}"
        )
    return plan_file.dumps(found.plan), figures, line


def _clock(clock_mhz: float, asked: float) -> str:
    return f"{clock_mhz:g} MHz" + ("" if clock_mhz == asked else f" ({asked:g} asked for)")


def _better(folder: Path, wanted: Wanted) -> tuple[str, str, dict[str, Any], str, str]:
    """Style, plan and reason: the smaller one that is fast enough, or else the faster one."""
    from hw.overlay.planner import GRIDS

    found: dict[str, Planned] = {}
    refused: dict[str, str] = {}
    grids = None if wanted.fps else GRIDS[::-1]
    for style, make in (
        (DATAFLOW, lambda: _dataflow(folder, wanted)),
        (OVERLAY, lambda: _overlay(folder, wanted, grids)),
    ):
        try:
            found[style] = make()
        except (InputError, CheckFailed) as error:
            refused[style] = str(error)
    if not found:
        raise CheckFailed("; ".join(f"{style}: {why}" for style, why in refused.items()))
    if len(found) == 1:
        (style,), (other,) = found, refused
        return style, *found[style], f"{other} hardware does not do: {refused[other]}"
    figures = {style: planned[1] for style, planned in found.items()}
    if wanted.fps:
        style = min(found, key=lambda one: figures[one]["lut"])
        word, key, unit = "smaller", "lut", "LUT sites"
    else:
        style = max(found, key=lambda one: figures[one]["fps"])
        word, key, unit = "faster", "fps", "frames/s"
    other = next(one for one in found if one != style)
    why = (
        f"{word}: {figures[style][key]:,.0f} {unit}, and {figures[other][key]:,.0f} of {other}"
        " hardware"
    )
    return style, *found[style], why
