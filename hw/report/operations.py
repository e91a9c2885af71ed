"""How the operations of the search space are written and coloured, in every picture alike."""

import colorsys
import hashlib
from collections import Counter
from collections.abc import Sequence

from hw.networks.space import SKIP, Edge

COLOURS = {
    "sep_conv_3x3": "#1f5fbf",
    "sep_conv_5x5": "#6aa9f2",
    "sep_conv_7x7": "#12336b",
    "dil_conv_3x3": "#c2570c",
    "dil_conv_5x5": "#f3a663",
    "conv_7x1_1x7": "#0e7c86",
    "max_pool_3x3": "#1a7f4b",
    "avg_pool_3x3": "#7fcb9b",
    "skip_connect": "#b3267a",
    "zero": "#9aa4b8",
}
"""Separable convolutions are blue, dilated ones orange, pools green, skips purple."""


def colour(operation: str) -> str:
    """#rrggbb; of an operation not in `COLOURS` one that follows from its name."""
    if operation in COLOURS:
        return COLOURS[operation]
    # Yellow, violet, red and brown are left: which of them, how light and how strong.
    draw = hashlib.sha256(operation.encode()).digest()
    hues = (50, 265, 0, 85)
    hue = (hues[draw[0] % len(hues)] + draw[1] % 21 - 10) % 360 / 360
    parts = colorsys.hls_to_rgb(hue, 0.3 + 0.3 * draw[2] / 255, 0.45 + 0.3 * draw[3] / 255)
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)


def text_colour(background: str) -> str:
    """White or near black, whichever reads better on `background` (#rrggbb)."""
    red, green, blue = (int(background[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return "#1d2433" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.56 else "#ffffff"


def short(operation: str) -> str:
    """`sep_conv_3x3` as `sep 3×3`."""
    words = [
        word.replace("x", "×") if word[:1].isdigit() else word for word in operation.split("_")
    ]
    drop = ("connect",) if words[0] != "conv" else ()
    if words[0] in ("sep", "dil"):
        drop = ("conv",)
    if words[0] in ("max", "avg"):
        words[0] += " pool"
        drop = ("pool",)
    return " ".join(word for word in words if word not in drop)


def state_name(state: int) -> str:
    """c[k−2] and c[k−1] are the two cells before, node 0 the first node of the cell."""
    return ("c[k−2]", "c[k−1]")[state] if state < 2 else f"node {state - 2}"


def in_words(edges: Sequence[Edge]) -> str:
    """`8 operations, 2 of them skips: 5 sep 3×3, 2 skip, 1 dil 5×5`, the most frequent first."""
    counted = Counter(operation for operation, _ in edges)
    skips = counted[SKIP]
    among = {0: "none of them a skip", 1: "one of them a skip"}.get(skips, f"{skips} of them skips")
    parts = [f"{number} {short(operation)}" for operation, number in counted.most_common()]
    return f"{len(edges)} operations, {among}: {', '.join(parts)}."
