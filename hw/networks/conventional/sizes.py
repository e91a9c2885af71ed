"""How large a conventional network is made, and for what."""

from dataclasses import dataclass, replace

from hw.ir.graph import Shape
from hw.networks.cells import Stem


@dataclass(frozen=True)
class Sizes:
    """The sizes that a network of a given name leaves open.

    Parameters
    ----------
    image: height, width, channels
    classes: number of logits
    stem: for images as small as CIFAR's, or as large as ImageNet's
    width: of every layer, as a share of the published channels
    """

    image: Shape
    classes: int
    stem: Stem = Stem.CIFAR
    width: float = 1.0

    def channels(self, published: int) -> int:
        """So many channels, scaled; one at the least."""
        return max(1, round(published * self.width))

    def with_stem(self, stem: Stem) -> "Sizes":
        return replace(self, stem=stem)
