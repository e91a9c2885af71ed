"""What a strategy must answer, and what is said where it does not."""

import pytest
from own_plugins import forgotten

from hw.errors import InputError
from nas.config import load_config
from nas.search import search
from nas.strategies.random_search import RandomSearch
from nas.strategies.registry import make_strategy, register_strategy

SETTINGS = ("search.strategy=own", "search.images=16", "search.cells=1", "search.channels=2")


@pytest.fixture(autouse=True)
def registries():
    with forgotten():
        yield


def own(**members):
    """A strategy that is random search but for `members`."""
    named = {"name": "own", "__module__": __name__}
    register_strategy(type("Own", (RandomSearch,), {**named, **members}))
    return load_config("tiny", SETTINGS)


def with_attribute(name, value):
    def __init__(self, config):
        RandomSearch.__init__(self, config)
        setattr(self, name, value)

    return __init__


WHERE = f"strategy own: {__name__}.Own: "


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("stages", (), "stages: expected a tuple of one Stage or more, found ()"),
        ("stages", ("one",), "stages: expected a tuple of one Stage or more, found ('one',)"),
        ("start", None, "start: expected the candidates of two cells, a tuple of names an edge, "),
        ("start", ((), ()), "start: expected the candidates of two cells"),
    ],
)
def test_a_strategy_is_whole_before_anything_is_made(tmp_path, name, value, message):
    config = own(__init__=with_attribute(name, value))
    with pytest.raises(InputError) as caught:
        make_strategy(config.search)
    assert str(caught.value).startswith(WHERE + message)
    with pytest.raises(InputError):
        search("digits", tmp_path / "run", config)
    assert not (tmp_path / "run").exists()


def test_architectures_are_architectures(tmp_path):
    config = own(architecture=lambda self, index, candidates: 3)
    with pytest.raises(InputError) as caught:
        search("digits", tmp_path / "run", config)
    assert str(caught.value) == WHERE + "architecture(): expected an Architecture, found 3"


def test_a_genotype_is_chosen(tmp_path):
    config = own(choose=lambda self, last, evaluate: None)
    with pytest.raises(InputError) as caught:
        search("digits", tmp_path / "run", config)
    assert str(caught.value) == WHERE + "choose(): expected a Genotype, found None"


def test_candidates_are_retained(tmp_path):
    def two_stages(self, config):
        RandomSearch.__init__(self, config)
        self.stages += self.stages

    config = own(__init__=two_stages, retained=lambda self, last, evaluate: ["x" * 99])
    with pytest.raises(InputError) as caught:
        search("digits", tmp_path / "run", config)
    assert str(caught.value).startswith(WHERE + "retained(): expected the candidates of two cells")
    assert str(caught.value).endswith("found a list")
