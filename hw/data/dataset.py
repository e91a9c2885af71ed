"""A data set in memory."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from hw.data.classes import Classes


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and what they show.

    Parameters
    ----------
    name: of the data set, without the split
    images: uint8, (count, height, width, channels)
    labels: int64, (count,), each in [0, classes)
    classes: number of classes
    class_names: of each class, in the order of the labels; () where the data does not say
    preprocessing: how the stored images became these bytes, JSON-serialisable; a network records it
    files_digest: of the files that the images were decoded from, where they were, see `digest`
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    classes: int
    preprocessing: dict[str, Any] = field(default_factory=dict)
    files_digest: str | None = None
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        if images.dtype != np.uint8 or images.ndim != 4:
            raise ValueError(f"images are {images.dtype} {images.shape}, expected uint8 NHWC")
        if labels.dtype != np.int64 or labels.shape != images.shape[:1]:
            raise ValueError(f"labels are {labels.dtype} {labels.shape}, expected int64, one each")
        if labels.size and not 0 <= labels.min() <= labels.max() < self.classes:
            raise ValueError(f"labels span [{labels.min()}, {labels.max()}], of {self.classes}")
        Classes(self.classes, self.class_names)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def known_classes(self) -> Classes:
        """`classes` and `class_names`, to be compared."""
        return Classes(self.classes, self.class_names)

    def read(self, index: np.ndarray) -> np.ndarray:
        """The images at `index`, uint8 NHWC."""
        return self.images[index]

    def subset(self, index: np.ndarray) -> "Dataset":
        """The images at `index`, in its order."""
        if self.files_digest is not None:
            raise ValueError("images of a folder: take the subset of its ImageFolder")
        return replace(self, images=self.images[index], labels=self.labels[index])

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    @cached_property
    def digest(self) -> str:
        """SHA-256 of images, labels and classes, or of the image files: of the content alone,
        wherever the data lies and whatever it is called."""
        if self.files_digest is not None:
            return self.files_digest
        digest = hashlib.sha256(json.dumps([self.images.shape, self.classes]).encode())
        digest.update(np.ascontiguousarray(self.images).data)
        digest.update(self.labels.astype("<i8").data)
        return digest.hexdigest()
