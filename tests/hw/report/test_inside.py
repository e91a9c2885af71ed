"""The pictures show the numbers that they are of."""

import numpy as np
import pytest

from hw.networks.exponents import Exponents
from hw.report import inside

LAYERS = {
    "stem/conv": Exponents(3, {-4: (1, 2), -1: (5, 4)}),
    "classifier": Exponents(12, {0: (2, 1)}),
}


def test_bars_are_the_counts_of_all_layers():
    (axes,) = inside.exponents(LAYERS).axes
    bars = {round(b.get_x() + b.get_width() / 2, 1): b.get_height() for b in axes.patches}
    # -2**p stands left of p, +2**p right of it; zeros left of the smallest exponent.
    negative, positive = {-4: 1, -1: 5, 0: 2}, {-4: 2, -1: 4, 0: 1}
    wanted = {-5.5: 15}
    for p in range(-4, 1):
        wanted |= {p - 0.2: negative.get(p, 0), p + 0.2: positive.get(p, 0)}
    assert bars == pytest.approx(wanted)
    assert "30 weights" in axes.get_ylabel()


def test_a_row_a_layer_in_shares():
    axes = inside.exponents_by_layer(LAYERS).axes[0]
    shares = axes.images[0].get_array()
    assert shares.shape == (2, 6)
    assert (shares[0] * 15).tolist() == pytest.approx([3, 3, 0, 0, 9, 0])
    assert (shares[1] * 15).tolist() == pytest.approx([12, 0, 0, 0, 0, 3])
    assert [label.get_text() for label in axes.get_yticklabels()] == list(LAYERS)


def test_a_layer_without_weights_divides_by_nothing():
    shares = inside.exponents_by_layer({"a": Exponents(0, {})}).axes[0].images[0].get_array()
    assert shares.tolist() == [[0, 0]]


def test_confusion_by_share_of_the_class_and_number():
    axes = inside.confusion(np.array([[9, 1], [0, 0]]), ["cat", "dog"]).axes[0]
    assert axes.images[0].get_array().tolist() == [[0.9, 0.1], [0, 0]]
    assert [text.get_text() for text in axes.texts] == ["9", "1"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]


def test_many_classes_are_not_named():
    axes = inside.confusion(np.eye(100, dtype=int)).axes[0]
    assert not axes.texts and len(axes.get_yticklabels()) < 50
