"""From a trained network to integers: formats, weight codes, folded batch norms."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hw.errors import InputError
from hw.ir.arithmetic import accumulation
from hw.ir.calibrate import choose_frac
from hw.ir.clip import clipped_format
from hw.ir.fold import Scales, fixed_point, fold, unit_scales
from hw.ir.format import IMAGE_FORMAT, Format
from hw.ir.graph import (
    AvgPool,
    GlobalPool,
    Input,
    Linear,
    MaxPool,
    Node,
    Rounded,
    Select,
    Weighted,
)
from hw.ir.network import Network
from hw.ir.parameters import Arithmetic, LayerParams
from hw.ir.weights import encode
from nas.model import ConvUnit, GraphModel, LinearUnit, ReduceUnit
from nas.norm import BatchNorm2d

CALIBRATION_IMAGES = 512
"""Training images on which formats are chosen."""


@torch.no_grad()
def calibrate(
    model: GraphModel, x: Tensor, width: int, frac: int | None = None
) -> dict[str, Format]:
    """Format of every live tensor but the logits: least squared error on the images `x`.

    Parameters
    ----------
    x: images as of `nas.model.image_tensor`
    width: bits of every tensor but the image
    frac: fractional bits of all of them, instead of the best
    """
    tensors = model.eval().tensors(x)
    formats: dict[str, Format] = {}
    for node in model.live:
        match node:
            case Input():
                formats[node.name] = IMAGE_FORMAT
            case MaxPool() | AvgPool() | GlobalPool() | Select():
                formats[node.name] = formats[node.inputs[0]]
            case Linear():
                continue
            case Rounded():
                values = tensors[node.name].double().cpu().numpy()
                best = frac
                if best is None:
                    best = choose_frac(values, width, signed=node.clip is None)
                formats[node.name] = clipped_format(node.clip, width, best)
    return formats


@torch.no_grad()
def quantise(
    model: GraphModel,
    formats: Mapping[str, Format],
    arithmetic: Arithmetic,
    meta: dict[str, Any] | None = None,
) -> Network:
    """The integer network of a trained one.

    Batch norms are folded with their running statistics; tensors have the formats of `calibrate`.

    Raises
    ------
    InputError: a layer has real weights, all or (INQ) some of them
    ValueError: weights that the code of `arithmetic` does not hold
    """
    graph, weights = model.live, model.shift_weights()
    params: dict[str, LayerParams] = {}
    for node in graph:
        if not isinstance(node, Weighted):
            continue
        if node.name not in weights:
            raise InputError(
                f"{node.name}: has real weights; only a network of shift weights can be exported"
            )
        try:
            sign, power = (t.cpu().numpy() for t in weights[node.name].to_int())
        except InputError as error:
            raise InputError(f"{node.name}: {error}") from error
        codes = encode(sign, power, arithmetic.weight_bits)
        params[node.name] = _layer(codes, unit_scales(len(codes)))
    # Accumulators depend on weights and formats alone, scales and biases on the accumulators.
    network = Network(graph, dict(formats), params, arithmetic, meta or {})
    finished = {name: _fold_layer(model, network, graph[name]) for name in params}
    return replace(network, params=finished)


def _layer(codes: np.ndarray, scales: Scales) -> LayerParams:
    return LayerParams(codes, scales.sign, scales.exp, scales.bias)


def _fold_layer(model: GraphModel, network: Network, node: Node) -> LayerParams:
    unit, codes = model.units[node.name], network.params[node.name].codes
    acc = accumulation(network, node.name)
    if isinstance(node, Linear):
        assert isinstance(unit, LinearUnit) and unit.linear.bias is not None
        none = np.zeros((len(codes), 0))
        bias = tuple(fixed_point(b, acc.frac) for b in unit.linear.bias.tolist())
        return LayerParams(codes, none.astype(np.int8), none.astype(np.int16), bias)
    assert isinstance(unit, ConvUnit | ReduceUnit)
    norm = unit.norm
    if not isinstance(norm, BatchNorm2d):
        bias = unit.conv.bias
        values = () if bias is None else bias.tolist()
        return _layer(codes, unit_scales(len(codes), values, acc.frac))
    assert norm.running_mean is not None
    scales = fold(
        norm.factor().tolist(),
        norm.bias.tolist(),
        norm.running_mean.tolist(),
        acc=acc,
        out=network.formats[node.name],
        terms=network.arithmetic.scale_terms,
    )
    return _layer(codes, scales)
