"""A user's own model as what a run trains: its graph, so that nothing needs the user's code again.

It stands where a `hw.networks.conventional.Conventional` stands, with the same methods.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from hw.errors import InputError
from hw.ir.canonical import nodes_of
from hw.ir.graph import Graph, Shape
from hw.ir.serialize import graph_of
from hw.ir.validate import Reporter, check_graph

UNUSED = ("stem",)
"""Settings of a training that choose among variants, of which a user's model has none."""


@dataclass(frozen=True)
class Own:
    """A model of a user's own.

    Parameters
    ----------
    place: MODULE:FACTORY that made it, for people to read
    nodes: of its graph, valid
    """

    place: str
    nodes: Graph

    def __str__(self) -> str:
        return self.place

    @property
    def digest(self) -> str:
        """SHA-256 of its graph, by which it is known again."""
        text = json.dumps(nodes_of(self.nodes), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def graph(self, image: Shape, classes: int, stem: str) -> Graph:
        """Its graph; InputError where it is of other images or classes."""
        del stem
        found = self.nodes
        made_for = (found.input.shape, found.output.shape[2])
        if made_for != (image, classes):
            sides = ["x".join(map(str, shape)) for shape in (made_for[0], image)]
            raise InputError(
                f"{self.place}: made for images of {sides[0]} in {made_for[1]} classes; the data "
                f"has {sides[1]} in {classes}"
            )
        return found

    def to_mapping(self) -> dict[str, Any]:
        """Plain values: the nodes as `network.json` has them."""
        return {"own": self.place, "nodes": json.loads(json.dumps(nodes_of(self.nodes)))}

    @classmethod
    def from_mapping(cls, values: Any) -> "Own":
        """What `to_mapping` made; else InputError."""
        if not isinstance(values, dict) or values.keys() != {"own", "nodes"}:
            raise InputError(f"expected own and nodes, found {_short(values)}")
        place, nodes = values["own"], values["nodes"]
        if not isinstance(place, str) or not isinstance(nodes, list):
            raise InputError("own: expected the place of a factory, and in nodes a list")
        report = _Nodes()
        graph = graph_of(nodes, report)
        check_graph(graph, report)
        return cls(place, graph)


class _Nodes(Reporter):
    """Errors without the name of a file: these nodes lie in another one."""

    def network(self, field: str, problem: str) -> InputError:
        return InputError(" ".join(f"{field}: {problem}".split()))


def _short(values: Any) -> str:
    return ", ".join(map(str, values)) if isinstance(values, dict) else repr(values)[:60]
