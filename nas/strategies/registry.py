"""Which strategies there are."""

from nas.search_config import SearchConfig
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


def make_strategy(config: SearchConfig) -> Strategy:
    """The strategy that `search.strategy` names."""
    return STRATEGIES[config.strategy](config)
