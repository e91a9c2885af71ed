"""Synthesis with Yosys, without DSP blocks, latches and multipliers, or not at all."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hw import cache
from hw.build.families import FAMILIES, Family, family
from hw.build.netlist import Netlist
from hw.errors import CheckFailed
from hw.verilog import yosys
from hw.verilog.rtl_folder import Emission

DEFAULT = "ecp5"

_READ = {".v": "read_verilog", ".il": "read_rtlil"}

_FORBIDDEN = {
    "latch": "t:$dlatch t:$adlatch t:$dlatchsr t:$sr",
    "multiplier": "t:$mul t:$macc t:$macc_v2 t:$div t:$divfloor t:$mod t:$modfloor t:$pow",
}
"""What must not be in the design, before anything is mapped: sums of products and quotients count
as multipliers."""

_FOUND = "{what}.txt"

_NETLIST, _LOG = "netlist.json", "yosys.log"

REST = "(elsewhere)"
"""Name of what belongs to no layer: forks, the top, the board's clock and serial port."""


def synthesise(emission: Emission, target: str = DEFAULT) -> dict[str, Any]:
    """What the network takes on a family of FPGAs, as a whole and by layer; nothing is placed.

    Keys: target, lut (LUT sites), ff, ram_bits, ram_blocks, dsp, carry, digest (of the RTL), cached
    (whether the netlist was kept from before), layers: the same counts with the layer's name.

    Raises
    ------
    InputError: no such family, or `pyosys` is not installed; CheckFailed: there is a multiplier, a
    DSP block or a latch.
    """
    netlist, cached = netlist_of(emission.files, emission.top, family(target))
    return {
        "target": target,
        **netlist.resources.as_dict(),
        "digest": emission.digest,
        "cached": cached,
        "layers": layers(netlist, emission),
    }


def layers(netlist: Netlist, emission: Emission, prefix: str = "") -> list[dict[str, Any]]:
    """Resources of each layer in the network's order (or part of an overlay), and last of the rest.

    `prefix` is the instance path of the network in the netlist, "" or ending in a dot.
    """
    entries = emission.instances
    found = netlist.by_layer((entry["path"] for entry in entries), prefix)
    rows = [{"name": entry["name"], **found[entry["path"]].as_dict()} for entry in entries]
    return [*rows, {"name": REST, **found[""].as_dict()}]


def netlist_of(
    sources: Mapping[str, str],
    top: str,
    target: Family = FAMILIES[DEFAULT],
    mhz: float | None = None,
) -> tuple[Netlist, bool]:
    """Netlist of the module `top`, and whether it was kept from before.

    Parameters
    ----------
    sources: texts by file name: Verilog (.v), RTLIL (.il), contents of ROMs (.hex); others are
        not looked at
    mhz: what is faster than this, wires not counted, Yosys makes smaller (an ECP5 only, where it
        knows the delays); None: all as fast as the slowest path

    Raises
    ------
    InputError: `pyosys` is not installed; CheckFailed: there is a multiplier, a DSP block or a
    latch, with the module it is in.
    """
    names = [name for name in sources if Path(name).suffix in _READ]
    script = "\n".join(
        [
            *(f"{_READ[Path(name).suffix]} {name}" for name in names),
            # Primitives of the family are not known yet: no -check.
            f"hierarchy -top {top}",
            "proc",
            # The index of a vector of wide words is a product until Yosys sees that it is a shift.
            "design -save read",
            "opt_expr",
            "opt_clean",
            "peepopt",
            "opt_clean",
            *(
                f"select -write {_FOUND.format(what=what)} {kinds}"
                for what, kinds in _FORBIDDEN.items()
            ),
            f"select -assert-none {' '.join(_FORBIDDEN.values())}",
            "select -clear",
            "design -load read",
            *([] if mhz is None else [f"scratchpad -set abc9.D {round(1e6 / mhz)}"]),
            target.script.format(top=top),
            f"write_json {_NETLIST}",
        ]
    )

    def make(folder: Path) -> None:
        for name, text in sources.items():
            (folder / name).write_text(text, encoding="utf-8")
        try:
            log = yosys.run(script, folder)
        except yosys.YosysError:
            _check(folder)
            raise
        netlist = Netlist.parse((folder / _NETLIST).read_text(encoding="utf-8"), top, target)
        netlist.check()
        for path in folder.iterdir():
            path.unlink()
        (folder / _NETLIST).write_text(netlist.dump(), encoding="utf-8")
        (folder / _LOG).write_text(log, encoding="utf-8")

    content = [part for item in sources.items() for part in item]
    digest = cache.digest_of(yosys.version(), script, *content)
    folder, cached = cache.entry("synth", digest, make)
    text = (folder / _NETLIST).read_text(encoding="utf-8")
    return Netlist.parse(text, top, target), cached


def _check(folder: Path) -> None:
    """Raises CheckFailed for what Yosys found among the forbidden cells, if it came so far."""
    for what in _FORBIDDEN:
        path = folder / _FOUND.format(what=what)
        found = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        if found:
            module, _, cell = found[0].partition("/")
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            raise CheckFailed(f"synthesis: module {module}: a {what} ({cell}){more}")
