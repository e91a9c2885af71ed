"""The figures that networks are compared by: their names, their units, how they are written."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One figure of a training, or of the search before it.

    Parameters
    ----------
    key: in compare.json and in the tables' heads
    title: in words, with the unit; {split}: of the images that networks are judged by
    scale: what it is multiplied by when it is written
    form: how a mean is written
    """

    key: str
    title: str
    scale: float = 1
    form: str = ",.0f"

    def titled(self, split: str) -> str:
        """The title; `split`: "test" or "validation"."""
        return self.title.format(split=split)


ACCURACY = Figure("accuracy", "{split} accuracy, %", 100, ".2f")

FIGURES = (
    ACCURACY,
    Figure("validation_accuracy", "validation accuracy, %", 100, ".2f"),
    Figure("accuracy_integer", "{split} accuracy of integers, %", 100, ".2f"),
    Figure("weights", "weights"),
    Figure("additions", "additions"),
    Figure("cycles_per_frame", "cycles a frame"),
    Figure("lut", "LUT"),
    Figure("skips", "skips, normal cell", form=".1f"),
    Figure("search_seconds", "search, s", form=",.1f"),
    Figure("train_seconds", "training, s", form=",.1f"),
)
"""In the order of the table."""
