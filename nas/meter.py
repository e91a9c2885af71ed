"""Mean loss and accuracies of an epoch, summed on the device; stops where a loss is not finite."""

import math

import numpy as np
import torch
from torch import Tensor

from hw.errors import CheckFailed
from nas import distributed
from nas.memory import peak_mib

LOOK_EVERY = 20
"""Steps between two looks at the sums: each makes the processor wait for a GPU."""


TOP = 5
"""Top-5 accuracy is known where there are more classes than that."""


class NotFinite(CheckFailed):
    """A loss is NaN or infinite."""


class Meter:
    """`update` after each step; `loss`, `accuracy` and `top5_accuracy` of the images so far.

    The figures are of the images of all processes, so that all must ask for them together.

    Parameters
    ----------
    classes: so many, of which a confusion matrix is counted; None: none is

    Raises
    ------
    NotFinite: in `update`, every so many steps, and in `loss`: a loss that is NaN or infinite
    """

    def __init__(self, device: torch.device, classes: int | None = None):
        # float64: the sum over an epoch is as exact as its terms.
        self._sums = torch.zeros(3, dtype=torch.float64, device=device)
        self._finite_steps = torch.zeros((), dtype=torch.int64, device=device)
        self._images = self._steps = self._classes = 0
        self._confusion = None
        if classes is not None:
            self._confusion = torch.zeros(classes * classes, dtype=torch.int64, device=device)
        self.note = ""

    @torch.no_grad()
    def update(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add a batch of `labels`; `loss` is its mean."""
        self._classes = logits.shape[1]
        found = logits.argmax(1)
        right = (found == labels).sum()
        largest = logits.topk(min(TOP, self._classes)).indices
        among = (largest == labels[:, None]).sum()
        self._sums += torch.stack((loss.double() * len(labels), right.double(), among.double()))
        if self._confusion is not None:
            cells = labels * self._classes + found
            self._confusion += cells.bincount(minlength=len(self._confusion))
        # A sum that is not finite stays so.
        self._finite_steps += self._sums[0].isfinite()
        self._images += len(labels)
        self._steps += 1
        if self._steps % LOOK_EVERY == 1:
            memory = peak_mib(self._sums.device)
            self.note = f"loss {self.loss:.3f}, accuracy {self.accuracy:.3f}, {memory} MiB"

    @property
    def loss(self) -> float:
        value = self._mean(0)
        if not math.isfinite(value):
            raise NotFinite(f"step {int(self._finite_steps) + 1}: the loss is {value}")
        return value

    @property
    def accuracy(self) -> float:
        return self._mean(1)

    @property
    def top5_accuracy(self) -> float | None:
        """Share of images whose class is among the five largest logits; None up to 5 classes."""
        value = self._mean(2)
        return value if self._classes > TOP else None

    @property
    def confusion(self) -> np.ndarray:
        """Counts (classes, classes), int64, see `hw.networks.confusion`."""
        assert self._confusion is not None, "a meter of no classes"
        return distributed.total(self._confusion).reshape(self._classes, -1).cpu().numpy()

    def _mean(self, which: int) -> float:
        own = torch.stack((self._sums[which], self._sums.new_tensor(self._images)))
        value, images = distributed.total(own).tolist()
        return value / max(1, images)

    def accuracies(self, prefix: str = "") -> dict[str, float]:
        """The accuracies that are known, by name, as logs and metrics have them."""
        top5 = self.top5_accuracy
        figures = {f"{prefix}accuracy": self.accuracy}
        return figures if top5 is None else {**figures, f"{prefix}top5_accuracy": top5}
