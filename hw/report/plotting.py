"""Pictures by matplotlib: their common style, and the same bytes for the same numbers.

Matplotlib draws everything on the page, cells included, rather than SVG code of our own: small
multiples, heat maps and PNG files for papers come with it. Only this file and those that draw
import it, and only when they draw, so that the base install does without it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from hw.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, LINE, PANEL = "#1d2433", "#5c6578", "#dfe3eb", "#f3f5f9"
"""Text; axes and notes; grid; shaded ground."""

SERIES = ("#2563c4", "#c2570c", "#1a7f4b", "#8a3fa0", "#0e7c86", "#a8325e")
"""Colours of the lines of a chart, in order."""

STATES = ("#440154", "#3b528b", "#21918c", "#5ec962", "#d8a514", "#b5482a")
"""Colours of the states that an edge may read, in order."""

STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "lines.linewidth": 1.6,
    "lines.markersize": 3.2,
    "lines.solid_joinstyle": "round",
    "legend.frameon": False,
    "savefig.dpi": 200,
    # Text as outlines: looks the same everywhere. The salt makes the ids repeatable.
    "svg.fonttype": "path",
    "svg.hashsalt": "shiftnas",
}

METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": "ShiftNAS"},
    "png": {"Software": None},
}
"""By format: no date and no version, so that equal runs give equal files."""


@dataclass(frozen=True)
class Picture:
    """One picture of a run.

    Parameters
    ----------
    name: of its file, without the suffix
    title: above it on the page
    draw: makes the figure
    text: what a reader should know to read it
    wide: whether it takes the page's whole width
    """

    name: str
    title: str
    draw: "Callable[[], Figure]"
    text: str = ""
    wide: bool = False


def render(picture: Picture, form: str) -> bytes:
    """The picture's file; `form` is "svg" or "png"."""
    buffer = BytesIO()
    with _style():
        picture.draw().savefig(buffer, format=form, metadata=METADATA[form])
    return buffer.getvalue()


def new_figure(width: float, height: float, **options: Any) -> "Figure":
    """An empty figure of so many inches; what is drawn on it is kept apart automatically."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), **{"layout": "constrained", **options})


def legend_below(figure: "Figure", axes: "Axes", columns: int = 5) -> None:
    """The legend of `axes` under the whole figure, where it covers nothing."""
    handles, labels = axes.get_legend_handles_labels()
    legend_of(figure, handles, labels, columns)


def legend_of(
    figure: "Figure", handles: Sequence[Any], labels: Sequence[str], columns: int = 5
) -> None:
    """A legend of these lines under the whole figure."""
    columns = min(columns, len(labels))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, handlelength=1.4)


@contextmanager
def _style() -> Iterator[None]:
    """Our style on top of matplotlib's defaults, whatever the user's own settings are."""
    try:
        from matplotlib import style
    except ModuleNotFoundError as error:
        raise InputError(
            "report: the Python package matplotlib is missing; pip install matplotlib"
        ) from error
    with style.context(["default", STYLE]):
        yield
