"""A program: the words that an overlay does for every batch of images, and what they rest on."""

from dataclasses import dataclass, field

import numpy as np

from hw.ir.graph import Pair, Shape
from hw.overlay.hardware import Overlay


@dataclass(frozen=True, eq=False)
class Program:
    """Words of the prefix, done for each image of a batch, and of the suffix, done for a batch.

    Parameters
    ----------
    hardware: that it was made for
    prefix, suffix: packed words (uint16); the last one of each is END_PREFIX, END_SUFFIX
    image: height, width, channels
    image_pitch: log2 of the image's pitches, at least 0
    image_slot: plane of the image's first channel in the first of two buffers, in planes of its
        pitch; the others follow
    image_step: words from the first buffer to the second
    batch: images of a batch, down and across
    logits: of an image
    network: digest of the network that it was made from; "": of none
    """

    hardware: Overlay
    prefix: np.ndarray
    suffix: np.ndarray
    image: Shape
    image_pitch: Pair
    image_slot: int
    image_step: int
    batch: Pair
    logits: int
    network: str = field(default="")

    @property
    def images(self) -> int:
        """Of a batch."""
        return self.batch[0] * self.batch[1]
