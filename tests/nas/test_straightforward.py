"""The supernet against an independent implementation of the paper: same loss, same gradients.

`benchmarks/straightforward` has a module for each candidate of each edge, a wiring of its own and
leaves every gradient to autograd; `benchmarks/search_speed.py` measures the two against each other.
"""

from dataclasses import replace

import pytest
import torch
from speed.cases import (
    OPERATION,
    TOPOLOGY,
    TRAINING,
    Case,
    compare,
    equal_start,
    make_shipped,
    make_straightforward,
    weight_pairs,
)

CPU = torch.device("cpu")
STAGES = (OPERATION, TOPOLOGY, TRAINING)
# Both reductions, cells behind them, and odd sides.
CASE = Case("tiny", 3, 4, (10, 9, 2), STAGES)


def sides(stage, case=CASE):
    torch.manual_seed(0)
    return make_shipped(case, stage, CPU), make_straightforward(case, stage, CPU)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_loss_and_all_gradients_are_equal(stage):
    found = compare(*sides(stage), *CASE.batch(6, CPU))
    assert len(found) == (2 if stage is TRAINING else 3)
    assert max(found.values()) < 1e-11


def test_architecture_gradients_reach_normal_and_reduction_cells():
    shipped, straightforward = sides(OPERATION)
    compare(shipped, straightforward, *CASE.batch(6, CPU))
    for parameter in shipped.architecture.parameters():
        assert (parameter.grad.flatten(1).norm(dim=1) > 0).all()


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_steps_of_the_optimisers_are_equal(stage):
    case = replace(CASE, channels=2, cells=3)
    shipped, straightforward = sides(stage, case)
    equal_start(shipped, straightforward)
    batch = case.batch(6, CPU)
    for _ in range(2):
        losses = [
            [getattr(side, f"{step}_step")(*batch) for step in stage.steps]
            for side in (shipped, straightforward)
        ]
        assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    for plain, ours, part in weight_pairs(shipped, straightforward):
        torch.testing.assert_close(plain, ours[part], rtol=0, atol=1e-4)


def test_a_wrong_coefficient_is_noticed():
    shipped, straightforward = sides(OPERATION)
    exact = shipped.architecture.coefficients
    shipped.architecture.coefficients = lambda moment: exact(moment).roll(1, -1)
    found = compare(shipped, straightforward, *CASE.batch(6, CPU))
    assert min(found.values()) > 1e-4
