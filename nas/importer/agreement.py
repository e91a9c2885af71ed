"""Whether a graph computes what the module does that it was made of."""

import copy
import warnings
from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from hw.errors import InputError
from nas.importer.building import Source
from nas.importer.importer import Imported
from nas.importer.weights import copy_weights
from nas.model import GraphModel

TOLERANCE = 1e-9
"""Largest difference of logits, as a share of the largest: sums of float64 in another order."""


def _drawn_anew(sources: Mapping[str, Source]) -> None:
    """Weights by which every layer counts: those of a new model may let the image vanish."""
    drawn = torch.Generator().manual_seed(0)
    for source in sources.values():
        for tensor in source.layer.parameters():
            fan_in = prod(tensor.shape[1:])
            tensor.copy_(torch.randn(tensor.shape, generator=drawn) * (2 / fan_in) ** 0.5)
        if source.norm is not None:
            state = source.norm.state_dict()
            for name in state.keys() - {"num_batches_tracked"}:
                state[name].copy_(torch.rand(state[name].shape, generator=drawn) + 0.5)


@torch.no_grad()
def disagreement(module: nn.Module, found: Imported, images: Tensor) -> float:
    """Largest difference between the logits of both, as a share of the largest logit.

    In evaluation, in float64, with weights drawn anew that are the same in both.

    Parameters
    ----------
    images: as of `nas.model.image_tensor`
    """
    copies: dict[int, Any] = {}
    theirs = copy.deepcopy(module, copies).double().eval()
    ours = GraphModel(found.graph, "real").double().eval()
    # Weights may be computed from parameters: those of the copy are in float64.
    copied = {
        name: replace(
            s, layer=copies.get(id(s.layer), s.layer), norm=copies.get(id(s.norm), s.norm)
        )
        for name, s in found.sources.items()
    }
    _drawn_anew(copied)
    copy_weights(ours, copied)
    x = images.double()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted, logits = theirs(x).flatten(1), ours(x)
    if found.softmax is not None:
        logits = found.softmax(1)(logits)
    largest = wanted.abs().max().clamp(min=torch.finfo(torch.float64).tiny)
    return float((logits - wanted).abs().max() / largest)


def require_agreement(module: nn.Module, found: Imported, images: Tensor) -> None:
    """InputError where the module computes something that was not seen in its operations."""
    difference = disagreement(module, found, images)
    if not difference <= TOLERANCE:
        raise InputError(
            f"the model's logits differ from those of its operations, by {difference:.2g} of the"
            " largest: it does what cannot be seen by following it once; it must compute the same"
            " in every call"
        )
