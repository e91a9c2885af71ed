"""From hardware of either style to a bitstream for a board."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from math import floor, prod
from pathlib import Path
from typing import Any

from hw.board import boards
from hw.board import top as board_top
from hw.board.boards import Board
from hw.board.cores import Core
from hw.board.pll import pll
from hw.build import route, synth
from hw.build.netlist import Netlist
from hw.dataflow.bounds import NAMED
from hw.dataflow.fabric import RAM_BLOCK_BITS
from hw.errors import CheckFailed, InputError
from hw.verilog import yosys

SCHEMA_VERSION = 1
TOP = "board"
MANIFEST, REPORT = "manifest.json", "report.json"


@dataclass(frozen=True)
class Bitstream:
    """A bitstream folder in memory.

    Parameters
    ----------
    files: content by name: the bitstream, nextpnr's report, the manifest
    manifest: what was built from what, with which tools, and the figures measured
    cached: whether synthesis and routing were kept from before
    """

    files: dict[str, bytes]
    manifest: dict[str, Any]
    cached: bool

    def require_timing(self) -> None:
        """Raises CheckFailed where the routed design is slower than its clock."""
        fmax, clock = self.manifest["fmax_mhz"], self.manifest["clock_mhz"]
        if fmax < clock:
            raise CheckFailed(
                f"timing: {fmax:.1f} MHz reached, {clock:g} MHz asked for; lower clock_mhz in the "
                f"plan, or plan with --clock {floor(fmax)}"
            )


def build(
    core: Core,
    board: str,
    say: Callable[[str], None] = lambda stage: None,
) -> Bitstream:
    """Emit, synthesise, place, route and pack. `say` is told each stage as it begins.

    Raises
    ------
    InputError: no such board, a tool is missing, or the design does not fit.
    """
    target, platform = boards.for_bitstream(board)
    mhz = pll(target.clock_mhz, core.clock_mhz).mhz
    route.version()
    say("emitting")
    emission = core.emission
    shell, constraints = _shell(core, platform, mhz)
    say("synthesising")
    sources = {emission.verilog_name: emission.verilog, "board.il": shell}
    netlist, kept = synth.netlist_of(sources, TOP)
    layers = synth.layers(netlist, emission, prefix=f"{board_top.CORE}.")
    require_fit(netlist, target, layers, core.relief)
    routed = route.route(
        netlist, route.Part.of(platform), mhz=mhz, constraints=constraints, say=say
    )
    assert routed.bitstream is not None
    image = f"{target.name}.bit"
    files = {image: routed.bitstream, REPORT: _json(routed.report)}
    cycles = core.cycles_per_frame
    fmax = floor(100 * routed.fmax_mhz) / 100
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "style": emission.style,
        "board": target.name,
        "device": target.device,
        "bitstream": image,
        "clock_mhz": mhz,
        "fmax_mhz": fmax,
        "cycles_per_frame": cycles,
        # Smaller than full speed asks for: then both figures are the best that can be.
        "short_buffers": emission.manifest.get("short_buffers", []),
        # At a clock that it does not reach, it gives no frames to rely on.
        "fps": round(mhz * 1e6 / cycles, 2) if cycles and fmax >= mhz else None,
        "serial": _serial(core),
        # Sites after routing; `synthesis` has the counts before, and by layer.
        "lut": routed.used("TRELLIS_COMB") + 2 * routed.used("TRELLIS_RAMW"),
        "ff": routed.used("TRELLIS_FF"),
        "ram_blocks": routed.used("DP16KD"),
        "ram_bits": routed.used("DP16KD") * RAM_BLOCK_BITS,
        "dsp": routed.used("MULT18X18D") + routed.used("ALU54B"),
        "available": {
            "lut": target.die.luts,
            "ff": target.die.flip_flops,
            "ram_bits": target.die.ram_bits,
            "ram_blocks": target.die.ram_blocks,
            "dsp": target.die.dsps,
        },
        "synthesis": netlist.resources.as_dict(),
        "layers": layers,
        **core.digests,
        "rtl_digest": emission.digest,
        "tools": {
            "amaranth": version("amaranth"),
            "amaranth-boards": version("amaranth-boards"),
            "pyosys": yosys.version(),
            route.PACKAGE: route.version(),
        },
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in files.items()
        },
    }
    return Bitstream(files | {MANIFEST: _json(manifest)}, manifest, kept and routed.cached)


def write(bitstream: Bitstream, folder: Path) -> None:
    """Write the files into `folder`, which exists: see `hw.outputs.folder`."""
    for name, content in bitstream.files.items():
        (folder / name).write_bytes(content)


def require_fit(
    netlist: Netlist, board: Board, rows: Sequence[Mapping[str, Any]] = (), relief: str = ""
) -> None:
    """Raises InputError where the board has too little, before minutes of routing.

    `rows`: what each layer takes, as of `synth.layers`; the largest are named. `relief`: what can
    be done, as of `Core`.
    """
    needed, die = netlist.resources, board.die
    for key, what, need, there in (
        ("lut", "LUT sites", needed.lut, die.luts),
        ("ff", "flip-flops", needed.ff, die.flip_flops),
        ("ram_blocks", "block RAMs", needed.ram_blocks, die.ram_blocks),
    ):
        if need > there:
            largest = sorted(rows, key=lambda row: -row[key])[:NAMED]
            named = ", ".join(f"{row['name']} ({row[key]})" for row in largest)
            raise InputError(
                f"board {board.name}: the design takes {need} {what} and there are {there}"
                f"{', most of them in ' + named if named else ''}; {relief}"
            )


def _shell(core: Core, platform: Any, clock_mhz: float) -> tuple[str, str]:
    """RTLIL of the board's top, and its LPF file."""
    top = board_top.BoardTop(core.emission.top, core.link, clock_mhz=clock_mhz)
    made = platform.build(top, name=TOP, do_build=False, emit_src=False)
    return made.files[f"{TOP}.il"], made.files[f"{TOP}.lpf"]


def _serial(core: Core) -> dict[str, float | None]:
    """The port's rate, and the frames a second it carries: the limit where it is below `fps`."""
    fps = None
    if core.image is not None:
        fps = round(board_top.BAUD / (prod(core.image) * board_top.BITS_A_BYTE), 2)
    return {"baud": board_top.BAUD, "fps": fps}


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()
