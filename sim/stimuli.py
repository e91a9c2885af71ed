"""What goes into a design: images, and the stalls and resets that they meet."""

from dataclasses import dataclass

import numpy as np

from hw.errors import InputError
from hw.ir.network import Network
from sim.harness import STALL_PATTERNS

FRAMES = 4
"""Images of a run that is told no number."""


@dataclass(frozen=True)
class Resets:
    """Resets in mid-frame: `count` runs are begun and cut off, the first after `after` cycles.

    The second is cut off in the middle of an output frame, those after it are under stalls.

    With `cold` there is none before the first run: registers have to begin in their reset state.
    """

    count: int = 0
    after: int = 0
    cold: bool = True


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
    seed: of the stalls
    patience: cycles in which nothing moves before it counts as a hang; default: by the largest
    layer
    resets: in mid-frame, before the run proper; `cosim` sets its own

    Raises
    ------
    InputError: no chance, no such pattern
    """

    images: np.ndarray
    stall: float = 0.25
    pattern: str = "mixed"
    seed: int = 1
    patience: int | None = None
    resets: Resets = Resets()

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


def random_images(network: Network, count: int, seed: int) -> np.ndarray:
    """Full-range images, uint8 (count, H, W, C): noise, and among the first ones the corners.

    The corners are all 0, all 255, and a checkerboard of both.
    """
    height, width, channels = network.graph.input.shape
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, height, width, channels), dtype=np.uint8)
    rows, columns = np.indices((height, width))
    checkerboard = ((rows + columns) % 2 * 255).astype(np.uint8)[..., None]
    for position, corner in enumerate((0, 255, checkerboard), start=1):
        if position < count:
            images[position] = corner
    return images


def default_images(
    network: Network, images: np.ndarray | None, frames: int | None, seed: int
) -> np.ndarray:
    """The first `frames` of `images`, or random ones where there are none.

    Where no number is given: `FRAMES`, or all images where they are fewer.
    """
    if frames is None:
        frames = FRAMES if images is None else min(FRAMES, len(images))
    if frames < 1:
        raise InputError(f"frames: {frames}; expected 1 or more")
    if images is None:
        return random_images(network, frames, seed)
    if len(images) < frames:
        raise InputError(f"frames: {frames}; the data have {len(images)} images")
    return np.ascontiguousarray(images[:frames])
