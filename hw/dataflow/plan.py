"""The plan: how each layer of a network is built.

A plan never changes a bit of the result; it chooses elements, parallelism, memory and FIFO depths.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from hw.ir.graph import Add, AvgPool, Concat, Conv, FactorizedReduce, Linear, MaxPool, Select

ENGINES = (Conv, FactorizedReduce, Linear, MaxPool, AvgPool, Select)
"""Nodes with an operand store and an entry in a plan's `layers`."""

JOINS = (Add, Concat)
"""Nodes with a FIFO on each input and an entry in a plan's `fifos`."""


class ElementKind(StrEnum):
    """Processing elements: barrel shifters or a sorted Horner sum for weights; pools have their
    own."""

    BARREL = "barrel"
    HORNER = "horner"
    POOL = "pool"


class Place(StrEnum):
    """Where a layer's program of taps lies: a table in LUTs, LUT-RAM, or block RAM.

    LUT-RAM is memory that the fabric writes, so it is there for loadable layers; those cannot be
    tables.
    """

    LOGIC = "logic"
    LUTRAM = "lutram"
    BLOCK = "block"


MIN_FIFO_DEPTH = 2


@dataclass(frozen=True)
class LoadPlan:
    """What a loadable layer has room for, whichever weights are loaded into it.

    Parameters
    ----------
    words: taps of its program; the most that weights can need if all of them differ from zero
    scale: smallest and largest exponent of a scale's terms; None without batch norm
    bias: bits of a bias in output steps (in a classifier in steps of its sum); None without batch
        norm, unless a classifier
    """

    words: int
    scale: tuple[int, int] | None = None
    bias: int | None = None


@dataclass(frozen=True)
class LayerPlan:
    """How one engine (convolution, FactorizedReduce, classifier, max or average pool) is built.

    Parameters
    ----------
    element: POOL for max and average pools, and for nothing else
    pe: output channels computed in parallel, a divisor of them all; 1 unless a dense layer's barrel
    store: beats of the circular operand store, a power of two
    weights: where its program lies; without meaning for pools
    load: room for weights loaded at run time; None: the weights are fixed
    """

    element: ElementKind
    pe: int
    store: int
    weights: Place = Place.LOGIC
    load: LoadPlan | None = None

    def file_entry(self) -> dict[str, Any]:
        """The fields that mean something for this element, as the plan's file has them."""
        if self.element == ElementKind.POOL:
            return {"element": str(self.element), "store": self.store}
        entry: dict[str, Any] = {
            "element": str(self.element),
            "pe": self.pe,
            "store": self.store,
            "weights": str(self.weights),
        }
        if self.load is not None:
            entry["load"] = {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in asdict(self.load).items()
                if value is not None
            }
        return entry


@dataclass(frozen=True)
class Plan:
    """Choices for every layer of one network.

    Parameters
    ----------
    network: digest of the network planned
    board: name of the board, see `hw.board.boards`
    clock_mhz: the clock asked for
    layers: an entry for each node of `ENGINES`, by its name
    fifos: for each Add and Concat, the depth in beats (2 or more) of the FIFO on each of its inputs
    """

    network: str
    board: str
    clock_mhz: float
    layers: Mapping[str, LayerPlan] = field(default_factory=dict)
    fifos: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def loadable(self) -> bool:
        """Whether weights are loaded at run time: into all weighted layers, or none."""
        return any(layer.load is not None for layer in self.layers.values())

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the canonical form of the plan."""
        text = json.dumps(as_dict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def as_dict(plan: Plan) -> dict[str, Any]:
    """The plan as a mapping of JSON types; `load` only where a layer has it."""
    content = asdict(plan)
    for layer in content["layers"].values():
        if layer["load"] is None:
            del layer["load"]
    return json.loads(json.dumps(content))


def from_dict(content: Mapping[str, Any]) -> Plan:
    """The plan that `as_dict` made the mapping of."""
    layers = {}
    for name, entry in content["layers"].items():
        load = entry.get("load")
        if load is not None:
            scale = load["scale"]
            load = LoadPlan(**{**load, "scale": None if scale is None else tuple(scale)})
        kinds = {"element": ElementKind(entry["element"]), "weights": Place(entry["weights"])}
        layers[name] = LayerPlan(**{**entry, **kinds, "load": load})
    fifos = {name: tuple(depths) for name, depths in content["fifos"].items()}
    return Plan(content["network"], content["board"], content["clock_mhz"], layers, fifos)
