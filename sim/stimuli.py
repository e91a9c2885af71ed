"""What goes into a design: images, and the stalls and resets that they meet."""

from dataclasses import dataclass

import numpy as np

from hw.errors import InputError
from hw.networks.images import default_images as default_images
from hw.networks.images import random_images as random_images
from sim.harness import STALL_PATTERNS

RESETS = 3
"""Resets of a run that is told no number."""


@dataclass(frozen=True)
class Stimuli:
    """Images, through at full speed and then all once more under stalls.

    Parameters
    ----------
    images: uint8 (N, H, W, C)
    stall: chance that a source or a sink pauses in a cycle where the pattern is "bernoulli",
    [0, 1); 0: no second pass
    pattern: when they pause: a name of sim.stalls.PATTERNS ("never": no second pass), or "mixed":
    one frame with each
    seed: of the stalls, the resets and the corners
    patience: cycles in which nothing moves before it counts as a hang; default: by the largest
    layer
    resets: runs that are begun and cut off by a reset, before the one that counts (`sim.resets`)
    corners: frames that drive each layer on its own into its corners, after the images, 0: none;
    default: as many as they need; only at levels `op` and `pe`

    Raises
    ------
    InputError: no chance, no such pattern
    """

    images: np.ndarray
    stall: float = 0.25
    pattern: str = "mixed"
    seed: int = 1
    patience: int | None = None
    resets: int = RESETS
    corners: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.stall < 1:
            raise InputError(f"stall: {self.stall}; expected a probability in [0, 1)")
        if self.pattern not in STALL_PATTERNS:
            raise InputError(
                f"stall-pattern: {self.pattern!r}; expected one of {', '.join(STALL_PATTERNS)}"
            )

    @property
    def stalled(self) -> bool:
        """Whether there is a second pass."""
        return self.stall > 0 and self.pattern != "never"

    @property
    def passes(self) -> int:
        return 2 if self.stalled else 1
