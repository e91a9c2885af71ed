"""What the processing elements and the requantiser take of an ECP5.

    python benchmarks/elements.py

Synthesises each alone (8-bit activations, no DSP) and prints LUT sites a lane, where a site is a
LUT4, a CCU2C counts two and a TRELLIS_DPR16X4 six, beside an int8 multiply-accumulate of the same
accumulator width.
"""

import json
import tempfile
from pathlib import Path

from amaranth import Module, Signal, signed
from amaranth.lib import wiring

from hw.dataflow.design.program import BarrelCode
from hw.dataflow.design.requantiser import RequantiseDesign, RoundDesign
from hw.dataflow.design.scales import Rows, Scale
from hw.dataflow.layers.elements import Barrel, Horner, Maximum, ProcessingElement, sums_layout
from hw.dataflow.layers.requantise import Requantise, Round
from hw.dataflow.plan import Place
from hw.ir.format import Format
from hw.verilog import yosys
from hw.verilog.convert import to_rtlil

WIDTH = 24
SITES = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6}


class Multiplier(ProcessingElement):
    """The element that a shift is up against: int8 × int8, added up."""

    def __init__(self):
        super().__init__(signed(8), 8, sums_layout(WIDTH, 1))

    def accumulate(self, m: Module, tap, take, close) -> None:
        acc = Signal(signed(WIDTH))
        total = Signal(signed(WIDTH))
        m.d.comb += total.eq(acc + tap.x * tap.operation.as_signed())
        with m.If(close):
            m.d.sync += [acc.eq(0), self.o.payload.acc[0].eq(total)]
        with m.Elif(take):
            m.d.sync += acc.eq(total)


def scales(channels: int) -> Rows:
    """Scales of three terms over eleven digits, biases of full width."""
    return tuple(
        (Scale((1 << 10) - (1 << 7 - c % 3) + (1 << c % 4), (-1) ** c * (0x1234567 + 977 * c)),)
        for c in range(channels)
    )


def cases() -> dict[str, tuple[wiring.Component, int]]:
    """Component and lanes of each row."""
    narrow, guarded = BarrelCode((0, 7), 1, False), BarrelCode((-6, 8), 1, False)
    wide = BarrelCode((0, 14), 1, False)
    four = BarrelCode((0, 14), 4, True)
    out = Format(True, 8, 4)
    return {
        "int8 multiply-accumulate": (Multiplier(), 1),
        "barrel, shifts 0 to 14": (Barrel(signed(8), wide, width=WIDTH), 1),
        "barrel, shifts 0 to 14, 4 lanes": (Barrel(signed(8), four, width=WIDTH), 4),
        "barrel, shifts 0 to 7": (Barrel(signed(8), narrow, width=WIDTH), 1),
        "barrel, 8 guard bits": (Barrel(signed(8), guarded, width=WIDTH), 1),
        "sorted Horner": (Horner(signed(8), width=WIDTH), 1),
        "maximum": (Maximum(signed(8)), 1),
        "requantiser, 3 terms, 16 channels": (
            Requantise(RequantiseDesign(scales(16), WIDTH, 36, 20, out, place=Place.BLOCK)),
            1,
        ),
        "rounding shift": (Round(RoundDesign(WIDTH, 1 << 9, 10, out)), 1),
    }


def cells(component: wiring.Component) -> dict[str, int]:
    """Cells of the component after `synth_ecp5 -nodsp`, by type."""
    with tempfile.TemporaryDirectory(prefix="shiftnas-") as temporary:
        folder = Path(temporary)
        (folder / "design.il").write_text(to_rtlil(component, "dut").text, encoding="utf-8")
        yosys.run(
            # The fields of a port have names like `acc[0]`, which Yosys' AIGER reader takes for a
            # bit of a wire `acc` at the top: only the ports themselves stay.
            "read_rtlil design.il\nproc\nopt_clean -purge\nsynth_ecp5 -nodsp -top dut\n"
            "tee -q -o stat.json stat -json",
            folder,
        )
        text = (folder / "stat.json").read_text(encoding="utf-8")
    return json.loads(text[text.index("{") :])["design"]["num_cells_by_type"]


def main() -> None:
    heads = "".join(f"{head:>8}" for head in ("LUT4", "CCU2C", "FF", "DP16KD"))
    print(f"{'':36}{'sites a lane':>14}{heads}")
    for name, (component, lanes) in cases().items():
        found = cells(component)
        sites = sum(found.get(cell, 0) * weight for cell, weight in SITES.items())
        figures = "".join(
            f"{found.get(cell, 0):8}" for cell in ("LUT4", "CCU2C", "TRELLIS_FF", "DP16KD")
        )
        print(f"{name:36}{sites / lanes:14.0f}{figures}")


if __name__ == "__main__":
    main()
