"""The quick batch norm gives what the library's gives."""

import pytest
import torch

from nas.norm import BatchNorm2d


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [(6, 4, 7, 5), (3, 1, 4, 4), (5, 3, 3, 3), (2, 8, 6, 6)])
def test_equal_to_the_library(shape, affine):
    torch.manual_seed(0)
    ours = BatchNorm2d(shape[1], affine=affine).double()
    theirs = torch.nn.BatchNorm2d(shape[1], affine=affine).double()
    if affine:
        for norm in (ours, theirs):
            norm.weight.data.copy_(torch.arange(1.0, shape[1] + 1))
            norm.bias.data.copy_(torch.arange(0.0, shape[1]))
    x = torch.randn(shape, dtype=torch.float64) * 3 + 1
    upstream = torch.randn(shape, dtype=torch.float64)
    results = []
    for norm in (ours, theirs):
        leaf = x.contiguous(memory_format=torch.channels_last).clone().requires_grad_()
        out = norm(leaf)
        out.backward(upstream)
        results.append((out, leaf.grad, *[p.grad for p in norm.parameters()], *norm.buffers()))
    assert type(results[0][0].grad_fn).__name__ != type(results[1][0].grad_fn).__name__
    for mine, library in zip(*results, strict=True):
        torch.testing.assert_close(mine, library, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("channels", [4, 40])
def test_scale_takes_the_place_of_gamma(channels):
    norm = BatchNorm2d(channels, affine=False).double()
    x = torch.randn(3, channels, 4, 4, dtype=torch.float64)
    x = x.contiguous(memory_format=torch.channels_last)
    scale = torch.rand(channels, dtype=torch.float64).requires_grad_()
    for training in (True, False):
        norm.train(training)
        torch.testing.assert_close(norm(x, scale), norm(x) * scale[:, None, None])
    norm(x, scale).square().sum().backward()
    assert scale.grad is not None and scale.grad.all()


def test_result_is_stored_channels_last():
    x = torch.randn(2, 4, 6, 6).contiguous(memory_format=torch.channels_last)
    assert BatchNorm2d(4)(x).is_contiguous(memory_format=torch.channels_last)


def test_evaluation_uses_the_running_statistics():
    norm = BatchNorm2d(2).eval()
    norm.running_mean.fill_(1.0)
    x = torch.ones(1, 2, 3, 3).contiguous(memory_format=torch.channels_last)
    assert not norm(x).any()
