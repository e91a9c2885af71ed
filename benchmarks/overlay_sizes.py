"""What overlays take of an ECP5, by part, and how fast they are.

    python benchmarks/overlay_sizes.py [--lanes 64 256] [--mhz 150] [--route]

The whole top: lanes, sequencer, program memory, loader, buses. LUT sites are counted as synthesis
has them, and with --route as nextpnr places them, which adds ends of carry chains; out of context,
on an LFE5U-85F of speed grade 6. Both are kept, so that a second call costs nothing.
"""

import argparse
from collections.abc import Iterator

from hw.build.route import Part, route
from hw.build.synth import netlist_of
from hw.overlay.banks import blocks
from hw.overlay.hardware import Overlay
from hw.overlay.rtl.top import Top
from hw.verilog.convert import to_rtlil

CASES = {
    64: Overlay(rows=8, columns=8, words=1024, acc_bits=17),
    256: Overlay(rows=16, columns=16, words=1535, acc_bits=17),
}
"""By their lanes; the second has a memory of three banks of 512 words."""

PARTS = {
    "lanes and memory": "core.array",
    "addresses": "core.sequencer.addresses",
    "rest of the sequencer": "core.sequencer",
    "program store": "core.store",
    "image loader": "core.loader",
    "logits": "core.output",
    "registers": "registers",
}

SYNTHESIS_MHZ = 351.0
"""What Yosys aims at, so that paths are short: wires, of which it counts little, take more than
half of a cycle."""

PART = Part("--85k", "CABGA381", "6")


def rows(overlay: Overlay, mhz: float, routes: bool) -> Iterator[tuple[str, str]]:
    """Lines of a table: what, how much."""
    text = to_rtlil(Top(overlay), "top").text
    netlist, _ = netlist_of({"top.il": text}, "top", mhz=SYNTHESIS_MHZ)
    found = netlist.by_layer(PARTS.values())
    for name, path in PARTS.items():
        yield name, f"{found[path].lut:6} LUT sites {found[path].ff:6} FF"
    yield "elsewhere", f"{found[''].lut:6} LUT sites {found[''].ff:6} FF"
    all_of_it = netlist.resources
    yield "synthesis", f"{all_of_it.lut:6} LUT sites {all_of_it.ff:6} FF {all_of_it.ram_blocks} RAM"
    yield "a lane", f"{all_of_it.lut / overlay.lanes:6.1f} LUT sites"
    if routes:
        routed = route(netlist, PART, mhz=mhz, constraints=None)
        sites = routed.used("TRELLIS_COMB") + 2 * routed.used("TRELLIS_RAMW")
        yield "placed", f"{sites:6} LUT sites {routed.fmax_mhz:.0f} MHz"
        yield "a lane", f"{sites / overlay.lanes:6.1f} LUT sites"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lanes", type=int, nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--mhz", type=float, default=150)
    parser.add_argument("--route", action="store_true")
    options = parser.parse_args()
    for lanes in options.lanes:
        overlay = CASES[lanes]
        memory = blocks(overlay.rows, overlay.columns, overlay.words)
        print(f"{overlay.rows} x {overlay.columns} lanes, {memory} block RAMs of pixels")
        for name, what in rows(overlay, options.mhz, options.route):
            print(f"  {name:22} {what}", flush=True)


if __name__ == "__main__":
    main()
