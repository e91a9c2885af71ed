"""What training by shift weights needs besides the gradient, as hooks of any torch optimiser.

`nas.optimise.ShiftOptimiser` does the same over all layers at once, which is faster where there are
many.
"""

from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer
from torch.utils.hooks import RemovableHandle

from nas.shift.weight import ShiftWeight, shift_weights


def keep_in_range(optimiser: Optimizer, module: nn.Module) -> RemovableHandle:
    """After each step the latents in `module` are clamped to what their code can follow.

    Raises
    ------
    ValueError: the optimiser lacks one that is to be trained; naming it
    """
    _require_latents(optimiser, module)

    @torch.no_grad()
    def clamp(*_: object) -> None:
        for weight in shift_weights(module):
            weight.clamp_(weight.settings, *weight.latents)

    return optimiser.register_step_post_hook(clamp)


def modified_l2(optimiser: Optimizer, module: nn.Module, decay: float) -> RemovableHandle:
    """Before each step the latents in `module` get the gradient of decay/2·sum of w² (eq. 15), w
    the quantised weights.

    Latents that have no gradient, because nothing was computed with them, are left alone.

    Raises
    ------
    ValueError: the optimiser lacks a latent that is to be trained, or has weight decay of its own
        for one, which would pull at P and S; naming it
    """
    for name, group in _require_latents(optimiser, module).items():
        own = group.get("weight_decay", 0)
        if own:
            raise ValueError(
                f"{name}: the optimiser has weight decay {own:g} for it, which pulls at the latent "
                "itself; give shift weights a group with weight_decay=0"
            )

    @torch.no_grad()
    def regularise(*_: object) -> None:
        for weight in shift_weights(module):
            added = weight.l2_gradients(decay, weight.settings, *weight.latents)
            for latent, more in zip(weight.latents, added, strict=True):
                if latent.grad is not None:
                    latent.grad.add_(more)

    return optimiser.register_step_pre_hook(regularise)


def _require_latents(optimiser: Optimizer, module: nn.Module) -> dict[str, dict[str, Any]]:
    """The optimiser's group of each latent in `module` that is to be trained, by its name."""
    groups = {id(one): group for group in optimiser.param_groups for one in group["params"]}
    found = {}
    for place, weight in module.named_modules():
        if isinstance(weight, ShiftWeight):
            for latent, trained in zip(weight.LATENTS, weight.latents, strict=True):
                if trained.requires_grad:
                    name = f"{place}.{latent}" if place else latent
                    if id(trained) not in groups:
                        raise ValueError(
                            f"{name}: not among the optimiser's parameters; make the optimiser "
                            "from the parameters of this module"
                        )
                    found[name] = groups[id(trained)]
    return found
