"""Fake quantisation: a tensor rounded to its format in training, gradients straight through."""

from collections.abc import Mapping

import torch
from torch import Tensor

from hw.ir.format import Format

Formats = Mapping[str, Format]
"""Format of each tensor, by node name."""


class _FakeQuantise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, target: Format) -> Tensor:
        q = torch.floor(x * 2.0**target.frac + 0.5)
        clamped = q.clamp(target.qmin, target.qmax)
        ctx.save_for_backward(q == clamped)
        return clamped * 2.0**-target.frac

    @staticmethod
    def backward(ctx, gradient: Tensor):
        (inside,) = ctx.saved_tensors
        return gradient * inside, None


def fake_quantise(x: Tensor, target: Format) -> Tensor:
    """`x` rounded half up to the format and saturated, as real values.

    The gradient is that of the identity, and zero where `x` saturates. In float32 (also where `x`
    comes narrower from mixed precision), exact for formats of up to 24 bits.
    """
    wide = x if x.dtype in (torch.float32, torch.float64) else x.float()
    return _FakeQuantise.apply(wide, target)
