"""The search space as configured: nodes of a cell, candidates of each kind of cell."""

import json

import pytest
import torch
from interrupted import without_times

from hw.errors import InputError
from hw.networks.space import OPERATIONS, PAPER_CANDIDATES, has_weights
from hw.report.log import read
from nas.cell import present, search_space
from nas.config import load_config
from nas.search import search
from nas.search_config import SearchConfig
from nas.strategies.registry import STRATEGIES, make_strategy

SMALL = (
    "search.images=64",
    "search.cells=2",
    "search.channels=1",
    "search.pdarts.cells=[1,1,2]",
    "search.pdarts.candidates=[3,2]",
    "search.random.samples=2",
)
NORMAL, REDUCTION = (
    ("sep_conv_3x3", "max_pool_3x3", "skip_connect"),
    ("dil_conv_5x5", "avg_pool_3x3"),
)
OF_ONE_GROUP = {
    "convolutions": ("sep_conv_3x3", "conv_7x1_1x7", "sep_conv_7x7"),
    "no weights": ("avg_pool_3x3", "max_pool_3x3", "skip_connect"),
}


def space(normal, reduction=None, nodes=4):
    settings = [f"search.nodes={nodes}", f"search.candidates.normal=[{', '.join(normal)}]"]
    if reduction is not None:
        settings.append(f"search.candidates.reduction=[{', '.join(reduction)}]")
    return tuple(settings)


def searched(folder, *settings):
    """The genotype found; the log is one that a report can read."""
    genotype = search("digits", folder, load_config("tiny", (*SMALL, *settings)))
    assert len(read(folder / "log.jsonl")) > 0
    return genotype


def operations(edges):
    return {operation for operation, _ in edges}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("nodes", [1, 3])
def test_each_kind_of_cell_is_found_among_its_own_candidates(tmp_path, strategy, nodes):
    """Three in the normal cell and two in the reduction cell: edges of different lengths."""
    settings = (f"search.strategy={strategy}", *space(NORMAL, REDUCTION, nodes))
    genotype = searched(tmp_path / "run", *settings)
    assert len(genotype.normal) == len(genotype.reduce) == 2 * nodes
    assert genotype.normal_concat == genotype.reduce_concat == tuple(range(2, 2 + nodes))
    assert operations(genotype.normal) <= set(NORMAL)
    assert operations(genotype.reduce) <= set(REDUCTION)


@pytest.mark.parametrize("names", OF_ONE_GROUP.values(), ids=OF_ONE_GROUP)
@pytest.mark.parametrize("strategy", ["shiftnas", "dots", "darts"])
def test_one_of_the_two_groups_may_be_empty(tmp_path, strategy, names):
    settings = (f"search.strategy={strategy}", *space(names, nodes=2))
    genotype = searched(tmp_path / "run", *settings)
    assert operations((*genotype.normal, *genotype.reduce)) <= set(names)


def test_the_defaults_are_the_papers_space():
    normal, reduction = search_space(SearchConfig())
    assert normal == reduction == (PAPER_CANDIDATES,) * 14


def test_a_space_written_out_is_the_same_search(tmp_path):
    searched(tmp_path / "plain")
    searched(tmp_path / "written", *space(PAPER_CANDIDATES, PAPER_CANDIDATES))
    plain, written = (
        [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("plain", "written")
    )
    assert without_times(plain) == without_times(written)


def test_in_which_order_candidates_are_listed_within_a_group_alone_counts(tmp_path):
    mixed = ("max_pool_3x3", "sep_conv_3x3", "skip_connect", "dil_conv_3x3")
    sorted_ = tuple(sorted(mixed, key=lambda name: not has_weights(name)))
    assert mixed != sorted_
    found = [searched(tmp_path / str(n), *space(names)) for n, names in enumerate((mixed, sorted_))]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            space(("sep_conv_9x9",)),
            "search.candidates.normal: 'sep_conv_9x9' is not known; use one of sep_conv_3x3, ",
        ),
        (space(NORMAL, ("zero",)), "search.candidates.reduction: 'zero' is not known"),
        (space(()), "search.candidates.normal: expected one operation or more, each once"),
        (
            space(("skip_connect",) * 2),
            "each once, found ['skip_connect', 'skip_connect']",
        ),
        (("search.candidates.normal=skip_connect",), "candidates.normal: expected a list, found"),
        (("search.candidates.reduction=3",), "candidates.reduction: expected a list, found 3"),
        (("search.candidates.normal=null",), "candidates.normal: expected a list, found None"),
        (("search.nodes=0",), "search.nodes: expected at least 1, found 0"),
        (
            ("search.strategy=pdarts", *space(NORMAL)),
            "search.pdarts.candidates: expected at most the 4 operations",
        ),
    ],
)
def test_what_is_no_space_is_refused_by_its_field(settings, message):
    with pytest.raises(InputError) as caught:
        load_config("tiny", settings)
    assert message in str(caught.value)


def test_every_operation_may_be_a_candidate(tmp_path):
    genotype = searched(tmp_path / "run", *space(OPERATIONS, nodes=2))
    assert len(genotype.normal) == 4


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_an_edge_does_not_have_gets_no_share(strategy):
    """The reduction cell has fewer candidates: its softmaxes are over those alone."""
    settings = (*SMALL, f"search.strategy={strategy}", *space(NORMAL, REDUCTION))
    found = make_strategy(load_config("tiny", settings).search)
    candidates = found.start
    for index, stage in enumerate(found.stages):
        architecture, moment = found.architecture(index, candidates), stage.moment(0)
        shares = architecture.coefficients(moment).detach()
        there = present(architecture.candidates)
        assert shares.shape == there.shape
        assert not shares[~there].any() and shares[there].gt(0).all()
        # One for each softmax, two groups of operations in an operation search, the skip of
        # DARTS- beside them; what weighs the edges of a topology search is a node's.
        total = shares.sum(-1)
        if stage.name != "topology":
            assert torch.allclose(total, total[0, 0].round().expand_as(total), atol=1e-6)
        for _ in range(50):
            chosen = architecture.mixture(moment)[1]
            assert chosen is None or (chosen.shape == there.shape and not chosen[~there].any())
        candidates = architecture.retained()
