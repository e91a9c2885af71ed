"""The coverage model: every bin that a campaign should hit, by group.

It is written from the search space, the kinds of node and the number formats, not from any network,
so that what was never tried shows.
"""

from collections.abc import Iterator

from hw.ir.clip import Clip
from hw.ir.graph import Node
from hw.ir.weights import P_MIN
from hw.networks.space import OPERATIONS, operation_nodes
from sim.coverage.windows import SIDES, TRAITS, WINDOWED, sides_of, window_of

STRIDES = (1, 2)


def operation_nodes_of(stride: int) -> Iterator[Node]:
    """Nodes of every operation of the search space at that stride."""
    for operation in OPERATIONS:
        yield from operation_nodes(operation, "edge", "state", (8, 8, 4), 4, stride)


def windows() -> dict[str, tuple[str, ...]]:
    """Every window of the search space -> the sides at which it may reach into the padding."""
    found: dict[str, dict[str, None]] = {}
    for stride in STRIDES:
        for node in operation_nodes_of(stride):
            window = window_of(node)
            if window is not None:
                found.setdefault(window, {}).update(dict.fromkeys(sides_of(node)))
    return {window: tuple(sides) for window, sides in found.items()}


KINDS = (
    "Conv",
    "FactorizedReduce",
    "MaxPool",
    "AvgPool",
    "Select",
    "Add",
    "Concat",
    "GlobalPool",
    "Linear",
)
"""Kinds of node that compute."""

ROUNDED = (
    "Conv with batch norm",
    "Conv with bias",
    "Conv without",
    "FactorizedReduce",
    "Add",
    "Concat",
)
"""What can saturate."""

CLIPPED = ("Conv", "FactorizedReduce", "Add", "Concat")
"""Kinds of node that may have a clip."""

JOINS = ("Add", "Concat")

_GROUPS: dict[str, tuple[str, ...]] = {
    "window": tuple(f"{kind}: {what}" for kind in WINDOWED.values() for what in (*SIDES, *TRAITS)),
    "convolution": (
        "dense",
        "in groups",
        "depthwise",
        "batch norm",
        "bias",
        "neither",
        "of one pixel",
        "over the whole map",
    ),
    "select": ("channels in a row", "in another order", "a channel twice", "one channel"),
    "clip": (
        *(f"{kind}, {clip}, {end}" for kind in CLIPPED for clip in Clip for end in ("low", "high")),
        "relu6 below the largest code",
        "relu6 beyond the largest code",
    ),
    "structure": (
        "no cells",
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


def groups() -> dict[str, tuple[str, ...]]:
    """Group -> its bins; those of operations and of their windows are of all there are now.

    "window" is of the windows that no operation has, by their kind.
    """
    sides = [f"{window} {side}" for window, known in windows().items() for side in known]
    operations = [f"{name} stride {s}" for name in OPERATIONS for s in STRIDES]
    return {"operation": tuple(operations), "padding": tuple(sides), **_GROUPS}
