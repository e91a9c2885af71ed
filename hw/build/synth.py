"""Synthesis for ECP5 with Yosys: no DSP blocks, hierarchy kept until memories are mapped."""

from pathlib import Path
from typing import Any

from hw import cache, emit, yosys
from hw.build.netlist import Netlist
from hw.emit import Emission

TARGET = "ecp5"

_READ = {".v": "read_verilog", ".il": "read_rtlil"}

# Flattened at the start, Yosys merges adders of different layers into large compressors: 30 % more
# LUTs on adder graphs. Flattened once memories are mapped, it still optimises across the layers'
# borders. (Flattening before they are mapped gives the same size and takes a quarter longer.)
_SCRIPT = """
synth_ecp5 -nodsp -noflatten -top {top} -run begin:map_gates
flatten
synth_ecp5 -nodsp -top {top} -run map_gates:edif
write_json netlist.json
"""

_NETLIST, _LOG = "netlist.json", "yosys.log"

REST = "(elsewhere)"
"""Name of what belongs to no layer: forks, the top, the board's clock and serial port."""


def synthesise(emission: Emission) -> dict[str, Any]:
    """What the network takes on an ECP5, as a whole and by layer; nothing is placed.

    Keys: target, lut (LUT sites), ff, ram_bits, ram_blocks, dsp, carry, digest (of the RTL), cached
    (whether the netlist was kept from before), layers: the same counts with the layer's name.

    Raises
    ------
    InputError: `pyosys` is not installed.
    """
    netlist, cached = netlist_of({emit.VERILOG: emission.verilog}, emit.TOP)
    return {
        "target": TARGET,
        **netlist.resources.as_dict(),
        "digest": emission.digest,
        "cached": cached,
        "layers": layers(netlist, emission),
    }


def layers(netlist: Netlist, emission: Emission, prefix: str = "") -> list[dict[str, Any]]:
    """Resources of each layer in the network's order, and last of the rest.

    `prefix` is the instance path of the network in the netlist, "" or ending in a dot.
    """
    entries = emission.manifest["layers"]
    found = netlist.by_layer((entry["path"] for entry in entries), prefix)
    rows = [{"name": entry["name"], **found[entry["path"]].as_dict()} for entry in entries]
    return [*rows, {"name": REST, **found[""].as_dict()}]


def netlist_of(sources: dict[str, str], top: str) -> tuple[Netlist, bool]:
    """Netlist of the module `top`, and whether it was kept from before.

    `sources` are texts by file name, Verilog (.v) or RTLIL (.il).

    Raises
    ------
    InputError: `pyosys` is not installed.
    """
    reads = [f"{_READ[Path(name).suffix]} {name}" for name in sources]
    script = "\n".join(reads) + _SCRIPT.format(top=top)

    def make(folder: Path) -> None:
        for name, text in sources.items():
            (folder / name).write_text(text, encoding="utf-8")
        log = yosys.run(script, folder)
        netlist = Netlist.parse((folder / _NETLIST).read_text(encoding="utf-8"), top)
        for path in folder.iterdir():
            path.unlink()
        (folder / _NETLIST).write_text(netlist.dump(), encoding="utf-8")
        (folder / _LOG).write_text(log, encoding="utf-8")

    content = [part for item in sources.items() for part in item]
    digest = cache.digest_of(yosys.version(), script, *content)
    folder, cached = cache.entry("synth", digest, make)
    return Netlist.parse((folder / _NETLIST).read_text(encoding="utf-8"), top), cached
