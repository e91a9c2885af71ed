"""P-DARTS: its stages, the candidates kept, dropout behind skips, few skips in the result."""

import math

import pytest
import torch
from paper_space import CELL, EDGES

from nas.cell import ZERO
from nas.config import load_config
from nas.search_config import PdartsConfig, SearchConfig
from nas.strategies.derivation import derive
from nas.strategies.pdarts import Pdarts, derive_with_few_skips, strongest_candidates

SKIP, SEP = "skip_connect", "sep_conv_3x3"
FEW = CELL.on_every_edge((SEP, SKIP, ZERO))


def skips_of(genotype):
    return [
        (j // 2, state) for j, (operation, state) in enumerate(genotype.normal) if operation == SKIP
    ]


def test_three_stages_as_in_the_paper():
    config = load_config(None, ("search.strategy=pdarts",)).search
    strategy = Pdarts(config)
    stages = [(s.name, s.cells, s.warmup, s.epochs, s.level) for s in strategy.stages]
    assert stages == [
        ("stage1", 5, 10, 15, "bilevel"),
        ("stage2", 11, 10, 15, "bilevel"),
        ("stage3", 17, 10, 15, "bilevel"),
    ]
    counts, candidates = [], strategy.start
    for index in range(3):
        counts.append({len(edge) for cell in candidates for edge in cell})
        candidates = strategy.architecture(index, candidates).retained()
    assert counts == [{8}, {5}, {3}]


def test_an_edge_keeps_its_strongest():
    generator = torch.Generator().manual_seed(0)
    names = tuple("abcdefgh")
    alpha = torch.randn(2, len(EDGES), 8, generator=generator)
    kept = strongest_candidates(CELL.on_every_edge(names), alpha, 5)
    for kind in (0, 1):
        for edge in range(len(EDGES)):
            values = dict(zip(names, alpha[kind, edge].tolist(), strict=True))
            ranked = sorted(names, key=lambda name, values=values: -values[name])
            assert kept[kind][edge] == tuple(sorted(ranked[:5]))


def test_dropout_fades_by_step_as_it_does_by_epoch_in_the_authors_code():
    """There: p·(25 - e - 1)/25 in the warm-up's 10 epochs, p·exp(-0.2·(e - 10)) after them."""
    strategy = Pdarts(load_config(None, ("search.strategy=pdarts",)).search)
    for index, first in enumerate((0.0, 0.4, 0.7)):
        architecture, stage = strategy.architecture(index, strategy.start), strategy.stages[index]
        moments = {
            (epoch, half): stage.moment(epoch, half, lambda _: 2)
            for epoch in (0, 9, 10, 24)
            for half in (0, 1)
        }
        rates = {at: architecture.skip_dropout(moment) for at, moment in moments.items()}
        assert rates == pytest.approx(
            {
                (0, 0): first,
                (0, 1): first * 49 / 50,
                (9, 0): first * 32 / 50,
                (9, 1): first * 31 / 50,
                (10, 0): first,
                (10, 1): first * math.exp(-0.1),
                (24, 0): first * math.exp(-2.8),
                (24, 1): first * math.exp(-2.9),
            }
        )


def hand_made(skip_at_4):
    """Shares (sep, skip, zero): skips win both edges of node 0, and edge 2 into node 1."""
    shares = torch.zeros(2, len(EDGES), 3)
    shares[..., 0] = 0.1
    for node in range(4):
        for edge in CELL.node_edges(node)[:2]:
            shares[:, edge, 0] = 0.5
    shares[0, 0], shares[0, 1] = torch.tensor([0.10, 0.8, 0.1]), torch.tensor([0.1, 0.7, 0.2])
    shares[0, 2], shares[0, 3] = torch.tensor([0.05, 0.6, 0.3]), torch.tensor([0.5, 0.0, 0.5])
    shares[0, 4] = torch.tensor([0.02, 0.4, 0.5] if skip_at_4 else [0.4, 0.02, 0.5])
    return shares


def test_the_weakest_skip_gives_way_and_the_cell_is_derived_again():
    shares = hand_made(skip_at_4=False)
    assert skips_of(derive(FEW, shares)) == [(0, 0), (0, 1), (1, 0)]
    genotype = derive_with_few_skips(FEW, shares, 2)
    assert genotype.normal[:4] == ((SKIP, 0), (SKIP, 1), (SEP, 1), (SEP, 2))
    genotype = derive_with_few_skips(FEW, shares, 1)
    assert genotype.normal[:4] == ((SKIP, 0), (SEP, 1), (SEP, 1), (SEP, 2))
    assert skips_of(derive_with_few_skips(FEW, shares, 0)) == []


def test_a_skip_that_comes_in_its_place_counts_too():
    genotype = derive_with_few_skips(FEW, hand_made(skip_at_4=True), 2)
    assert genotype.normal[:4] == ((SKIP, 0), (SKIP, 1), (SEP, 0), (SEP, 1))


@pytest.mark.parametrize("seed", range(10))
def test_never_more_skips_than_allowed_and_the_reduction_cell_is_left_alone(seed):
    generator = torch.Generator().manual_seed(seed)
    shares = torch.randn(2, len(EDGES), 3, generator=generator)
    shares[..., 1] += 1.5
    shares, before = shares.softmax(-1), shares.softmax(-1)
    free, found = derive(FEW, shares), derive_with_few_skips(FEW, shares, 2)
    assert torch.equal(shares, before)
    assert len(skips_of(free)) > 2 >= len(skips_of(found))
    assert found.reduce == free.reduce


def test_where_there_is_nothing_but_skips_they_stay():
    only = CELL.on_every_edge((SKIP, ZERO))
    shares = torch.full((2, len(EDGES), 2), 0.5)
    assert len(skips_of(derive_with_few_skips(only, shares, 2))) == 8


def test_its_cells_stand_for_those_of_the_search():
    config = SearchConfig(cells=8, pdarts=PdartsConfig((2, 3), (4,), (0.0, 0.5)))
    assert [stage.cells for stage in Pdarts(config).stages] == [2, 3]
