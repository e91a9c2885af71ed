"""The figures of a closing table and how each is written, for the terminal and for the page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


def percent(share: float) -> str:
    """0.8765 as `87.65 %`."""
    return f"{100 * share:.2f} %"


def grouped(number: float) -> str:
    """12345 as `12,345`."""
    return f"{number:,.0f}"


def duration(seconds: float) -> str:
    """Seconds, or minutes and seconds from one minute on."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def _megahertz(value: float) -> str:
    return f"{value:.1f} MHz"


def _genotype(value: Any) -> str:
    def cell(edges: Any) -> str:
        return ", ".join(f"{operation}({state})" for operation, state in edges)

    return f"normal: {cell(value['normal'])}; reduce: {cell(value['reduce'])}"


@dataclass(frozen=True)
class Figure:
    """One line of the closing table.

    Parameters
    ----------
    key: in the table's JSON object
    label: what it is called
    text: how its value is written
    headline: whether it stands large at the top of the page
    """

    key: str
    label: str
    text: Callable[[Any], str]
    headline: bool = False

    def of(self, found: Mapping[str, Any]) -> str:
        """Its value in a table's JSON object, as text; empty where there is none."""
        value = found.get(self.key)
        return "" if value is None else self.text(value)


FIGURES = (
    Figure("data", "data set", str),
    Figure("genotype", "genotype", _genotype),
    Figure("accuracy_float", "accuracy, float model", percent, True),
    Figure("accuracy_integer", "accuracy, integer model", percent, True),
    Figure("split", "accuracies are of the", lambda split: f"{split} images"),
    Figure("weights", "trainable weights", grouped, True),
    Figure("board", "board", str),
    Figure("seconds", "time of all steps", duration),
)
"""Of the network, in the order of the table."""

DESIGN_FIGURES = (
    Figure("frames", "frames compared", grouped),
    Figure("stalled_frames", "of these under stalls", grouped),
    Figure("bits", "bits compared", grouped),
    Figure("mismatches", "bits that differ", grouped, True),
    Figure("cycles_per_frame", "cycles a frame", grouped),
    Figure("routed", "sizes are", lambda routed: "placed and routed" if routed else "as planned"),
    Figure("clock_mhz", "clock asked for", _megahertz),
    Figure("fmax_mhz", "Fmax after place and route", _megahertz, True),
    Figure("fps", "frames a second", grouped, True),
    Figure("lut", "LUT sites", grouped, True),
    Figure("ff", "flip-flops", grouped),
    Figure("ram_bits", "block RAM bits", grouped),
    Figure("dsp", "DSP blocks", grouped),
)
"""Of the network in one style of hardware."""
