"""The comment of an overlay's Verilog file, from its manifest."""

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

from hw.overlay import isa
from hw.verilog.header import WIDTH, clock_and_reset, comment, names, opening, ports
from hw.verilog.licence import OPEN_NOTE


def header(manifest: Mapping[str, Any], files: Sequence[str]) -> str:
    """The comment at the top of the file; the manifest need not have its `files` and digest yet.

    `files` are the names of all files of the folder.
    """
    top, sizes = manifest["top"], manifest["overlay"]
    lines = [
        *opening(
            manifest,
            files,
            f"{top}: an overlay of {sizes['rows']} x {sizes['columns']} shift-add lanes: programs "
            "and images in, logits out.",
            OPEN_NOTE,
            f"overlay  {manifest['overlay_digest']}",
        ),
        *ports(manifest),
        *clock_and_reset(
            "those of the lanes and of the control on its way to them",
            "elsewhere one is, before the first program.",
            _pace(sizes),
        ),
        *wrap(f"{_cells(manifest)} In names, {names(top)}", WIDTH),
        "",
        "Sizes",
        "",
        *(f"  {name:<{max(map(len, sizes))}}  {value}" for name, value in sizes.items()),
        "",
        "Registers, by their byte address",
        "",
        *(f"  0x{address:02x}  {name}" for name, address in manifest["registers"].items()),
        "",
        "Parts",
        "",
    ]
    width = max(len(part["path"]) for part in manifest["parts"])
    lines += [f"  {part['path']:<{width}}  {part['meaning']}" for part in manifest["parts"]]
    lines += [
        "",
        *wrap(
            "Modules that differ in nothing but their names are one, called after the first of "
            "its instances: the lanes inside the grid, those at each of its edges.",
            WIDTH,
        ),
    ]
    return comment(lines)


def _pace(sizes: Mapping[str, Any]) -> str:
    return (
        "Images follow each other without a gap, two of them inside. How many cycles one takes is "
        "the program's: a word is one cycle and, where a pixel comes from another lane, one for "
        f"each lane between; an end of a section takes {isa.JUMP_CYCLES}. The predicted number is "
        f"in program.json. A program has up to {sizes['program_words']:,} words."
    )


def _cells(manifest: Mapping[str, Any]) -> str:
    cells = manifest["cells"]
    if not cells:
        return "No cell of any family is instantiated."
    return (
        f"Instantiated are the cells {', '.join(cells)} of an ECP5; a simulator needs their "
        "models. The plan's `fabric: generic` has none of them, and runs the same programs."
    )
