"""Which classes are taken for which."""

import numpy as np


def confusion(labels: np.ndarray, found: np.ndarray, classes: int) -> np.ndarray:
    """Counts (classes, classes), int64: row, the class that an image is of; column, the one found.

    Parameters
    ----------
    labels, found: classes of the same images, integers in [0, classes)
    """
    if labels.shape != found.shape:
        raise ValueError(f"{labels.shape} labels, {found.shape} classes found")
    if labels.size and not 0 <= min(labels.min(), found.min()) <= max(labels.max(), found.max()) < (
        classes
    ):
        raise ValueError(f"classes beyond [0, {classes})")
    counts = np.bincount(labels * classes + found, minlength=classes * classes)
    return counts.reshape(classes, classes)
