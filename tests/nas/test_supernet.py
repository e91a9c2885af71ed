"""The supernet computes what the evaluation network of a genotype computes, edge by edge."""

import pytest
import torch
from paper_space import CONV_OPERATIONS, EDGES, operation_architecture

from hw.networks.cells import build, skeleton
from hw.networks.space import Genotype
from nas.model import GraphModel, PoolUnit, image_tensor
from nas.shift import ShiftSettings, ShiftWeight
from nas.supernet import Supernet

SIZES = {"channels": 2, "cells": 4, "image": (9, 8, 1), "classes": 3}
GENOTYPE = Genotype(
    normal=(
        ("sep_conv_3x3", 0),
        ("dil_conv_5x5", 1),
        ("skip_connect", 0),
        ("sep_conv_5x5", 2),
        ("dil_conv_3x3", 1),
        ("max_pool_3x3", 3),
        ("sep_conv_3x3", 0),
        ("dil_conv_5x5", 4),
    ),
    normal_concat=(2, 3, 4, 5),
    reduce=(
        ("skip_connect", 0),
        ("sep_conv_5x5", 1),
        ("avg_pool_3x3", 0),
        ("skip_connect", 1),
        ("dil_conv_3x3", 2),
        ("skip_connect", 3),
        ("dil_conv_5x5", 0),
        ("sep_conv_3x3", 4),
    ),
    reduce_concat=(2, 3, 4, 5),
)


def positions(edges):
    """Positions in the supernet's cell of a genotype's edges."""
    return [EDGES.index((state, j // 2)) for j, (_, state) in enumerate(edges)]


def paired():
    """A supernet, an evaluation network with the same weights, the one-hot mixture between them."""
    torch.manual_seed(0)
    candidates = operation_architecture().candidates
    supernet = Supernet(skeleton(**SIZES), candidates, ShiftSettings())
    model = GraphModel(build(GENOTYPE, **SIZES))
    for unit in model.units.values():
        if isinstance(unit, PoolUnit):
            unit.norm = torch.nn.BatchNorm2d(unit.node.shape[2], affine=False)
    for name, unit in supernet.units.items():
        model.units[name].load_state_dict(unit.state_dict(), strict=False)
    coefficients = torch.zeros(2, len(EDGES), len(candidates[0][0]))
    for reduction, edges in enumerate((GENOTYPE.normal, GENOTYPE.reduce)):
        for position, (operation, _) in zip(positions(edges), edges, strict=True):
            coefficients[reduction, position, candidates[0][0].index(operation)] = 1.0
    for cell in supernet.skeleton.cells:
        edges = GENOTYPE.edges(cell.reduction)
        for j, (operation, state) in enumerate(edges):
            wide = supernet.operations[f"{cell.name}/state{state}_{operation}"]
            holders = [position for position, edge in enumerate(EDGES) if edge[0] == state]
            index = holders.index(positions(edges)[j])
            nodes = cell.edge_nodes(j, operation, state, "state")
            for node, step in zip(nodes, wide.steps, strict=True):
                if hasattr(step, "weight"):
                    weight = model.units[node.name].conv.weight
                    weight.power.data.copy_(step.weight.power.data[index])
                    weight.sign.data.copy_(step.weight.sign.data[index])
    return supernet, model, coefficients


def test_one_hot_mixture_is_the_evaluation_network():
    supernet, model, coefficients = paired()
    pixels = torch.randint(0, 256, (6, 9, 8, 1), dtype=torch.uint8)
    x = image_tensor(pixels)
    torch.testing.assert_close(
        supernet.double()(x.double(), coefficients.double()), model.double()(x.double())
    )


def test_gradient_of_the_mixing_weights_is_that_of_finite_differences():
    supernet, _, coefficients = paired()
    supernet.double()
    x = image_tensor(torch.randint(0, 256, (4, 9, 8, 1), dtype=torch.uint8)).double()
    coefficients = (coefficients.double() + 0.3).requires_grad_()
    loss = supernet(x, coefficients).square().sum()
    loss.backward()
    for index in ((0, 0, 1), (0, 13, 6), (1, 4, 4), (1, 12, 0)):
        step = torch.zeros_like(coefficients)
        step[index] = 1e-6
        with torch.no_grad():
            rise = supernet(x, coefficients + step).square().sum()
            rise -= supernet(x, coefficients - step).square().sum()
        assert float(coefficients.grad[index]) == pytest.approx(float(rise) / 2e-6, rel=1e-3)


def test_candidates_may_differ_from_edge_to_edge():
    pairs = tuple(
        (CONV_OPERATIONS[k % 4], ("max_pool_3x3", "skip_connect")[k % 2]) for k in range(len(EDGES))
    )
    supernet = Supernet(skeleton(**SIZES), (pairs, pairs[::-1]), ShiftSettings())
    x = image_tensor(torch.randint(0, 256, (4, 9, 8, 1), dtype=torch.uint8))
    coefficients = torch.rand(2, len(EDGES), 2).requires_grad_()
    supernet(x, coefficients).sum().backward()
    assert (coefficients.grad != 0).all()


def test_zero_adds_nothing():
    candidates = operation_architecture(zero=True).candidates
    torch.manual_seed(0)
    supernet = Supernet(skeleton(**SIZES), candidates, ShiftSettings())
    x = image_tensor(torch.randint(0, 256, (4, 9, 8, 1), dtype=torch.uint8))
    coefficients = torch.rand(2, len(EDGES), 8)
    more = coefficients.clone()
    more[..., -1] += 1
    assert torch.equal(supernet(x, coefficients), supernet(x, more))


def test_only_the_chosen_candidates_are_computed():
    supernet, _, _ = paired()
    x = image_tensor(torch.randint(0, 256, (4, 9, 8, 1), dtype=torch.uint8))
    full = torch.rand(2, len(EDGES), 7)
    chosen = torch.rand_like(full) < 0.3  # none of some edges, several of others
    expected = supernet(x, full * chosen)
    torch.testing.assert_close(supernet(x, full, chosen), expected, atol=1e-5, rtol=1e-5)


def test_a_node_whose_edges_are_all_zero_is_zero():
    candidates = operation_architecture(zero=True).candidates
    supernet = Supernet(skeleton(**SIZES), candidates, ShiftSettings())
    x = image_tensor(torch.randint(0, 256, (4, 9, 8, 1), dtype=torch.uint8))
    coefficients = torch.rand(2, len(EDGES), 8)
    nothing = torch.zeros_like(coefficients, dtype=torch.bool)
    still = supernet(x, coefficients, nothing)
    assert torch.equal(still, supernet(x, torch.zeros_like(coefficients), nothing))


def test_skip_dropout_acts_behind_skips_in_training_alone():
    torch.manual_seed(0)
    skips = (("skip_connect",),) * len(EDGES)
    supernet = Supernet(skeleton(**SIZES), (skips, skips), ShiftSettings())
    x = image_tensor(torch.randint(0, 256, (4, 9, 8, 1), dtype=torch.uint8))
    coefficients = torch.ones(2, len(EDGES), 1)
    before = supernet(x, coefficients)
    supernet.skip_dropout = 0.5
    assert not torch.equal(supernet(x, coefficients), before)
    supernet.eval()
    still = supernet(x, coefficients)
    supernet.skip_dropout = 0.0
    assert torch.equal(supernet(x, coefficients), still)


def test_real_domain_has_no_shift_weights():
    frame = skeleton(**SIZES)
    supernet = Supernet(frame, operation_architecture().candidates, ShiftSettings(), "real")
    assert not any(isinstance(module, ShiftWeight) for module in supernet.modules())
