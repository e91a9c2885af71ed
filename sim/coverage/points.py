"""The coverage model: every bin that a campaign should hit, by group.

It is written from the search space and the number formats, not from any network, so that what was
never tried shows.
"""

from hw.ir.weights import P_MIN
from hw.networks.space import OPERATIONS

STRIDES = (1, 2)

SIDES = ("top", "bottom", "left", "right", "inside")
"""Where a window reaches into the padding; inside: it does not."""

WINDOWS = {
    "3x3": SIDES,
    "5x5": SIDES,
    "7x7": SIDES,
    "3x3 dilation 2": SIDES,
    "5x5 dilation 2": SIDES,
    "1x7": ("left", "right", "inside"),
    "7x1": ("top", "bottom", "inside"),
    "max pool 3x3": SIDES,
    "average pool 3x3": SIDES,
    "factorized reduce": ("bottom", "right", "inside"),
}

KINDS = (
    "Conv",
    "FactorizedReduce",
    "MaxPool",
    "AvgPool",
    "Add",
    "Concat",
    "GlobalPool",
    "Linear",
)
"""Kinds of node that compute."""

ROUNDED = ("Conv with batch norm", "Conv without", "FactorizedReduce", "Add", "Concat")
"""What can saturate."""

JOINS = ("Add", "Concat")

GROUPS: dict[str, tuple[str, ...]] = {
    "operation": tuple(f"{name} stride {s}" for name in OPERATIONS for s in STRIDES),
    "structure": (
        "stem cifar",
        "stem imagenet",
        "preprocess 1x1",
        "preprocess FactorizedReduce",
        "cell of 4 nodes",
        "cell of 5 nodes",
        "concatenation of some states",
        "concatenation of all states",
        "identity into an addition",
        "one state read twice by an addition",
    ),
    "padding": tuple(f"{window} {side}" for window, sides in WINDOWS.items() for side in sides),
    "image": (
        *(f"{n} channels" for n in range(1, 5)),
        "square",
        "rectangular",
        "odd height",
        "odd width",
        "even height and width",
        "a side of 1 to 3",
    ),
    "classes": ("1 or 2", "3 to 9", "10", "more than 10"),
    "activation bits": (*(str(n) for n in range(4, 17)), "32"),
    "arithmetic": (
        *(f"weights of {bits} bits" for bits in P_MIN),
        "exact products",
        "guard bits 0",
        "guard bits 1 to 4",
        "guard bits 5 or more",
        "round half up",
        "round down",
        *(f"up to {n} scale terms" for n in range(1, 5)),
    ),
    "weight": (
        "zero",
        *(f"{sign}2^{p}" for p in range(0, P_MIN[6] - 1, -1) for sign in "+-"),
        "channel without weights",
        "channel of one weight",
    ),
    "requantise": (
        *(f"channel of {n} terms" for n in range(1, 5)),
        "dead channel",
        "negative scale",
        "right shift",
        "no shift",
        "left shift",
    ),
    "plan": (
        "barrel, 1 lane",
        "barrel, several lanes",
        "horner",
        "program in logic",
        "program in block RAM",
        "store as small as can be",
        "store larger",
        "FIFO in LUT-RAM",
        "FIFO in block RAM",
    ),
    "saturation": tuple(f"{kind}, {end}" for kind in ROUNDED for end in ("low", "high")),
    "input value": tuple(
        f"{kind}, {value}" for kind in KINDS for value in ("smallest", "zero", "largest")
    ),
    "stream": tuple(f"{kind} {what}" for kind in KINDS for what in ("held back", "starved")),
    "join": tuple(
        f"{kind}, {what}"
        for kind in JOINS
        for what in ("a FIFO full", "waits for one input", "output held back")
    ),
    "reset": (
        *(f"{kind} in mid-frame" for kind in KINDS),
        *(f"{kind} held back" for kind in KINDS),
        *(f"{kind}, a FIFO {state}" for kind in JOINS for state in ("with beats", "full")),
        "an engine reads taps",
        "an element holds a sum",
        "a requantiser is busy",
        "in the first frame",
        "after the first frame",
    ),
    "frames": ("one after the other without a gap", "under stalls"),
}
"""Group -> its bins."""
