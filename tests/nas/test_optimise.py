"""Flat parameters, modified L2, clamps, schedule."""

import pytest
import torch
from torch import nn

from hw.networks.genotypes import get
from nas import search as searching
from nas import train as training
from nas.config import load_config
from nas.norm import BatchNorm2d
from nas.optimise import (
    Optimiser,
    ShiftOptimiser,
    StepSettings,
    cosine,
    flatten,
    stepped,
)
from nas.shift import Layer, Linear, ShiftSettings

PLAIN = StepSettings(weight_decay=0.0, regularisation="none", clip=0.0)


def test_flat_parameters_are_views():
    layer = nn.Linear(3, 2)
    before = [p.detach().clone() for p in layer.parameters()]
    flat, gradient = flatten(list(layer.parameters()), torch.device("cpu"))
    assert [p.tolist() for p in layer.parameters()] == [p.tolist() for p in before]
    layer(torch.ones(1, 3)).sum().backward()
    assert gradient.tolist() == [1.0] * 8
    flat.data.zero_()
    assert not any(p.any() for p in layer.parameters())


def test_a_step_is_that_of_the_library():
    torch.manual_seed(0)
    ours, theirs = nn.Linear(4, 3), nn.Linear(4, 3)
    theirs.load_state_dict(ours.state_dict())
    mine = ShiftOptimiser(ours, 0.01, PLAIN, ShiftSettings())
    library = torch.optim.RAdam(theirs.parameters(), lr=0.01)
    for _ in range(12):
        x = torch.randn(5, 4)
        for net, optimiser in ((ours, mine), (theirs, library)):
            optimiser.zero_grad()
            net(x).square().sum().backward()
            optimiser.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_sgd_is_that_of_the_library():
    torch.manual_seed(0)
    ours, theirs = nn.Linear(4, 3), nn.Linear(4, 3)
    theirs.load_state_dict(ours.state_dict())
    settings = StepSettings(0.1, "weight", 0.0, optimiser="sgd", momentum=0.8)
    mine = ShiftOptimiser(ours, 0.01, settings, ShiftSettings())
    library = torch.optim.SGD(theirs.parameters(), lr=0.01, momentum=0.8, weight_decay=0.1)
    for _ in range(5):
        x = torch.randn(5, 4)
        for net, optimiser in ((ours, mine), (theirs, library)):
            optimiser.zero_grad()
            net(x).square().sum().backward()
            optimiser.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("optimiser", Optimiser)
def test_a_saved_optimiser_goes_on_as_it_would_have(optimiser):
    settings = StepSettings(3e-4, optimiser=optimiser)
    results = []
    for stop in (None, 3):
        torch.manual_seed(0)
        layer = Linear(4, 3)
        mine = ShiftOptimiser(layer, 0.1, settings, ShiftSettings())
        for step in range(8):
            if step == stop:
                saved = layer.state_dict(), mine.state_dict()
                layer = Linear(4, 3)
                layer.load_state_dict(saved[0])
                mine = ShiftOptimiser(layer, 0.1, settings, ShiftSettings())
                mine.load_state_dict(saved[1])
            mine.zero_grad()
            layer(torch.full((1, 4), step + 1.0)).square().sum().backward()
            mine.step()
        results.append([p.tolist() for p in layer.parameters()])
    assert results[0] == results[1]


@pytest.mark.parametrize("kind", Layer)
def test_modified_l2_of_every_kind_of_weight(kind):
    """Equation 15 gives each latent the gradient that lambda/2·sum of w² in the loss would."""
    torch.manual_seed(0)
    decay, settings = 0.3, ShiftSettings(layer=kind)
    layer = Linear(6, 4, settings=settings)
    (decay / 2 * layer.weight().square().sum()).backward()
    expected = [latent.grad.clone() for latent in layer.weight.latents]
    optimiser = ShiftOptimiser(layer, 0.0, StepSettings(decay, "weight", 0.0), settings)
    optimiser.zero_grad()
    optimiser._regularise()
    for latent, gradient in zip(layer.weight.latents, expected, strict=True):
        torch.testing.assert_close(latent.grad, gradient)
        assert latent.grad.any()


def test_kinds_of_weights_may_be_mixed():
    """Every parameter gets its step, whatever it belongs to."""
    layers = nn.ModuleList([Linear(2, 2, settings=ShiftSettings(layer=kind)) for kind in Layer])
    layers.append(Linear(2, 2, domain="real"))
    settings = StepSettings(0.0, "none", 0.0, optimiser="sgd", momentum=0.0)
    optimiser = ShiftOptimiser(layers, 0.01, settings, ShiftSettings())
    for parameter in layers.parameters():
        parameter.data.fill_(-0.5)
        parameter.grad.fill_(1.0)
    optimiser.step()
    assert len(list(layers.parameters())) == 9
    for name, parameter in layers.named_parameters():
        torch.testing.assert_close(parameter.data, torch.full_like(parameter, -0.51), msg=name)


@pytest.mark.parametrize("rule", ["paper", "exact"])
def test_modified_l2_is_the_gradient_of_half_lambda_w_squared(rule):
    torch.manual_seed(0)
    decay, settings = 0.3, ShiftSettings(grad_rule=rule)
    layer = Linear(6, 4, settings=settings)
    (decay / 2 * layer.weight().square().sum()).backward()
    expected = layer.weight.power.grad.clone(), layer.weight.sign.grad.clone()
    optimiser = ShiftOptimiser(layer, 0.0, StepSettings(decay, "weight", 0.0), settings)
    optimiser.zero_grad()
    optimiser._regularise()
    torch.testing.assert_close(layer.weight.power.grad, expected[0])
    torch.testing.assert_close(layer.weight.sign.grad, expected[1])
    assert layer.weight.power.grad.any()


def test_conventional_l2_pulls_at_the_latent_parameters():
    layer = Linear(3, 2)
    optimiser = ShiftOptimiser(layer, 0.0, StepSettings(0.5, "latent", 0.0), ShiftSettings())
    optimiser.zero_grad()
    optimiser._regularise()
    torch.testing.assert_close(layer.weight.power.grad, 0.5 * layer.weight.power)
    torch.testing.assert_close(layer.weight.sign.grad, 0.5 * layer.weight.sign)


def test_clip_bounds_the_norm_over_all_parameters():
    layer = Linear(3, 2)
    optimiser = ShiftOptimiser(layer, 0.0, StepSettings(0.0, "none", 2.0), ShiftSettings())
    for parameter in layer.parameters():
        parameter.grad.fill_(7.0)
    optimiser._clip()
    norm = torch.cat([p.grad.flatten() for p in layer.parameters()]).norm()
    assert float(norm) == pytest.approx(2.0, rel=1e-4)


def test_a_step_keeps_the_latent_parameters_in_range():
    layer = Linear(3, 2)
    optimiser = ShiftOptimiser(layer, 100.0, PLAIN, ShiftSettings())
    for sign in (1.0, -1.0):
        for _ in range(10):
            layer.weight.power.grad.fill_(sign)
            layer.weight.sign.grad.fill_(sign)
            optimiser.step()
        assert layer.weight.power.min() >= -14 and layer.weight.power.max() <= 0
        assert layer.weight.sign.abs().max() <= 1


def test_steps_take_a_tenth_at_their_epochs():
    """DeepShift's: of 200 epochs the rate falls at 80, 120, 160 and 180."""
    rates = [stepped(1.0, epoch, 200, (0.4, 0.6, 0.8, 0.9)) for epoch in range(200)]
    falls = [epoch for epoch in range(1, 200) if rates[epoch] != rates[epoch - 1]]
    assert falls == [80, 120, 160, 180]
    assert [rates[epoch] for epoch in (0, *falls)] == [1, 1e-1, 1e-2, 1e-3, 1e-4]
    rates = [stepped(1.0, epoch, 90, (0.333, 0.667)) for epoch in range(90)]
    assert [rates.count(rate) for rate in (1, 0.1, 0.01)] == [30, 30, 30]


def test_cosine_rises_then_falls_to_zero():
    rates = [cosine(0.1, step, 10, warmup=2) for step in range(11)]
    assert rates[:3] == [0.05, 0.1, 0.1]
    assert rates == sorted(rates[:2]) + sorted(rates[2:], reverse=True)
    assert rates[-1] == pytest.approx(0.0)


@pytest.mark.parametrize("optimiser", Optimiser)
def test_schedulers_and_closures_of_torch_work_on_it(optimiser):
    layer = Linear(3, 2)
    mine = ShiftOptimiser(layer, 0.4, StepSettings(0.0, optimiser=optimiser), ShiftSettings())
    assert isinstance(mine, torch.optim.Optimizer)
    warm = torch.optim.lr_scheduler.LinearLR(mine, 0.5, 1.0, 2)
    rates = []
    for _ in range(3):
        rates.append(mine.lr)

        def loss():
            mine.zero_grad(set_to_none=True)
            total = layer(torch.ones(1, 3)).square().sum()
            total.backward()
            return total.detach()

        before = float(layer.bias.detach().sum())
        assert float(mine.step(loss)) >= 0
        assert float(layer.bias.detach().sum()) != before
        warm.step()
    assert rates == pytest.approx([0.2, 0.3, 0.4])
    saved = mine.state_dict()
    mine.load_state_dict(saved)
    mine.set_lr(0.0)
    kept = [parameter.clone() for parameter in layer.parameters()]
    mine.step(loss)
    assert all(map(torch.equal, kept, layer.parameters())), "loaded groups are those of the steps"


@pytest.mark.parametrize("norms", [True, False])
@pytest.mark.parametrize("domain", ["shift", "real"])
def test_weight_decay_of_norms_is_a_choice(norms, domain):
    """By value, of a step without a gradient: x becomes x·(1 - lr·decay) or stays."""
    torch.manual_seed(0)
    weight = Linear(4, 3) if domain == "shift" else nn.Linear(4, 3)
    net = nn.Sequential(weight, nn.BatchNorm1d(3), nn.Linear(3, 2), BatchNorm2d(2), nn.LayerNorm(2))
    for part in (1, 3, 4):
        nn.init.uniform_(net[part].weight, 1, 2)
        nn.init.uniform_(net[part].bias, 1, 2)
    settings = StepSettings(
        0.5, "weight", 0.0, optimiser="sgd", momentum=0.0, weight_decay_norms=norms
    )
    optimiser = ShiftOptimiser(net, 0.1, settings, ShiftSettings())
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    optimiser.zero_grad()
    optimiser.step()
    for name, p in net.named_parameters():
        if name.startswith("0.") and domain == "shift" and "bias" not in name:
            continue
        kept = not norms and name[0] in "134"
        torch.testing.assert_close(p, before[name] * (1 if kept else 0.95), msg=name)


def test_the_configuration_says_whether_norms_decay(tmp_path, monkeypatch):
    found = []

    def watched(module, lr, settings, shift):
        found.append(settings.weight_decay_norms)
        return ShiftOptimiser(module, lr, settings, shift)

    for module in (searching, training):
        monkeypatch.setattr(module, "ShiftOptimiser", watched)
    short = ("search.images=16", "train.images=16", "train.epochs=1")
    switched = ("search.weight_decay_norms=false", "train.weight_decay_norms=false")
    for number, more in enumerate(((), switched)):
        config = load_config("tiny", (*short, *more))
        searching.search("digits", tmp_path / f"search{number}", config)
        training.train(get("GDAS_V1"), "digits", tmp_path / f"train{number}", config)
    # Two stages of a search and a training.
    assert found == [True] * 3 + [False] * 3
