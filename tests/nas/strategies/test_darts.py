"""DARTS: one softmax over all operations (eq. 3)."""

import math

import pytest
import torch
from paper_space import EDGES

from nas.cell import ZERO
from nas.search_config import DartsConfig, SearchConfig
from nas.strategies.darts import Darts
from nas.strategies.strategy import Moment


def test_one_softmax_over_all_operations():
    strategy = Darts(SearchConfig(zero=True))
    architecture = strategy.architecture(0, strategy.start)
    alpha = torch.randn(2, len(EDGES), 8)
    architecture.alpha.data = alpha
    coefficients = architecture.coefficients(Moment(0, 1))
    values = [math.exp(v) for v in alpha[1, 7].tolist()]
    expected = [v / sum(values) for v in values]
    assert coefficients[1, 7].tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("zero", [False, True])
def test_candidates(zero):
    strategy = Darts(SearchConfig(zero=zero))
    assert len(strategy.start[0][0]) == 7 + zero
    assert (ZERO in strategy.start[1][13]) == zero


@pytest.mark.parametrize("order", [1, 2])
def test_one_bilevel_stage(order):
    config = SearchConfig(warmup=2, epochs=5, darts=DartsConfig(order=order))
    (stage,) = Darts(config).stages
    assert (stage.level, stage.halves, stage.order) == ("bilevel", True, order)
    assert (stage.warmup, stage.epochs) == (2, 5)
