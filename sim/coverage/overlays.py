"""The coverage model of overlays: what programs, batches and runs should go through, by group.

Written from the encoding of programs and from what a run's script does, so that a mode that no
program has used shows. Bins are of all overlays together.
"""

from collections.abc import Iterable

from hw.overlay import isa
from hw.overlay.header import Status
from hw.overlay.isa import Class, Direction, Flow, Mode, Register
from sim.coverage.group import Group

LEVELS = 16
"""Halvings between two clears that have a bin each."""

ENDS = ("clamped low", "lowest", "highest", "clamped high")
"""Where a sum lies that a capture saturates: the second and the third are just not clamped."""

SIGNS = ("below zero", "zero", "above zero")
BANKS = ("first", "second")
BATCHES = (1, 2, 4, 8, 16)

_TRAVEL = tuple(f"WEIGHT, pixel from {way.name.lower()}" for way in Direction)

_BINS: dict[str, tuple[str, ...]] = {
    "word": (
        "WEIGHT added",
        "WEIGHT subtracted",
        "WEIGHT halves",
        "WEIGHT, pixel of the lane",
        *_TRAVEL,
        "WEIGHT, pixel from two sides",
        "IMM",
        "IMM below zero",
        "IMM halves",
        "IMM carries",
        *(f"SHIFT {way.name}" for way in Direction),
        "SHIFT halves",
        "SHIFT without adding",
        "CAPTURE clears",
        "CAPTURE keeps",
        "CAPTURE advances",
        "CAPTURE stays",
        "CAPTURE beside DEST",
        "BODY of one pass",
        "BODY of more passes",
        "DEST",
        *(f"FLOW {flow.name}" for flow in Flow),
        "FLOW OUT, an image's last",
    ),
    "level": (*(f"{n} halvings" for n in range(LEVELS)), f"{LEVELS} halvings or more"),
    "capture": (
        *(f"{mode.name}, {end}" for mode in (Mode.SIGNED, Mode.UNSIGNED, Mode.WIDE)
          for end in ENDS),
        "RAW, nothing left out",
        "RAW, bits left out",
        "CLEAR_NEGATIVE clears",
        "a sum in the top half",
        "a sum in the bottom half",
    ),
    "class": (
        *(f"{axis} {which.name}" for axis in ("rows", "columns") for which in Class),
        *(f"{axis} beyond the image" for axis in ("rows", "columns")),
        *(f"{axis} of the image's place" for axis in ("rows", "columns")),
    ),
    "register": (
        *(f"{register.name} set" for register in Register),
        *(f"taps of {n} bits" for n in range(isa.MOST_TAP_BITS + 1)),
        "RELU",
        "RELU of a pixel below zero",
        *(f"{name} {sign}, {axis}" for name in ("IN_PITCH", "OUT_PITCH") for sign in SIGNS
          for axis in ("rows", "columns")),
        *(f"stride {n}" for n in ("0", "1", "2", "3 or more")),
        *(f"dilation {n}" for n in ("0", "1", "2", "3 or more")),
        *(f"OFFSET {sign}" for sign in SIGNS),
        "OUTPUT of the first image",
        "OUTPUT of another image",
    ),
    "memory": (
        *(f"{bank} bank read" for bank in BANKS),
        *(f"{bank} bank captured" for bank in BANKS),
        *(f"image read in the {buffer} buffer" for buffer in BANKS),
    ),
    "batch": (*(f"{n} images full" for n in BATCHES), "short", "several of a program"),
    "status": tuple(status.name for status in Status),
    "program": (
        "the first one",
        "after another one",
        "while images of another one are inside",
        "after one that was refused",
        "stored",
        "streamed",
        "streamed, a short batch",
    ),
    "run": (
        "full speed",
        "stalls",
        "flushed by the register",
        "flushed by a program",
        "reset while a program comes",
        "reset within images",
        "reset under stalls",
        "reset with logits held back",
        "reset with nothing to do",
        "reset by CONTROL while a program comes",
        "reset by CONTROL within images",
        "reset by CONTROL under stalls",
        "reset by CONTROL with logits held back",
        "reset by CONTROL with nothing to do",
    ),
}  # fmt: skip

_OUT_OF_REACH = {
    ("status", Status.LOADING.name): "scripts ask when a program has come to its end",
}
"""(Group, bin) -> why no run hits it."""


def declare() -> dict[str, Group]:
    """All groups, nothing hit yet."""
    return {
        name: Group.of(name, bins, {b: why for (g, b), why in _OUT_OF_REACH.items() if g == name})
        for name, bins in _BINS.items()
    }


def sign(value: int) -> str:
    """Of SIGNS."""
    return SIGNS[(value > 0) - (value < 0) + 1]


def amount(value: int) -> str:
    """How a stride or a dilation is named."""
    return str(value) if value < 3 else "3 or more"


def unlike(groups: Iterable[Group]) -> str | None:
    """The first group that has other bins than are known now, or is none; None: all are known."""
    known = declare()
    found = {group.name: group for group in groups}
    for name in [*known, *found]:
        if name not in known or name not in found or set(known[name].hits) != set(found[name].hits):
            return name
    return None
