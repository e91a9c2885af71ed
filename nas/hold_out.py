"""Validation images held out of the training images, the same share of every class."""

import numpy as np


def hold_out(labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Which images train and which validate: two disjoint sorted indices, int64.

    What is drawn depends on `labels`, `share` and `seed` alone, never on a run's own generators.

    Parameters
    ----------
    labels: class of each image, int64
    share: of each class, below 1, rounded half up; every class keeps an image to train on
    """
    held_out = []
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        count = min(int(share * len(of_class) + 0.5), len(of_class) - 1)
        # A generator for each class: images added to one leave the draws of the others alone.
        held_out.append(np.random.default_rng((seed, int(label))).permutation(of_class)[:count])
    chosen = np.sort(np.concatenate(held_out))
    return np.setdiff1d(np.arange(len(labels)), chosen), chosen
