"""Mean loss and accuracy of an epoch, summed on the device; stops where a loss is not finite."""

import math

import torch
from torch import Tensor

from hw.errors import CheckFailed

LOOK_EVERY = 20
"""Steps between two looks at the sums: each makes the processor wait for a GPU."""


class Meter:
    """`update` after each step; `loss` and `accuracy` of the images so far.

    Raises
    ------
    CheckFailed: in `update`, every so many steps, and in `loss`: a loss that is NaN or infinite
    """

    def __init__(self, device: torch.device):
        # float64: the sum over an epoch is as exact as its terms.
        self._sums = torch.zeros(2, dtype=torch.float64, device=device)
        self._images = self._steps = 0
        self.note = ""

    @torch.no_grad()
    def update(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add a batch of `labels`; `loss` is its mean."""
        right = (logits.argmax(1) == labels).sum()
        self._sums += torch.stack((loss.double() * len(labels), right.double()))
        self._images += len(labels)
        self._steps += 1
        if self._steps % LOOK_EVERY == 1:
            self.note = f"loss {self.loss:.3f}, accuracy {self.accuracy:.3f}"

    @property
    def loss(self) -> float:
        value = float(self._sums[0]) / max(1, self._images)
        if not math.isfinite(value):
            raise CheckFailed(
                f"the loss is {value} after {self._steps} steps of the epoch; the state after the "
                "epoch before is kept; begin again with a smaller lr"
            )
        return value

    @property
    def accuracy(self) -> float:
        return float(self._sums[1]) / max(1, self._images)
