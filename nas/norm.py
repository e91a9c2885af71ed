"""Batch norm that is quick for few channels stored innermost.

On a CPU the library's kernel is several times slower than the arithmetic needs for channels_last
tensors of 4 or 8 channels. Here pixels are grouped so that the innermost dimension fills the vector
unit. Every other case goes to the library.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

LANES = 32
"""Elements of the innermost dimension aimed at when pixels are grouped."""

MOST_CHANNELS = 8
"""Up to so many channels this beats the library's kernel."""

library_only = False
"""Whether the library's kernel is taken everywhere; see `twice_differentiable`."""


@contextmanager
def twice_differentiable() -> Iterator[None]:
    """Within it a batch norm's gradient can be differentiated again, as the library's can."""
    global library_only
    before, library_only = library_only, True
    try:
        yield
    finally:
        library_only = before


def _grouped(x: Tensor) -> Tensor:
    """A channels_last (N, C, H, W) as (pixels / g, g·C), a view; g pixels a row."""
    channels = x.shape[1]
    flat = x.permute(0, 2, 3, 1).reshape(-1, channels)
    group = math.gcd(flat.shape[0], max(1, LANES // channels))
    return flat.view(-1, group * channels)


def _channel_sums(rows: Tensor, channels: int) -> Tensor:
    return rows.sum(0).view(-1, channels).sum(0)


def _spread(channel_values: Tensor, rows: Tensor) -> Tensor:
    return channel_values.repeat(rows.shape[1] // channel_values.numel())


class _Normalise(torch.autograd.Function):
    """Returns the normalised tensor and the batch's mean and (biased) variance."""

    @staticmethod
    def forward(ctx, x: Tensor, gamma: Tensor | None, beta: Tensor | None, eps: float):
        channels, rows = x.shape[1], _grouped(x)
        pixels = x.numel() // channels
        mean = _channel_sums(rows, channels) / pixels
        centred = rows - _spread(mean, rows)
        variance = _channel_sums(centred * centred, channels) / pixels
        inverse = torch.rsqrt(variance + eps)
        scale = inverse if gamma is None else inverse * gamma
        spread_scale = _spread(scale, rows)
        if beta is None:
            out = centred * spread_scale
        else:
            out = torch.addcmul(_spread(beta, rows), centred, spread_scale)
        ctx.save_for_backward(centred, inverse, scale)
        ctx.mark_non_differentiable(mean, variance)
        return _as_map(out, x), mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor, *_):
        centred, inverse, scale = ctx.saved_tensors
        channels = inverse.numel()
        pixels = gradient.numel() // channels
        rows = _grouped(gradient.contiguous(memory_format=torch.channels_last))
        beta_gradient = _channel_sums(rows, channels)
        gamma_gradient = _channel_sums(rows * centred, channels) * inverse
        slope = -gamma_gradient * inverse * scale / pixels
        offset = -beta_gradient * scale / pixels
        x_gradient = torch.addcmul(_spread(offset, rows), centred, _spread(slope, rows))
        x_gradient.addcmul_(rows, _spread(scale, rows))
        wanted = ctx.needs_input_grad
        return (
            _as_map(x_gradient, gradient),
            gamma_gradient if wanted[1] else None,
            beta_gradient if wanted[2] else None,
            None,
        )


def _as_map(rows: Tensor, like: Tensor) -> Tensor:
    n, channels, height, width = like.shape
    return rows.view(n, height, width, channels).permute(0, 3, 1, 2)


class BatchNorm2d(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d`, the same numbers up to float rounding, quicker for few channels."""

    def forward(self, input: Tensor, scale: Tensor | None = None) -> Tensor:
        """Normalised `input`; `scale`, of a norm without affine parameters, takes gamma's place."""
        assert scale is None or not self.affine
        gamma = self.weight if scale is None else scale
        quick = (
            self.training
            and self.momentum is not None
            and not library_only
            and input.device.type == "cpu"
            and input.dtype in (torch.float32, torch.float64)
            and input.shape[1] <= MOST_CHANNELS
            and input.is_contiguous(memory_format=torch.channels_last)
        )
        if not quick:
            return super().forward(input) if scale is None else self._scaled(input, scale)
        out, mean, variance = _Normalise.apply(input, gamma, self.bias, self.eps)
        if self.track_running_stats:
            self._track(mean, variance, input.numel() // input.shape[1])
        return out

    def _scaled(self, input: Tensor, scale: Tensor) -> Tensor:
        mean, variance = self.running_mean, self.running_var
        zeros = torch.zeros_like(scale)
        batch = self.training or mean is None
        return functional.batch_norm(
            input, mean, variance, scale, zeros, batch, self.momentum or 0.0, self.eps
        )

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, pixels: int) -> None:
        """Update the running statistics, the variance unbiased as the library does."""
        unbiased = variance * (pixels / max(1, pixels - 1))
        for running, value in ((self.running_mean, mean), (self.running_var, unbiased)):
            assert running is not None and self.momentum is not None
            running.lerp_(value, self.momentum)
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
