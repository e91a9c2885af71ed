"""The search space of the paper, which is what the settings' defaults say."""

from nas.cell import Cell, search_space
from nas.search_config import SearchConfig
from nas.strategies.operation_search import OperationArchitecture, groups_of

CELL = Cell(SearchConfig().nodes)
NODES, EDGES = CELL.nodes, CELL.edges
CONV_OPERATIONS, TOPOLOGY_OPERATIONS = groups_of(SearchConfig().candidates.normal)
"""O_c and O_t."""


def operation_architecture(zero: bool = False) -> OperationArchitecture:
    """Of the first stage."""
    return OperationArchitecture(search_space(SearchConfig(zero=zero)))
