"""Pictures of a trained network's inside: weights over exponents, classes taken for others."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hw.networks.exponents import Exponents, together
from hw.report.plotting import INK, SERIES, legend_below, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_NUMBERS = 20
"""Classes up to which the cells of a confusion matrix have numbers."""
MOST_NAMES = 50
"""Classes, or layers, up to which the axes name each."""


def exponents(layers: Mapping[str, Exponents]) -> "Figure":
    """All weights over their exponents, -2**p and +2**p apart; zeros stand beside them."""
    whole = together(layers.values())
    figure = new_figure(6.0, 3.1)
    axes = figure.subplots()
    powers = _range([whole])
    for number, label in enumerate(("$-2^p$", "$+2^p$")):
        counts = [whole.powers.get(p, (0, 0))[number] for p in powers]
        offset = (number - 0.5) * 0.4
        axes.bar([p + offset for p in powers], counts, 0.4, color=SERIES[number], label=label)
    zero = powers[0] - 1.5
    axes.bar([zero], [whole.zeros], 0.8, color=SERIES[5], label="zero")
    axes.set_xticks([zero, *powers], ["zero", *map(str, powers)])
    axes.set_xlabel("exponent p")
    axes.set_ylabel(f"of {whole.weights:,} weights")
    legend_below(figure, axes)
    return figure


def exponents_by_layer(layers: Mapping[str, Exponents]) -> "Figure":
    """A row a layer: the share of its weights that have each exponent, or are zero."""
    powers = _range(layers.values())
    shares = np.array(
        [
            [layer.zeros, *(sum(layer.powers.get(p, (0, 0))) for p in powers)]
            for layer in layers.values()
        ]
    ) / np.array([[max(1, layer.weights)] for layer in layers.values()])
    figure = new_figure(11.5, min(24.0, 1.2 + 0.15 * len(layers)))
    axes = figure.subplots()
    image = axes.imshow(shares, aspect="auto", cmap="Blues", vmin=0, interpolation="nearest")
    axes.set_xticks(range(1 + len(powers)), ["zero", *map(str, powers)])
    axes.set_xlabel("exponent p")
    if len(layers) <= 2 * MOST_NAMES:
        axes.set_yticks(range(len(layers)), list(layers), fontsize=7)
    else:
        axes.set_ylabel(f"{len(layers)} layers, from the image on")
    axes.grid(False)
    figure.colorbar(image, ax=axes, label="share of the layer's weights", pad=0.01)
    return figure


def confusion(counts: np.ndarray, names: Sequence[str] = ()) -> "Figure":
    """A row a class, a column the class found; colours by the share of the row.

    Parameters
    ----------
    counts: see `hw.networks.confusion`
    names: of the classes; none: their numbers
    """
    classes = len(counts)
    names = list(names) or [str(number) for number in range(classes)]
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    side = min(9.0, 2.2 + 0.42 * classes)
    figure = new_figure(side + 0.8, side)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    if classes <= MOST_NAMES:
        longest = max(map(len, names))
        axes.set_xticks(range(classes), names, rotation=90 if longest > 3 else 0, fontsize=7)
        axes.set_yticks(range(classes), names, fontsize=7)
    if classes <= MOST_NUMBERS:
        for row, column in np.argwhere(counts):
            colour = "white" if shares[row, column] > 0.5 else INK
            text = str(counts[row, column])
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
    axes.set_xlabel("class found")
    axes.set_ylabel("class of the image")
    axes.grid(False)
    figure.colorbar(image, ax=axes, label="share of the class", pad=0.02, shrink=0.8)
    return figure


def _range(layers: Iterable[Exponents]) -> list[int]:
    """Every exponent from the smallest that occurs to 0."""
    smallest = min((p for layer in layers for p in layer.powers), default=0)
    return list(range(smallest, 1))
