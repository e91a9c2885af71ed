"""Which latent weights of the two sides stand for the same."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from straightforward.networks import EDGES
from straightforward.shift import ShiftLayer
from torch import nn

Pair = tuple[nn.Parameter, nn.Parameter, tuple]
"""A parameter of the straightforward network, one of the shipped, and the part of it meant."""


def _layers(module: nn.Module) -> list[ShiftLayer]:
    return [m for m in module.modules() if isinstance(m, ShiftLayer)]


def _match(plain: nn.Module, shipped: Iterable[Any], edge: tuple = ()) -> Iterator[Pair]:
    """Layers in order; one shipped weight may be several plain ones, output channel by channel."""
    layers = iter(_layers(plain))
    for weight in shipped:
        first, rows = 0, weight.power[edge].shape[0]
        while first < rows:
            layer = next(layers)
            part = slice(first, first + layer.power.shape[0])
            yield layer.power, weight.power, (*edge, part)
            yield layer.sign, weight.sign, (*edge, part)
            first = part.stop
    assert next(layers, None) is None


def _around(plain: Any, units: Any) -> Iterator[Pair]:
    yield from _match(plain.stem, [units["stem/conv"].conv.weight])
    for index, cell in enumerate(plain.cells):
        for state, preprocess in enumerate(cell.preprocess):
            unit = units[f"cell{index}/preprocess{state}"]
            yield from _match(preprocess, [unit.conv.weight])
    linear = units["classifier"].linear
    yield from _match(plain.classifier, [linear.weight])
    yield plain.classifier.bias, linear.bias, ()


def search_pairs(plain: Any, shipped: Any) -> Iterator[Pair]:
    """Of a search's `Network` and a `Supernet`."""
    yield from _around(plain, shipped.units)
    for index, cell in enumerate(plain.cells):
        for position, (state, _) in enumerate(EDGES):
            for name, operation in cell.edges[position].operations.items():
                holders = [
                    other
                    for other, (source, _) in enumerate(EDGES)
                    if source == state and name in cell.edges[other].operations
                ]
                wide = shipped.operations[f"cell{index}/state{state}_{name}"]
                weights = [step.weight for step in wide.steps if hasattr(step, "weight")]
                yield from _match(operation, weights, (holders.index(position),))


def training_pairs(plain: Any, shipped: Any) -> Iterator[Pair]:
    """Of an evaluation's `Network` and a `GraphModel`."""
    yield from _around(plain, shipped.units)
    for index, cell in enumerate(plain.cells):
        for position, operation in enumerate(cell.edges):
            prefix = f"cell{index}/edge{position}_"
            weights = [
                unit.conv.weight
                for name, unit in shipped.units.items()
                if name.startswith(prefix) and hasattr(unit, "conv")
            ]
            yield from _match(operation, weights)


@torch.no_grad()
def copy_weights(pairs: Iterable[Pair]) -> None:
    """Give the straightforward network the shipped one's weights."""
    for plain, shipped, part in pairs:
        plain.copy_(shipped[part])
