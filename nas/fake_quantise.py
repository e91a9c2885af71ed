"""Fake quantisation: a tensor rounded to its format in training, gradients straight through."""

from collections.abc import Mapping
from typing import assert_never

import torch
from torch import Tensor

from hw.ir.clip import clipped_format
from hw.ir.format import Format
from hw.ir.graph import AvgPool, GlobalPool, Graph, Keeping, MaxPool, Node, Rounded, Select
from hw.ir.paper import PAPER_FORMAT
from hw.ir.parameters import Rounding

Formats = Mapping[str, Format]
"""Format of each tensor, by node name."""


def paper_formats(graph: Graph) -> dict[str, Format]:
    """Q16.16, the paper's 32-bit activations, for every tensor but the image and the logits;
    unsigned where a tensor is clipped.

    A float32 has 24 significant bits: it holds numbers of less than 2**8 to the last of the 16,
    larger ones as finely as a float32 can.
    """
    width, frac = PAPER_FORMAT.width, PAPER_FORMAT.frac
    formats: dict[str, Format] = {}
    for node in graph:
        match node:
            case Rounded():
                formats[node.name] = clipped_format(node.clip, width, frac)
            case AvgPool() | GlobalPool():
                formats[node.name] = formats.get(_rounded_source(graph, node), PAPER_FORMAT)
    return formats


def _rounded_source(graph: Graph, node: Node) -> str:
    """The tensor whose format a pool's has: pools of pools keep it."""
    while isinstance(node, Keeping):
        node = graph[node.inputs[0]]
    return node.name


class _FakeQuantise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, target: Format, half: float) -> Tensor:
        q = torch.floor(x * 2.0**target.frac + half)
        clamped = q.clamp(target.qmin, target.qmax)
        ctx.save_for_backward(q == clamped)
        return clamped * 2.0**-target.frac

    @staticmethod
    def backward(ctx, gradient: Tensor):
        (inside,) = ctx.saved_tensors
        return gradient * inside, None, None


def fake_quantise(x: Tensor, target: Format, rounding: Rounding = Rounding.HALF_UP) -> Tensor:
    """`x` rounded to the format, half up or to the floor, and saturated, as real values.

    The gradient is that of the identity, and zero where `x` saturates. In float32 (also where `x`
    comes narrower from mixed precision), exact for formats of up to 24 bits.
    """
    wide = x if x.dtype in (torch.float32, torch.float64) else x.float()
    return _FakeQuantise.apply(wide, target, _half(rounding))


def _half(rounding: Rounding) -> float:
    """What is added, in steps, before the floor."""
    match rounding:
        case Rounding.HALF_UP:
            return 0.5
        case Rounding.FLOOR:
            return 0.0
    assert_never(rounding)


def rounded_tensor(x: Tensor, node: Node, formats: Formats, rounding: Rounding) -> Tensor:
    """The tensor `x` of a node in its format; as it is where it has none.

    Averages are rounded half up whatever `rounding` says, as in hardware; a maximum and a selection
    are of rounded numbers already.
    """
    if node.name not in formats or isinstance(node, MaxPool | Select):
        return x
    rounding = Rounding.HALF_UP if isinstance(node, AvgPool | GlobalPool) else rounding
    return fake_quantise(x, formats[node.name], rounding)
