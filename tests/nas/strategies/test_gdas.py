"""GDAS: what is sampled, its gradient, its temperature, and resumption of a sampled search."""

import json
import math
from collections import Counter

import pytest
import torch
from paper_space import EDGES

from nas import search as searching
from nas.cell import ZERO
from nas.config import load_config
from nas.journal import UNREPEATABLE
from nas.search import search
from nas.search_config import GdasConfig, SearchConfig
from nas.strategies.gdas import Gdas, gumbel
from nas.strategies.strategy import Moment


def architecture(**settings):
    strategy = Gdas(SearchConfig(zero=True, **settings))
    return strategy.architecture(0, strategy.start)


def test_candidates_are_drawn_as_the_softmax_says():
    torch.manual_seed(3)
    mixing = architecture()
    mixing.alpha.data = torch.randn(8).expand(2, len(EDGES), 8).clone()
    draws = 200
    counts = Counter()
    for _ in range(draws):
        # The temperature changes gradients, not what is drawn.
        _, chosen = mixing.mixture(Moment(0, 2))
        assert chosen.sum(-1).eq(1).all()
        counts.update(chosen.long().argmax(-1).flatten().tolist())
    total = draws * 2 * len(EDGES)
    expected = [total * p for p in mixing.alpha[0, 0].softmax(-1).tolist()]
    statistic = sum((counts[k] - e) ** 2 / e for k, e in enumerate(expected))
    assert statistic < 24.3  # the 99.9% quantile of chi-square with 7 degrees of freedom


def test_mean_and_variance_of_the_noise():
    torch.manual_seed(0)
    noise = gumbel(torch.Size((100_000,)))
    assert float(noise.mean()) == pytest.approx(0.5772, abs=0.02)
    assert float(noise.var()) == pytest.approx(math.pi**2 / 6, rel=0.03)


def test_the_chosen_one_counts_fully():
    torch.manual_seed(1)
    coefficients, chosen = architecture().mixture(Moment(0, 5))
    torch.testing.assert_close(coefficients, chosen.float())


def test_gradient_is_that_of_the_softened_draw():
    """d h_k / d alpha_j = s_k (delta_kj - s_j) / T, s the softmax of (log p + o) / T."""
    mixing, moment = architecture(), Moment(1, 3)
    mixing.alpha.data = torch.randn(2, len(EDGES), 8)
    torch.manual_seed(5)
    coefficients, chosen = mixing.mixture(moment)
    slopes = torch.randn(2, len(EDGES))
    (coefficients[chosen].view(2, -1) * slopes).sum().backward()
    torch.manual_seed(5)
    noise = gumbel(torch.Size((2, len(EDGES), 8)))
    heat = (10 + 0.1) / 2
    for kind, edge in ((0, 0), (1, 7), (0, 13)):
        alpha, o = mixing.alpha[kind, edge].tolist(), noise[kind, edge].tolist()
        total = sum(math.exp(a) for a in alpha)
        powers = [
            math.exp((math.log(math.exp(a) / total) + n) / heat)
            for a, n in zip(alpha, o, strict=True)
        ]
        s = [power / sum(powers) for power in powers]
        k, slope = int(chosen[kind, edge].long().argmax()), float(slopes[kind, edge])
        by_hand = [slope * s[k] * ((k == j) - s[j]) / heat for j in range(8)]
        assert mixing.alpha.grad[kind, edge].tolist() == pytest.approx(by_hand, rel=1e-3, abs=1e-7)


def test_temperature_falls_linearly():
    mixing = architecture(gdas=GdasConfig(10.0, 0.1))
    temperatures = [mixing.temperature(Moment(epoch, 5)) for epoch in range(5)]
    assert temperatures == pytest.approx([10, 7.525, 5.05, 2.575, 0.1])
    assert mixing.shares(Moment(4, 5))["temperature"] == pytest.approx(0.1)


def test_derived_by_argmax_without_zero():
    mixing = architecture()
    mixing.alpha.data[:] = 0
    mixing.alpha.data[..., 7] = 5  # zero
    mixing.alpha.data[0, :, 2] = 1
    mixing.alpha.data[1, :, 6] = 1
    genotype = mixing.genotype()
    assert mixing.candidates[0][0][7] == ZERO
    assert {operation for operation, _ in genotype.normal} == {"dil_conv_3x3"}
    assert {operation for operation, _ in genotype.reduce} == {"skip_connect"}


class InterruptedRun(Exception):
    """Stands for Ctrl-C in the middle of a run."""


def test_cut_short_it_ends_as_in_a_piece(tmp_path, monkeypatch):
    settings = ("search.strategy=gdas", "search.images=64", "search.cells=1", "search.epochs=3")
    config = load_config("tiny", settings)
    expected = search("digits", tmp_path / "whole", config)
    original, seen = searching._Searcher._epoch, []

    def stopping(*arguments):
        if len(seen) == 2:
            raise InterruptedRun
        seen.append(None)
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(searching._Searcher, "_epoch", stopping)
        with pytest.raises(InterruptedRun):
            search("digits", tmp_path / "cut", config)
    assert search("digits", tmp_path / "cut", config, resume=True) == expected
    logs = [
        [
            json.loads(line) | dict.fromkeys(UNREPEATABLE)
            for line in (tmp_path / name / "log.jsonl").read_text().splitlines()
        ]
        for name in ("whole", "cut")
    ]
    assert logs[0] == logs[1] and len(logs[0]) == 4
