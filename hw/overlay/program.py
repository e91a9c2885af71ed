"""A program: the words that an overlay does for every batch of images, and what they rest on."""

from dataclasses import dataclass

import numpy as np

from hw.ir.graph import Pair, Shape
from hw.overlay import isa
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
    streamed: it comes again with every batch, and need not fit the program memory
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
    network: str = ""
    streamed: bool = False

    @property
    def longest_body(self) -> int:
        """Words of it; 0: there is none."""
        words = np.concatenate([self.prefix, self.suffix])
        bodies = words[words >> 12 == isa.CONTROL >> 12 | isa.Op.BODY]
        return int((bodies & isa.LONGEST_BODY).max(initial=0))

    @property
    def images(self) -> int:
        """Of a batch."""
        return self.batch[0] * self.batch[1]
