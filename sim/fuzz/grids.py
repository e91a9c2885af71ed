"""The overlays that cases run on."""

from collections.abc import Mapping

from hw.overlay.hardware import Overlay

_PLAIN = Overlay(rows=4, columns=4, acc_bits=24, words=1024, program_words=32768, fabric="generic")

PLAIN = "4x4"
"""The simplest one."""

OVERLAYS: Mapping[str, Overlay] = {
    PLAIN: _PLAIN,
    "3x5": _PLAIN.resized(rows=3, columns=5, acc_bits=22, words=1535, program_words=512),
    "2x8 alone": _PLAIN.resized(rows=2, columns=8, words=2048, corner=1),
    "8x8": _PLAIN.resized(rows=8, columns=8, words=1535, corner=4),
    "5x4 wide": _PLAIN.resized(rows=5, columns=4, data_bits=13, acc_bits=32),
    "4x4 ecp5": _PLAIN.resized(fabric="ecp5"),
}
"""Few, for each is a model to build: sides, banks of the memory, corners, widths, both fabrics, one
whose programs are streamed."""
