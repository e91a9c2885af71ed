"""What training by shift weights needs besides the gradient, as hooks of any torch optimiser.

`nas.optimise.ShiftOptimiser` does the same over all layers at once, which is faster where there are
many.
"""

import torch
from torch import nn
from torch.optim.optimizer import Optimizer
from torch.utils.hooks import RemovableHandle

from nas.shift.weight import shift_weights


def keep_in_range(optimiser: Optimizer, module: nn.Module) -> RemovableHandle:
    """After each step the latents in `module` are clamped to what their code can follow."""

    @torch.no_grad()
    def clamp(*_: object) -> None:
        for weight in shift_weights(module):
            weight.clamp_(weight.settings, *weight.latents)

    return optimiser.register_step_post_hook(clamp)


def modified_l2(optimiser: Optimizer, module: nn.Module, decay: float) -> RemovableHandle:
    """Before each step the latents in `module` get the gradient of decay/2·sum of w² (eq. 15), w
    the quantised weights.

    Latents that have no gradient, because nothing was computed with them, are left alone. Give
    the optimiser itself no weight decay for them: it would pull at P and S.
    """

    @torch.no_grad()
    def regularise(*_: object) -> None:
        for weight in shift_weights(module):
            added = weight.l2_gradients(decay, weight.settings, *weight.latents)
            for latent, more in zip(weight.latents, added, strict=True):
                if latent.grad is not None:
                    latent.grad.add_(more)

    return optimiser.register_step_pre_hook(regularise)
