"""The weights of a traced module in the model of its graph."""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from nas.importer.building import Source
from nas.model import ConvUnit, GraphModel, bias_of, weight_of
from nas.norm import BatchNorm2d
from nas.shift import RealWeight, ShiftWeight


@torch.no_grad()
def copy_weights(model: GraphModel, sources: Mapping[str, Source]) -> None:
    """Give each layer of `model` the weights, biases and batch norms of what it was made of.

    Evaluated with real weights it then computes what the module does. Shift weights become the
    nearest that there are. A bias before a batch norm goes into the mean that this subtracts; the
    epsilon of ours is fixed, so the difference goes into the variance.
    """
    for name, source in sources.items():
        unit, layer = model.units[name], source.layer
        weight: ShiftWeight | RealWeight | None = weight_of(unit)
        assert weight is not None
        assign: Callable[[torch.Tensor], None] = weight.assign
        shape = next(weight.parameters()).shape
        assign(layer.weight.detach().reshape(shape))
        bias = bias_of(unit)
        if bias is not None and layer.bias is not None:
            bias.copy_(layer.bias)
        if source.norm is not None:
            assert isinstance(unit, ConvUnit) and isinstance(unit.norm, BatchNorm2d)
            _copy_norm(unit.norm, source.norm, layer.bias)


def _copy_norm(
    ours: BatchNorm2d, theirs: nn.BatchNorm1d | nn.BatchNorm2d, bias: torch.Tensor | None
) -> None:
    mean, variance = theirs.running_mean, theirs.running_var
    assert mean is not None and variance is not None
    assert ours.running_mean is not None and ours.running_var is not None
    # Where the variance is smaller than what the epsilons differ by, the scale makes up for it.
    wanted = variance.double() + theirs.eps
    left = (wanted - ours.eps).clamp(min=0)
    scale = ((left + ours.eps) / wanted).sqrt()
    ours.running_var.copy_(left)
    ours.running_mean.copy_(mean if bias is None else mean.double() - bias)
    ours.weight.copy_(scale if theirs.weight is None else theirs.weight * scale)
    if theirs.bias is None:
        ours.bias.zero_()
    else:
        ours.bias.copy_(theirs.bias)
