"""Classes taken for others: against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from hw.networks.confusion import confusion


def test_as_scikit_learn_counts():
    draw = np.random.default_rng(0)
    labels, found = draw.integers(0, 7, (2, 500))
    counts = confusion(labels, found, 9)
    assert np.array_equal(counts, confusion_matrix(labels, found, labels=range(9)))


def test_rows_are_the_classes_of_the_images():
    assert confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist() == [[1, 1], [0, 1]]


def test_no_images():
    nothing = np.array([], np.int64)
    assert confusion(nothing, nothing, 2).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("wrong", [[0, 3], [-1, 0]])
def test_classes_that_there_are_not(wrong):
    with pytest.raises(ValueError, match=r"classes beyond \[0, 3\)"):
        confusion(np.array(wrong), np.array([0, 1]), 3)


def test_unequal_numbers():
    with pytest.raises(ValueError, match="labels"):
        confusion(np.array([0]), np.array([0, 1]), 2)
