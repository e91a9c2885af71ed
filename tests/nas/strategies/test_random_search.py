"""Random search: what is drawn, and the choice by shared weights."""

from collections import Counter

import pytest
import torch
from paper_space import CELL, CONV_OPERATIONS, EDGES, NODES, TOPOLOGY_OPERATIONS

from hw.networks.cells import skeleton
from nas.cell import ZERO
from nas.config import load_config
from nas.model import image_tensor
from nas.search import search
from nas.search_config import RandomConfig, SearchConfig
from nas.shift import ShiftSettings
from nas.strategies.random_search import NONE, RandomArchitecture, RandomSearch, draw
from nas.strategies.strategy import Moment
from nas.supernet import Supernet

OPERATIONS = CONV_OPERATIONS + TOPOLOGY_OPERATIONS
MOMENT = Moment(0, 1)


def strategy(samples=1, **settings):
    return RandomSearch(SearchConfig(random=RandomConfig(samples), **settings))


def chi_square(counts, outcomes, draws):
    """Sum of (observed - expected)² / expected of equally likely outcomes."""
    expected = draws / outcomes
    return sum((counts[k] - expected) ** 2 / expected for k in range(outcomes))


def test_every_pair_of_edges_and_every_operation_is_equally_likely():
    start = strategy().start
    generator = torch.Generator().manual_seed(1)
    draws = [draw(start, generator) for _ in range(2000)]
    operations = Counter(k for d in draws for k in d[1] if k != NONE)
    # The 99.9% quantile of chi-square with 6 degrees of freedom is 22.5, with 9 it is 27.9.
    assert chi_square(operations, 7, 2000 * 2 * NODES) < 22.5
    last = CELL.edge_pairs(NODES - 1)
    kept = [
        tuple(e for e, _ in enumerate(EDGES) if d[0][e] != NONE and e in range(9, 14))
        for d in draws
    ]
    pairs = Counter(last.index(pair) for pair in kept)
    assert chi_square(pairs, len(last), 2000) < 27.9


def test_every_node_has_two_edges_and_no_operation_is_zero():
    settings = strategy(zero=True)
    architecture = settings.architecture(0, settings.start)
    for _ in range(50):
        genotype = architecture.genotype_of(draw(settings.start))
        for cell in (genotype.normal, genotype.reduce):
            assert all(operation != ZERO for operation, _ in cell)
            states = [state for _, state in cell]
            assert all(a != b for a, b in zip(states[::2], states[1::2], strict=True))


def test_a_genotype_holds_what_was_drawn():
    settings = strategy()
    chosen = [[NONE] * len(EDGES) for _ in range(2)]
    for node in range(NODES):
        for position, edge in enumerate(CELL.edge_pairs(node)[-1]):
            chosen[0][edge], chosen[1][edge] = position, 6 - position
    genotype = settings.architecture(0, settings.start).genotype_of(chosen)
    names = OPERATIONS[0], OPERATIONS[1], OPERATIONS[6], OPERATIONS[5]
    assert genotype.normal == tuple((names[k], node + k) for node in range(NODES) for k in (0, 1))
    assert genotype.reduce == tuple(
        (names[2 + k], node + k) for node in range(NODES) for k in (0, 1)
    )


def test_edges_not_drawn_are_not_computed():
    settings = strategy()
    architecture = settings.architecture(0, settings.start)
    torch.manual_seed(2)
    frame = skeleton(channels=2, cells=3, image=(8, 8, 1), classes=3)
    supernet = Supernet(frame, settings.start, ShiftSettings())
    x = image_tensor(torch.randint(0, 256, (4, 8, 8, 1), dtype=torch.uint8))
    ones, chosen = architecture.mixture(MOMENT)
    assert chosen.flatten(1).sum(-1).tolist() == [2 * NODES, 2 * NODES]
    torch.testing.assert_close(supernet(x, ones, chosen), supernet(x, chosen.float()))


def test_one_sample_trains_nothing_and_depends_on_the_seed_alone(tmp_path):
    found = []
    for name, settings in (
        ("a", ()),
        ("b", ("search.channels=4", "search.images=32")),
        ("c", ("seed=2",)),
    ):
        config = load_config("tiny", ("search.strategy=random", *settings))
        found.append(search("digits", tmp_path / name, config))
        assert (tmp_path / name / "log.jsonl").read_text() == ""
    assert found[0] == found[1] != found[2]


def test_more_samples_train_the_weights_and_keep_the_most_accurate():
    settings = strategy(samples=5, warmup=0, epochs=3, bilevel=False)
    (stage,) = settings.stages
    assert (stage.level, stage.epochs, stage.halves) == ("weights", 3, True)
    architecture = settings.architecture(0, settings.start)
    assert isinstance(architecture, RandomArchitecture)
    accuracies, seen = iter((0.2, 0.6, 0.1, 0.6, 0.3)), []

    def evaluate(coefficients, chosen):
        assert (coefficients == 1).all()
        chosen = chosen.tolist()
        positions = [[row.index(True) if any(row) else NONE for row in kind] for kind in chosen]
        seen.append(positions)
        return next(accuracies)

    torch.manual_seed(7)
    assert settings.choose(architecture, evaluate) == architecture.genotype_of(seen[1])
    assert len(seen) == 5 and architecture.genotype() == architecture.genotype_of(seen[0])


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A search with shared weights, in one piece."""
    folder = tmp_path_factory.mktemp("random") / "run"
    config = load_config("tiny", SHARED)
    return folder, search("digits", folder, config)


SHARED = ("search.strategy=random", "search.random.samples=3", "search.images=64", "search.cells=1")


def test_resumed_after_its_last_epoch_it_chooses_the_same(shared, tmp_path, monkeypatch):
    class Killed(Exception):
        pass

    def dying(*arguments):
        raise Killed

    config = load_config("tiny", SHARED)
    with monkeypatch.context() as patch:
        patch.setattr(RandomSearch, "choose", dying)
        with pytest.raises(Killed):
            search("digits", tmp_path / "run", config)
    assert search("digits", tmp_path / "run", config, resume=True) == shared[1]
