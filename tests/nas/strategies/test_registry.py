"""Strategies of one's own: registered with their options and defaults, or refused."""

from abc import abstractmethod
from dataclasses import dataclass

import pytest
import yaml
from own_plugins import forgotten

from hw.errors import InputError
from nas.config import from_values, load_config
from nas.decisive import decisive
from nas.origin import Origin
from nas.strategies.darts import Darts
from nas.strategies.registry import STRATEGIES, make_strategy, register_strategy


@dataclass(frozen=True)
class Options:
    """Of the strategy below."""

    rate: float = -0.5
    layers: tuple[int, ...] = (1, 2)
    name: str | None = None

    def __post_init__(self):
        if self.rate > 1:
            raise ValueError(f"rate: expected at most 1, found {self.rate}")


def own(**members):
    return type("Own", (Darts,), {"name": "own", "Options": Options, **members})


@pytest.fixture(autouse=True)
def registries():
    with forgotten():
        yield


def test_options_and_defaults_are_settings_like_others(tmp_path):
    register_strategy(own(defaults={"search": {"epochs": 7, "options": {"rate": 0}}}))
    config = load_config(None, ("search.strategy=own", "search.options.layers=[3]"))
    assert config.search.options == Options(0.0, (3,))
    assert config.search.epochs == 7
    assert load_config("tiny", ("search.strategy=own",)).search.epochs == 1
    assert isinstance(make_strategy(config.search), STRATEGIES["own"])
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml())
    assert load_config(path) == config
    assert from_values(yaml.safe_load(config.to_yaml()), Origin("here")) == config
    assert decisive(config, "search")["search.options.rate"] == 0


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("search.options.rat=1", "search.options.rat: not a field; expected one of layers, name, "),
        ("search.options.rate=fast", "search.options.rate: expected float, found 'fast'"),
        ("search.options.layers=3", "search.options.layers: expected a list, found 3"),
        ("search.options.rate=2", "search.options: rate: expected at most 1, found 2"),
        ("search.options=3", "search.options: expected a mapping"),
    ],
)
def test_wrong_options(setting, message):
    register_strategy(own())
    with pytest.raises(InputError) as caught:
        load_config(None, ("search.strategy=own", setting))
    assert message in str(caught.value)


def test_strategies_that_ship_have_sections_instead():
    with pytest.raises(InputError, match=r"options.rate: not a field; expected none"):
        load_config(None, ("search.options.rate=1",))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"name": "darts"}, "strategy darts: there is one of this name"),
        ({"name": "my own"}, "strategy Own: name: expected an identifier"),
        ({"name": None}, "strategy Own: name: expected an identifier"),
        (
            {"architecture": abstractmethod(Darts.architecture)},
            "strategy own: Own lacks architecture; define it",
        ),
        ({"Options": dict}, "strategy own: Options: expected a dataclass, frozen"),
        ({"Options": dataclass(type("Thawed", (), {}))}, "Options: expected a dataclass, frozen"),
        (
            {"Options": dataclass(frozen=True)(type("Bare", (), {"__annotations__": {"x": int}}))},
            "Options: expected a dataclass, frozen, a default for each field",
        ),
    ],
)
def test_what_is_no_strategy(members, message):
    before = dict(STRATEGIES)
    with pytest.raises(InputError) as caught:
        register_strategy(own(**members))
    assert message in str(caught.value)
    assert before == STRATEGIES


def test_an_unknown_strategy_lists_those_there_are():
    register_strategy(own())
    with pytest.raises(InputError, match=r"search.strategy: expected one of .*'random', 'own'"):
        load_config(None, ("search.strategy=more",))
