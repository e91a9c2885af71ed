"""Bilevel optimisation: the architecture follows the held-out loss at the best weights (eq. 5).

The best weights are stood in for by the current ones (first order), or by the current ones moved
one step down the training loss (second order), as DARTS proposes (Liu et al. 2018, section 2.3).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nas.distributed import averages
from nas.norm import twice_differentiable
from nas.optimise import ShiftOptimiser

Loss = Callable[[], Tensor]
"""Computes a loss with the parameters as they are now."""


def first_order(held_out: Loss, architecture: list[nn.Parameter]) -> Tensor:
    """Set the gradients of `architecture` to those of the held-out loss; returns the loss.

    No gradient of a weight is computed.
    """
    loss = held_out()
    _set(architecture, torch.autograd.grad(loss, architecture))
    return loss.detach()


def second_order(
    held_out: Loss,
    training: Loss,
    architecture: list[nn.Parameter],
    weights: list[nn.Parameter],
    optimiser: ShiftOptimiser,
) -> Tensor:
    """Set the gradients of `architecture`, through one step w' = w - lr·(dL_train/dw + decay +
    momentum) of the weights (`ShiftOptimiser.ahead`).

    d L_val(w', a) / da - lr · d²L_train(w, a) / (da dw) · dL_val(w', a) / dw'

    DARTS takes the second product from a finite difference in w. Bit-shift weights are rounded, so
    that a small difference changes none of them: here the product is computed exactly, by
    differentiating the straight-through gradients once more. Returns the loss at w'. Where several
    processes train, the losses are the means of theirs.
    """
    with optimiser.ahead(training, weights):
        loss = held_out()
        found = torch.autograd.grad(loss, [*architecture, *weights], allow_unused=True)
    gradients = averages(found)
    direct, towards = gradients[: len(architecture)], gradients[len(architecture) :]
    with twice_differentiable():
        slopes = torch.autograd.grad(training(), weights, create_graph=True, allow_unused=True)
        products = [
            (slope * v).sum()
            for slope, v in zip(slopes, towards, strict=True)
            if slope is not None and v is not None
        ]
        implicit = torch.autograd.grad(torch.stack(products).sum(), architecture)
    _set(architecture, [d - optimiser.lr * i for d, i in zip(direct, implicit, strict=True)])
    return loss.detach()


def _set(parameters: list[nn.Parameter], gradients: tuple[Tensor, ...] | list[Tensor]) -> None:
    for parameter, gradient in zip(parameters, averages(gradients), strict=True):
        parameter.grad = gradient
