"""Which strategies there are."""

import inspect
from dataclasses import is_dataclass

from hw.errors import InputError
from nas.search_config import SearchConfig
from nas.strategies.answers import require_whole
from nas.strategies.darts import Darts
from nas.strategies.darts_minus import DartsMinus
from nas.strategies.dots import Dots
from nas.strategies.gdas import Gdas
from nas.strategies.pdarts import Pdarts
from nas.strategies.random_search import RandomSearch
from nas.strategies.shiftnas import ShiftNas
from nas.strategies.strategy import Strategy

STRATEGIES: dict[str, type[Strategy]] = {
    s.name: s for s in (ShiftNas, Dots, Darts, Gdas, Pdarts, DartsMinus, RandomSearch)
}

"""By name."""


def register_strategy(strategy: type[Strategy]) -> None:
    """Add a strategy that `search.strategy` may name.

    Raises
    ------
    InputError: its name is taken or none; it lacks a method; its `Options` are no frozen dataclass
        with defaults
    """
    name = getattr(strategy, "name", None)
    if not isinstance(name, str) or not name.isidentifier():
        raise InputError(f"strategy {strategy.__name__}: name: expected an identifier")
    if name in STRATEGIES:
        raise InputError(f"strategy {name}: there is one of this name; choose another")
    if inspect.isabstract(strategy):
        missing = ", ".join(sorted(strategy.__abstractmethods__))
        raise InputError(f"strategy {name}: {strategy.__name__} lacks {missing}; define it")
    options = strategy.Options
    try:
        frozen = is_dataclass(options) and options.__dataclass_params__.frozen and bool([options()])
    except TypeError:
        frozen = False
    if not frozen:
        raise InputError(
            f"strategy {name}: Options: expected a dataclass, frozen, a default for each field"
        )
    STRATEGIES[name] = strategy


def make_strategy(config: SearchConfig) -> Strategy:
    """The strategy that `search.strategy` names.

    Raises
    ------
    InputError: it has no stages, or no candidates to begin with
    """
    strategy = STRATEGIES[config.strategy](config)
    require_whole(strategy)
    return strategy
