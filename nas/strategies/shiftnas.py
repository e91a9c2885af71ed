"""ShiftNAS: operation search by groups, then topology search (paper section 4.2)."""

from nas.cell import Candidates, search_space
from nas.search_config import SearchConfig
from nas.strategies.operation_search import OperationArchitecture, by_groups
from nas.strategies.strategy import Architecture, Level, Stage, Strategy
from nas.strategies.topology_search import TopologyArchitecture


class ShiftNas(Strategy):
    """Both stages; `search.topology: false` leaves the second out."""

    name = "shiftnas"

    def __init__(self, config: SearchConfig):
        self.config = config
        operation = Stage(
            "operation",
            config.operation_warmup,
            config.operation_epochs,
            halves=config.bilevel,
            arch_beta=config.arch_beta,
        )
        topology = Stage(
            "topology",
            config.topology_warmup,
            config.topology_epochs,
            level=Level.ONE_LEVEL,
            halves=False,
            half_warmup=config.topology_warmup_half,
            arch_beta=config.topology_arch_beta,
        )
        self.stages = (operation, topology) if config.topology else (operation,)
        self.start = by_groups(search_space(config))

    def architecture(self, index: int, candidates: Candidates) -> Architecture:
        if index == 0:
            return OperationArchitecture(candidates, self.config.arch_init)
        return TopologyArchitecture(candidates, self.config)
