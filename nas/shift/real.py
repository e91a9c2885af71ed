"""Real weights, for comparisons with the real-valued domain."""

import math

import torch
from torch import Tensor, nn


class RealWeight(nn.Module):
    """A tensor of ordinary real weights, from a Kaiming-normal draw; arguments as a ShiftWeight's.

    It is no `ShiftWeight`: it has no integers.
    """

    def __init__(self, shape: tuple[int, ...], fan_in: int | None = None):
        super().__init__()
        self.fan_in = fan_in or math.prod(shape[1:])
        self.value = nn.Parameter(torch.empty(shape))
        self.reset()

    def reset(self) -> None:
        """Draw new weights."""
        nn.init.normal_(self.value, std=math.sqrt(2 / self.fan_in))

    @torch.no_grad()
    def assign(self, weights: Tensor) -> None:
        self.value.copy_(weights)

    def forward(self) -> Tensor:
        return self.value
