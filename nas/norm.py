"""Batch norm that is quick for few channels stored innermost.

On a CPU the library's kernel is several times slower than the arithmetic needs for channels_last
tensors of 4 or 8 channels. Here pixels are grouped so that the innermost dimension fills the vector
unit. Every other case goes to the library.

A norm may also scale by sums of few powers of two, as the hardware does (`terms`).

Where several processes share a batch the statistics are those of the whole batch (`synchronised`).
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from nas import distributed

LANES = 32
"""Elements of the innermost dimension aimed at when pixels are grouped."""

MOST_CHANNELS = 8
"""Up to so many channels this beats the library's kernel."""

HOLD = 0.8
"""Octaves by which a channel's real factor may leave the power of two that stands for it before
another one does. The nearest is 0.58 away at the most. With each further term a third of it."""

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


def sum_of_powers(values: Tensor, terms: int) -> Tensor:
    """Greedy sums of at most `terms` signed powers of two that approximate `values`, float64.

    Element by element the sum of `hw.ir.fold.power_terms`, which a network is exported with.
    """
    left = values.detach().double()
    total = torch.zeros_like(left)
    for _ in range(terms):
        mantissa, exponent = torch.frexp(left.abs())
        exponent = torch.where(mantissa > 0.75, exponent, exponent - 1)
        # The sign of what is left is 0 where nothing is.
        term = left.sign() * torch.exp2(exponent.double())
        total, left = total + term, left - term
    return total


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
    """Returns the normalised tensor and the batch's mean and (biased) variance.

    `shared`: the batch is that of all processes, equally many images each.
    """

    @staticmethod
    def forward(
        ctx,
        x: Tensor,
        gamma: Tensor | None,
        beta: Tensor | None,
        eps: float,
        shared: bool,
    ):
        channels, rows = x.shape[1], _grouped(x)
        pixels = x.numel() // channels
        mean = _channel_sums(rows, channels) / pixels
        centred = rows - _spread(mean, rows)
        variance = _channel_sums(centred * centred, channels) / pixels
        if shared:
            own = mean
            mean, variance = _of_all(mean, variance)
            centred += _spread(own - mean, rows)
        inverse = torch.rsqrt(variance + eps)
        scale = inverse if gamma is None else inverse * gamma
        spread_scale = _spread(scale, rows)
        if beta is None:
            out = centred * spread_scale
        else:
            out = torch.addcmul(_spread(beta, rows), centred, spread_scale)
        ctx.save_for_backward(centred, inverse, scale)
        ctx.shared = shared
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
        gamma_sum, beta_sum = gamma_gradient, beta_gradient
        if ctx.shared:
            # Every process's loss depends on the statistics.
            gamma_sum, beta_sum = distributed.total(torch.stack((gamma_sum, beta_sum)))
            pixels *= distributed.world()
        slope = -gamma_sum * inverse * scale / pixels
        offset = -beta_sum * scale / pixels
        x_gradient = torch.addcmul(_spread(offset, rows), centred, _spread(slope, rows))
        x_gradient.addcmul_(rows, _spread(scale, rows))
        wanted = ctx.needs_input_grad
        return (
            _as_map(x_gradient, gradient),
            gamma_gradient if wanted[1] else None,
            beta_gradient if wanted[2] else None,
            None,
            None,
        )


def _as_map(rows: Tensor, like: Tensor) -> Tensor:
    n, channels, height, width = like.shape
    return rows.view(n, height, width, channels).permute(0, 3, 1, 2)


def _of_all(mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of the whole batch, from those of the equal shares of all processes."""
    means, variances = distributed.gathered(torch.stack((mean, variance))).unbind(1)
    mean = means.mean(0)
    return mean, variances.mean(0) + (means - mean).square().mean(0)


def _shared_twice_differentiable(
    x: Tensor, gamma: Tensor | None, beta: Tensor | None, eps: float
) -> Tensor:
    """A batch of all processes, normalised by operations that can all be differentiated twice."""

    def mean_of(values: Tensor) -> Tensor:
        return distributed.mean(values.mean((0, 2, 3)))[:, None, None]

    centred = x - mean_of(x)
    out = centred * torch.rsqrt(mean_of(centred * centred) + eps)
    out = out if gamma is None else out * gamma[:, None, None]
    return out if beta is None else out + beta[:, None, None]


def normalise_apart(module: nn.Module) -> None:
    """Let every process take the statistics of its own share of a batch."""
    for norm in _norms(module):
        norm.synchronised = False


@torch.no_grad()
def average_running_statistics(module: nn.Module) -> None:
    """Replace the running statistics of norms that are apart by their means over all processes."""
    apart = [norm for norm in _norms(module) if not norm.synchronised and norm.track_running_stats]
    values = [t for norm in apart for t in (norm.running_mean, norm.running_var) if t is not None]
    for value, average in zip(values, distributed.averages(values), strict=True):
        assert average is not None
        value.copy_(average)
    for norm in apart:
        if norm.terms and distributed.world() > 1:
            held = norm.get_buffer("held")
            held.copy_(distributed.gathered(held)[distributed.MAIN])


def _norms(module: nn.Module) -> "list[BatchNorm2d]":
    return [m for m in module.modules() if isinstance(m, BatchNorm2d)]


class BatchNorm2d(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d`, the same numbers up to float rounding, quicker for few channels.

    With `terms`, the factor gamma / sqrt(variance + eps) of each channel is in evaluation a greedy
    sum of at most so many signed powers of two near it: the one that training held last (`held`),
    while the real factor is no farther from it than `HOLD`, else the nearest. What a training step
    sees of it is its ratio to the real factor, both of the running variance: a constant that
    multiplies gamma, through which gradients pass straight. By the batch's own variance, and
    without holding, a factor between two sums would flip at many steps.

    Parameters
    ----------
    channels: of the input
    affine: whether there are a trainable gamma and beta
    track_running_stats: whether evaluation has statistics of its own, or takes the batch's
    terms: 0: any real factor

    Where several processes train, the batch is that of all, unless `synchronised` is false.
    """

    def __init__(
        self,
        channels: int,
        affine: bool = True,
        track_running_stats: bool = True,
        terms: int = 0,
    ):
        super().__init__(channels, affine=affine, track_running_stats=track_running_stats)
        assert not terms or (affine and track_running_stats)
        self.terms = terms
        if terms:
            # Zeros: none is held yet.
            self.register_buffer("held", torch.zeros(channels, dtype=torch.float64))
        self.synchronised = True

    def forward(self, input: Tensor, scale: Tensor | None = None) -> Tensor:
        """Normalised `input`; `scale`, of a norm without affine parameters, takes gamma's place."""
        assert scale is None or not self.affine
        gamma = self.weight if scale is None else scale
        if self.terms:
            if not self.training:
                return self._evaluated(input)
            gamma = gamma * self._ratio()
        if self.training and self.synchronised and distributed.world() > 1:
            return self._shared(input, gamma)
        quick = (
            self.training
            and self.momentum is not None
            and not library_only
            and input.device.type == "cpu"
            and input.dtype in (torch.float32, torch.float64)
            and input.shape[1] <= MOST_CHANNELS
            and input.is_contiguous(memory_format=torch.channels_last)
        )
        if quick:
            out, mean, variance = _Normalise.apply(input, gamma, self.bias, self.eps, False)
            if self.track_running_stats:
                self._track(mean, variance, input.numel() // input.shape[1])
            return out
        return super().forward(input) if gamma is self.weight else self._scaled(input, gamma)

    def _shared(self, input: Tensor, gamma: Tensor | None) -> Tensor:
        """Of the batch of all processes. On a GPU slower than the library's kernels for one."""
        wide = input if input.dtype == torch.float64 else input.float()
        if library_only:
            assert not self.terms
            # Of a supernet, which is never evaluated by running statistics.
            return _shared_twice_differentiable(wide, gamma, self.bias, self.eps).to(input.dtype)
        wide = wide.contiguous(memory_format=torch.channels_last)
        out, mean, variance = _Normalise.apply(wide, gamma, self.bias, self.eps, True)
        if self.track_running_stats:
            self._track(mean, variance, distributed.world() * input.numel() // input.shape[1])
        return out.to(input.dtype)

    def factor(self) -> Tensor:
        """What each channel is multiplied by in evaluation, as an export folds it; float64."""
        real = self._real_factor()
        if not self.terms:
            return real
        held, room = self.get_buffer("held"), 2 ** (HOLD / 3 ** (self.terms - 1))
        ratio = held / real
        near = (ratio >= 1 / room) & (ratio <= room)
        return torch.where(near, held, sum_of_powers(real, self.terms))

    def _real_factor(self) -> Tensor:
        assert self.running_var is not None
        return self.weight.double() / torch.sqrt(self.running_var.double() + self.eps)

    @torch.no_grad()
    def _ratio(self) -> Tensor:
        """By how much a channel's factor is more than the real one, held from now on; 1 at 0."""
        real, factor = self._real_factor(), self.factor()
        self.get_buffer("held").copy_(factor)
        return torch.where(real == 0, 1, factor / real).to(self.weight.dtype)

    def _evaluated(self, input: Tensor) -> Tensor:
        assert self.running_mean is not None
        factor = self.factor()
        shift = self.bias.double() - self.running_mean.double() * factor
        factor, shift = (t.to(self.weight.dtype)[:, None, None] for t in (factor, shift))
        return torch.addcmul(shift, input, factor)

    def _scaled(self, input: Tensor, gamma: Tensor) -> Tensor:
        mean, variance = self.running_mean, self.running_var
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
        beta = torch.zeros_like(gamma) if self.bias is None else self.bias
        batch = self.training or mean is None
        return functional.batch_norm(
            input, mean, variance, gamma, beta, batch, self.momentum or 0.0, self.eps
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
