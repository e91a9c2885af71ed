"""A network: graph, formats, integer parameters. What the NETWORK folder holds, in memory."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hw.errors import InputError
from hw.ir import canonical
from hw.ir.format import Format
from hw.ir.graph import Graph
from hw.ir.parameters import Arithmetic, LayerParams


@dataclass(frozen=True)
class Network:
    """The contract between search, reference and hardware.

    `formats` has one entry a node of the (pruned) graph but for a Linear, whose format follows from
    its accumulator. `meta` is free, JSON-serialisable information: genotype, data set,
    preprocessing, accuracies.
    """

    graph: Graph
    formats: dict[str, Format]
    params: dict[str, LayerParams]
    arithmetic: Arithmetic = field(default_factory=Arithmetic)
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def content(self) -> dict[str, Any]:
        """The canonical document, without `meta` and what depends on how its arrays are packed."""
        stored = canonical.arrays(self.graph, self.params)
        return canonical.content(self.graph, self.formats, self.arithmetic, stored)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the canonical form of everything but `meta`."""
        return canonical.digest(self.content)

    def formats_for(self, graph: Graph, arithmetic: Arithmetic) -> dict[str, Format]:
        """The formats, for another network that is to fit hardware made for this one.

        Raises
        ------
        InputError: it has another graph or other arithmetic
        """
        for what, mine, other in (
            ("graph", self.graph, graph),
            ("arithmetic", self.arithmetic, arithmetic),
        ):
            if mine != other:
                raise InputError(
                    f"--formats: the network has another {what}; give one made with the same"
                    " genotype, sizes and number settings"
                )
        return dict(self.formats)
