"""The quick batch norm gives what the library's gives."""

import pytest
import torch

from hw.ir.fold import power_terms
from nas.norm import BatchNorm2d, sum_of_powers


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


# --- factors of few powers of two ------------------------------------------------------------


@pytest.mark.parametrize("terms", [1, 2, 3, 4])
def test_sums_of_powers_are_those_that_a_network_is_folded_with(terms):
    torch.manual_seed(0)
    values = torch.randn(4000, dtype=torch.float64) * torch.exp2(
        torch.randint(-30, 30, (4000,)).double()
    )
    # Ties: 1.5·2**e, alone and as what a first term leaves; powers themselves; zero.
    ties = [1.5, -0.75, 3.0, 4 + 1.5 * 0.25, 8 - 0.75, -(16 + 3 * 2.0**-9), 1.0, -0.125, 0.0, -0.0]
    values = torch.cat((values, torch.tensor(ties, dtype=torch.float64)))
    for value, total in zip(values.tolist(), sum_of_powers(values, terms).tolist(), strict=True):
        assert total == sum(sign * 2.0**exp for sign, exp in power_terms(value, terms)), value


def test_ties_go_to_the_smaller_power():
    values = torch.tensor([1.5, 1.5000001, -3.0, 0.7, 5.0])
    assert sum_of_powers(values, 1).tolist() == [1.0, 2.0, -2.0, 0.5, 4.0]
    assert sum_of_powers(values, 2).tolist() == [1.5, 1.5, -3.0, 0.75, 5.0]


def with_statistics(channels: int, terms: int) -> BatchNorm2d:
    norm = BatchNorm2d(channels, terms=terms)
    torch.manual_seed(1)
    norm.weight.data = torch.randn(channels)
    norm.weight.data[0] = 0.0
    norm.bias.data = torch.randn(channels)
    norm.running_mean = torch.randn(channels)
    norm.running_var = torch.rand(channels) + 0.1
    return norm


@pytest.mark.parametrize("channels", [4, 40])
@pytest.mark.parametrize("terms", [1, 2])
def test_evaluation_multiplies_by_the_powers_of_the_running_variance(channels, terms):
    norm = with_statistics(channels, terms).eval()
    x = torch.randn(2, channels, 3, 3)
    out = norm(x)
    for c in range(channels):
        real = norm.weight[c].item() / (norm.running_var[c].item() + norm.eps) ** 0.5
        factor = sum(sign * 2.0**exp for sign, exp in power_terms(real, terms))
        expected = (x[:, c] - norm.running_mean[c]) * factor + norm.bias[c]
        torch.testing.assert_close(out[:, c], expected)


@pytest.mark.parametrize("channels", [4, 40])
@pytest.mark.parametrize("terms", [1, 2, 4])
def test_training_multiplies_gamma_by_what_the_powers_are_more(channels, terms):
    """Both paths: a norm whose gamma carries the ratio of evaluation, a constant."""
    norm = with_statistics(channels, terms).double()
    x = torch.randn(3, channels, 5, 4, dtype=torch.float64) * 2 + 1
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    real = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
    factors = torch.tensor(
        [sum(s * 2.0**e for s, e in power_terms(value, terms)) for value in real.tolist()]
    ).double()
    ratio = torch.where(real == 0, 1, factors / real)
    out = norm(x)
    mean, variance = x.detach().mean((0, 2, 3)), x.detach().var((0, 2, 3), correction=0)
    scale = norm.weight.detach() * ratio / torch.sqrt(variance + norm.eps)
    expected = (x.detach() - mean[:, None, None]) * scale[:, None, None]
    torch.testing.assert_close(out.detach(), expected + norm.bias.detach()[:, None, None])

    upstream = torch.randn_like(out)
    out.backward(upstream)
    assert x.grad is not None
    plain = with_statistics(channels, 0).double()
    again = x.detach().clone().requires_grad_()
    torch.nn.functional.batch_norm(
        again, None, None, plain.weight * ratio, plain.bias, True, eps=plain.eps
    ).backward(upstream)
    torch.testing.assert_close(x.grad, again.grad)
    torch.testing.assert_close(norm.weight.grad, plain.weight.grad)
    torch.testing.assert_close(norm.bias.grad, plain.bias.grad)
    assert norm.weight.grad[0] != 0  # a dead channel can come back
    torch.testing.assert_close(norm.running_var, _tracked(x.detach(), channels, terms))


def _tracked(x: torch.Tensor, channels: int, terms: int) -> torch.Tensor:
    before = with_statistics(channels, terms).running_var.double()
    return 0.9 * before + 0.1 * x.var((0, 2, 3), correction=1)


@pytest.mark.parametrize("channels", [4, 40])
@pytest.mark.parametrize(("terms", "room"), [(1, 0.8), (2, 0.8 / 3), (3, 0.8 / 9)])
def test_a_factor_is_held_while_the_real_one_is_near(channels, terms, room):
    norm = BatchNorm2d(channels, terms=terms).double()
    x = torch.randn(2, channels, 4, 4).double().contiguous(memory_format=torch.channels_last)
    norm.running_var = torch.ones(channels).double() - norm.eps
    norm.momentum = 0.0
    for octaves, expected in ((0, 1), (room - 0.01, 1), (0.01 - room, 1), (room + 0.01, None)):
        norm.weight.data.fill_(2.0**octaves)
        norm.train()(x)
        nearest = sum_of_powers(norm.weight[:1], terms).item()
        assert norm.eval().factor().tolist() == [expected or nearest] * channels
    # Now that one is held; a sign that turns is another factor at once, and zero is zero.
    norm.weight.data.neg_()
    assert (norm.factor() < 0).all()
    norm.weight.data.zero_()
    norm.train()(x)
    assert not norm.factor().any()


@pytest.mark.parametrize("channels", [4, 40])
def test_training_and_evaluation_agree_where_statistics_do(channels):
    """A batch whose variance is the running one has the powers of evaluation."""
    norm = with_statistics(channels, 1).double()
    x = torch.randn(3, channels, 5, 4, dtype=torch.float64)
    x = x.contiguous(memory_format=torch.channels_last)
    norm.running_mean, norm.running_var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    trained = norm(x)
    norm.running_mean, norm.running_var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    torch.testing.assert_close(trained, norm.eval()(x))
