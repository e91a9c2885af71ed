"""Shift layers under torch's own optimisers."""

import pytest
import torch
from torch import nn

from nas import shift
from nas.optimise import ShiftOptimiser, StepSettings

DECAY = 0.3


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        shift.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Flatten(), shift.Linear(64, 3)
    )


def train(net: nn.Module, optimiser: torch.optim.Optimizer, steps: int = 6) -> None:
    x = torch.randn(8, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    for _ in range(steps):
        optimiser.zero_grad()
        net(x).square().sum().backward()
        optimiser.step()


def test_a_step_of_torchs_sgd_with_hooks_is_one_of_the_shift_optimiser():
    ours, theirs = network(), network()
    settings = StepSettings(DECAY, clip=0, optimiser="sgd", momentum=0.9)
    train(ours, ShiftOptimiser(ours, 0.01, settings, shift.ShiftSettings()))
    # The shift optimiser has plain L2 for what is no latent.
    latents = {
        id(p) for m in theirs.modules() if isinstance(m, shift.ShiftWeight) for p in m.latents
    }
    groups = [
        {"params": [p for p in theirs.parameters() if id(p) in latents]},
        {"params": [p for p in theirs.parameters() if id(p) not in latents], "weight_decay": DECAY},
    ]
    optimiser = torch.optim.SGD(groups, lr=0.01, momentum=0.9)
    shift.modified_l2(optimiser, theirs, DECAY)
    shift.keep_in_range(optimiser, theirs)
    train(theirs, optimiser)
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, msg=name)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW, torch.optim.RMSprop])
def test_latents_stay_in_range_until_the_hook_is_removed(kind):
    net = shift.Linear(3, 2)
    optimiser = kind(net.parameters(), lr=100.0)
    handle = shift.keep_in_range(optimiser, net)
    for kept in (True, False):
        for parameter in net.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimiser.step()
        assert bool((net.weight.power >= -14).all() and (net.weight.sign >= -1).all()) == kept
        handle.remove()


def test_what_took_no_part_is_not_regularised():
    used, unused = shift.Linear(3, 2), shift.Linear(3, 2)
    net = nn.ModuleList([used, unused])
    before = [latent.clone() for latent in unused.weight.latents]
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    shift.modified_l2(optimiser, net, DECAY)
    used(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    assert all(map(torch.equal, unused.weight.latents, before))


HOOKS = [shift.keep_in_range, lambda optimiser, net: shift.modified_l2(optimiser, net, DECAY)]


@pytest.mark.parametrize("hook", HOOKS)
def test_an_optimiser_that_lacks_a_latent_is_refused(hook):
    net = network()
    optimiser = torch.optim.SGD(net[3].parameters(), lr=0.1)
    with pytest.raises(ValueError, match=r"^0\.weight\.power: not among the optimiser's param"):
        hook(optimiser, net)
    hook(optimiser, net[3])
    net[0].requires_grad_(False)  # what is not trained needs no optimiser
    hook(optimiser, net)
    net[0].weight.sign.requires_grad_()
    with pytest.raises(ValueError, match=r"^0\.weight\.sign: not among"):
        hook(optimiser, net)


def test_weight_decay_of_the_latents_themselves_is_refused_beside_modified_l2():
    net = network()
    optimiser = torch.optim.AdamW(net.parameters())
    with pytest.raises(ValueError, match=r"^0\.weight\.power: .* weight decay 0\.01 for it.*=0$"):
        shift.modified_l2(optimiser, net, DECAY)
    shift.keep_in_range(optimiser, net)
    shift.modified_l2(torch.optim.AdamW(net.parameters(), weight_decay=0), net, DECAY)
