"""Optimisers of single numbers, for what is computed by hand."""

from torch import nn

from nas.optimise import ShiftOptimiser, StepSettings
from nas.shift import ShiftSettings


def plain_sgd(
    *weights: nn.Parameter, lr: float, decay: float = 0.0, momentum: float = 0.0
) -> ShiftOptimiser:
    """SGD over real weights, with plain L2 where there is `decay`."""
    settings = StepSettings(decay, clip=0.0, optimiser="sgd", momentum=momentum)
    return ShiftOptimiser(nn.ParameterList(weights), lr, settings, ShiftSettings())
