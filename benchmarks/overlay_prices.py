"""Prices of `hw/overlay/cost.py`, fitted to overlays that Yosys has synthesised for an ECP5.

    python benchmarks/overlay_prices.py

Prints what each overlay takes, the constants that fit best, and how far they are off.
"""

import numpy as np

from hw.build import synth
from hw.overlay.banks import depths
from hw.overlay.cost import Price, cost
from hw.overlay.hardware import Overlay
from hw.overlay.plan import OverlayPlan
from hw.verilog.emit_overlay import emit

SIZES = (
    # rows, columns, acc_bits, words
    (2, 2, 17, 512),
    (2, 4, 21, 1024),
    (4, 2, 17, 1535),
    (4, 4, 17, 512),
    (4, 4, 21, 1535),
    (4, 8, 19, 1024),
    (8, 8, 17, 1024),
    (8, 8, 19, 1535),
)


def features(hardware: Overlay) -> list[float]:
    """What each price is multiplied by, in the order of `Price`."""
    lanes = hardware.lanes
    banks = len(depths(hardware.words)) - 1
    return [lanes, lanes * hardware.acc_bits, lanes * banks, 1]


def main() -> None:
    rows, taken = [], []
    for grid_rows, columns, acc_bits, words in SIZES:
        hardware = Overlay(
            rows=grid_rows, columns=columns, acc_bits=acc_bits, words=words, program_words=32768
        )
        found = synth.synthesise(emit(OverlayPlan(hardware, "none", 100.0)), "ecp5")
        rows.append(features(hardware))
        taken.append([found["lut"], found["ff"]])
        parts = {part["name"]: part["lut"] for part in found["layers"]}
        expected = cost(hardware)
        print(
            f"{grid_rows} x {columns}, {acc_bits} bits, {words} words: {found['lut']:,} LUT sites"
            f" ({expected.lut:,} by today's prices), {found['ff']:,} FF ({expected.ff:,}),"
            f" {found['ram_blocks']} block RAMs ({expected.ram_blocks}); {parts}",
            flush=True,
        )
    wide, had = np.array(rows, float), np.array(taken, float)
    # What matters is how far off each is for its size.
    for column, name in enumerate(("LUT", "FF")):
        scale = had[:, column : column + 1]
        prices, *_ = np.linalg.lstsq(wide / scale, np.ones(len(scale)), rcond=None)
        error = wide @ prices / had[:, column] - 1
        fitted = Price(*(round(float(price), 1) for price in prices))
        print(f"{name} = {fitted}; off by {100 * error.min():+.1f} to {100 * error.max():+.1f} %")


if __name__ == "__main__":
    main()
