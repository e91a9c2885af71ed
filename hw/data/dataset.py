"""A data set in memory."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and what they show.

    Parameters
    ----------
    name: of the data set, without the split
    images: uint8, (count, height, width, channels)
    labels: int64, (count,), each in [0, classes)
    classes: number of classes
    preprocessing: how the stored images became these bytes, JSON-serialisable; a network records it
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    classes: int
    preprocessing: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        if images.dtype != np.uint8 or images.ndim != 4:
            raise ValueError(f"images are {images.dtype} {images.shape}, expected uint8 NHWC")
        if labels.dtype != np.int64 or labels.shape != images.shape[:1]:
            raise ValueError(f"labels are {labels.dtype} {labels.shape}, expected int64, one each")
        if labels.size and not 0 <= labels.min() <= labels.max() < self.classes:
            raise ValueError(f"labels span [{labels.min()}, {labels.max()}], of {self.classes}")

    def __len__(self) -> int:
        return len(self.images)

    def read(self, index: np.ndarray) -> np.ndarray:
        """The images at `index`, uint8 NHWC."""
        return self.images[index]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels
