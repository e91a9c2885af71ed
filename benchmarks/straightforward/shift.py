"""Layers of shift weights: P and S are quantised in every call (paper section 4.1)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class _Round(torch.autograd.Function):
    """Rounding with the gradient of the identity (eq. 8)."""

    @staticmethod
    def forward(ctx, p: Tensor) -> Tensor:
        return torch.round(p)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return gradient


class _Ternary(torch.autograd.Function):
    """Sign of S, 0 between the thresholds (eq. 7), with the gradient of the identity."""

    @staticmethod
    def forward(ctx, s: Tensor) -> Tensor:
        return torch.sign(torch.round(s))

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return gradient


class _Flip(torch.autograd.Function):
    """w = flip(2**P, S) (eq. 6) with the gradients of eq. 9 and 10."""

    @staticmethod
    def forward(ctx, p: Tensor, s: Tensor) -> Tensor:
        power = 2.0**p
        w = power * s
        ctx.save_for_backward(w, power)
        return w

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor]:
        w, power = ctx.saved_tensors
        return gradient * w * power * math.log(2), gradient


class ShiftLayer(nn.Module):
    """What convolution and classifier share: the latents P and S of a Kaiming draw."""

    def __init__(self, *shape: int):
        super().__init__()
        real = nn.init.kaiming_normal_(torch.empty(shape))
        self.power = nn.Parameter(real.abs().log2().clamp(-14, 0))
        self.sign = nn.Parameter(torch.sign(real))

    def weight(self) -> Tensor:
        return _Flip.apply(_Round.apply(self.power), _Ternary.apply(self.sign))


class ShiftConv2d(ShiftLayer):
    """Convolution of square kernels, without bias, sides kept but for the stride."""

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
    ):
        super().__init__(c_out, c_in // groups, kernel, kernel)
        self.stride, self.dilation, self.groups = stride, dilation, groups
        self.padding = dilation * (kernel - 1) // 2

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(
            x, self.weight(), None, self.stride, self.padding, self.dilation, self.groups
        )


class ShiftLinear(ShiftLayer):
    def __init__(self, c_in: int, c_out: int):
        super().__init__(c_out, c_in)
        self.bias = nn.Parameter(torch.zeros(c_out))

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight(), self.bias)


def penalty(module: nn.Module) -> Tensor:
    """The sum of eq. 15: the squares of all quantised weights."""
    squares = [m.weight().square().sum() for m in module.modules() if isinstance(m, ShiftLayer)]
    return torch.stack(squares).sum()
