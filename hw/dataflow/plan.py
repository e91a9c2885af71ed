"""The plan: how each layer of a network is built. The YAML file a hardware designer edits.

A plan never changes a bit of the result; it chooses elements, parallelism, memory and FIFO depths.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from hw.console import write_atomic
from hw.dataflow.flow import contract as flow
from hw.dataflow.flow import deadlock
from hw.errors import InputError
from hw.ir.arithmetic import layer_guard
from hw.ir.graph import AvgPool, Conv, Linear, MaxPool, Node, Weighted
from hw.ir.network import Network

SCHEMA_VERSION = 1

ELEMENTS = ("barrel", "horner", "pool")
"""Processing elements: barrel shifters or a sorted Horner sum for weights; pools have their own."""

WEIGHTS = ("logic", "lutram", "block")
"""Where a layer's program of taps lies: a table in LUTs, LUT-RAM, or block RAM.

LUT-RAM is memory that the fabric writes, so it is there for loadable layers; those cannot be
tables.
"""

MAX_SCALE_EXPONENT = 64
MAX_BIAS_BITS = 128
"""Bounds of what a loadable layer may be asked to hold."""

MIN_FIFO_DEPTH = 2

_FIELDS = ("schema_version", "network", "board", "clock_mhz", "layers", "fifos")


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
    element: one of `ELEMENTS`; "pool" for max and average pools, and for nothing else
    pe: output channels computed in parallel, a divisor of them all; 1 unless a dense layer's barrel
    store: beats of the circular operand store, a power of two
    weights: one of `WEIGHTS`; without meaning for pools
    load: room for weights loaded at run time; None: the weights are fixed
    """

    element: str
    pe: int
    store: int
    weights: str = "logic"
    load: LoadPlan | None = None

    def as_dict(self) -> dict[str, Any]:
        """The fields that mean something for this element, in the plan file's order."""
        if self.element == "pool":
            return {"element": self.element, "store": self.store}
        entry: dict[str, Any] = {
            "element": self.element, "pe": self.pe, "store": self.store, "weights": self.weights
        }  # fmt: skip
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
    layers: an entry for each Conv, FactorizedReduce, Linear, MaxPool and AvgPool, by node name
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
        layers[name] = LayerPlan(**{**entry, "load": load})
    fifos = {name: tuple(depths) for name, depths in content["fifos"].items()}
    return Plan(content["network"], content["board"], content["clock_mhz"], layers, fifos)


def propose(
    network: Network, board: str, fps: float | None = None, luts: int | None = None, **options: Any
) -> Plan:
    """The planner's choice; see `hw.dataflow.planner.propose`."""
    # The planner asks the layers for their timing and they read this file: imported when called.
    from hw.dataflow import planner

    return planner.propose(network, board, fps=fps, luts=luts, **options)


def dumps(plan: Plan) -> str:
    """The plan as YAML text, always the same for equal plans."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "network": plan.network,
        "board": plan.board,
        "clock_mhz": plan.clock_mhz,
        "layers": {name: layer.as_dict() for name, layer in plan.layers.items()},
        "fifos": {name: list(depths) for name, depths in plan.fifos.items()},
    }
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100)


def save(plan: Plan, path: str | Path) -> None:
    """Writes the plan as YAML."""
    write_atomic(Path(path), dumps(plan))


def load(path: str | Path, network: Network | None = None) -> Plan:
    """Reads a plan and, where a network is given, checks that it fits it.

    Raises
    ------
    InputError: naming file, layer and field, what was expected and what to do
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such plan; `shiftnas plan` writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected a readable YAML file: {error}") from None
    plan = loads(text, str(path))
    if network is not None:
        check(plan, network, str(path))
    return plan


def check(plan: Plan, network: Network, source: str = "plan") -> None:
    """Raises InputError unless the network can be built, and runs, as planned.

    `source` names the plan in the message.
    """
    if plan.network != network.digest:
        raise InputError(
            f"{source}: network: made for the network {plan.network[:12]}…, this one is"
            f" {network.digest[:12]}…; run `shiftnas plan` again"
        )
    graph = network.graph
    engines = {node.name: node for node in graph if isinstance(node, flow.ENGINES)}
    joins = {node.name: node for node in graph if isinstance(node, flow.JOINS)}
    for field_name, planned, nodes in (
        ("layers", plan.layers, engines),
        ("fifos", plan.fifos, joins),
    ):
        for name in sorted(nodes.keys() - planned.keys()):
            raise InputError(f"{source}: {field_name}: {name}: missing; run `shiftnas plan` again")
        for name in sorted(planned.keys() - nodes.keys()):
            raise InputError(f"{source}: {field_name}: {name}: no such layer; remove the entry")
    for name, node in engines.items():
        _check_layer(network, node, plan.layers[name], f"{source}: layers: {name}")
        if isinstance(node, Weighted):
            _check_load(network, node, plan, f"{source}: layers: {name}")
    for name, node in joins.items():
        if len(plan.fifos[name]) != len(node.inputs):
            raise InputError(f"{source}: fifos: {name}: expected {len(node.inputs)} depths")
    stores = {name: layer.store for name, layer in plan.layers.items()}
    # As for the planner: imported when called.
    from hw.dataflow.flow.timing import pipelines

    held = pipelines(network, plan)
    least = deadlock.depths(graph, stores, MIN_FIFO_DEPTH, held)
    # Larger FIFOs never lock up; where one is smaller, another may be larger instead.
    if all(
        d >= least[name][k] for name, depths in plan.fifos.items() for k, d in enumerate(depths)
    ):
        return
    running = deadlock.repaired(graph, stores, plan.fifos, held)
    for name, depths in plan.fifos.items():
        for position, (given, needed) in enumerate(zip(depths, running[name], strict=True)):
            if given < needed:
                raise InputError(
                    f"{source}: fifos: {name}: input {position}: {given} beats lock the network up;"
                    f" give it {needed} or more"
                )


def _check_layer(network: Network, node: Node, layer: LayerPlan, where: str) -> None:
    pool = isinstance(node, MaxPool | AvgPool)
    if pool != (layer.element == "pool"):
        expected = "pool" if pool else "barrel or horner"
        raise InputError(f"{where}: element: expected {expected}, found {layer.element}")
    if layer.element == "horner" and layer_guard(network, node.name) is not None:
        raise InputError(
            f"{where}: element: horner needs exact products, the network has guard bits; use barrel"
        )
    if layer.pe > 1 and isinstance(node, Conv) and node.groups > 1:
        raise InputError(f"{where}: pe: expected 1 for a convolution in groups, found {layer.pe}")
    if node.shape[2] % layer.pe:
        raise InputError(
            f"{where}: pe: expected a divisor of {node.shape[2]} channels, found {layer.pe}"
        )
    least = flow.least_store(node, network.graph.in_shapes(node)[0])
    if layer.store < least:
        raise InputError(
            f"{where}: store: expected {flow.power_of_two(least)} or more, found {layer.store}"
        )


def has_scale(node: Node) -> bool:
    """Whether a weighted node's scales are its own: one with batch norm, and not a classifier."""
    return not isinstance(node, Linear) and not (isinstance(node, Conv) and not node.batch_norm)


def _check_load(network: Network, node: Node, plan: Plan, where: str) -> None:
    layer = plan.layers[node.name]
    load = layer.load
    if (load is not None) != plan.loadable:
        raise InputError(f"{where}: load: give it to all weighted layers or to none")
    if load is None:
        return
    least = node.shape[2] // layer.pe
    if load.words < least:
        raise InputError(
            f"{where}: load: words: expected {least} or more, one for each group of channels,"
            f" found {load.words}"
        )
    scaled = has_scale(node)
    for field_name, wanted in (("scale", scaled), ("bias", scaled or isinstance(node, Linear))):
        if (getattr(load, field_name) is not None) != wanted:
            problem = "missing" if wanted else "a layer without batch norm has none; remove it"
            raise InputError(f"{where}: load: {field_name}: {problem}")


def loads(text: str, source: str) -> Plan:
    """Parses a plan's YAML text; `source` names it in errors."""
    try:
        content = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise InputError(f"{source}: expected YAML: {_one_line(error)}") from None
    top = _mapping(content, source, required=_FIELDS)
    version = _integer(top["schema_version"], f"{source}: schema_version", least=1)
    if version > SCHEMA_VERSION:
        raise InputError(
            f"{source}: schema_version: {version} is newer than {SCHEMA_VERSION}, the newest known"
            " here; update shiftnas or run `shiftnas plan` again"
        )
    network, board = top["network"], top["board"]
    if not isinstance(network, str) or not re.fullmatch(r"[0-9a-f]{64}", network):
        raise InputError(f"{source}: network: expected a digest of 64 hexadecimal digits")
    if not isinstance(board, str) or not board:
        raise InputError(f"{source}: board: expected a board's name")
    clock = top["clock_mhz"]
    if isinstance(clock, bool) or not isinstance(clock, int | float) or not 0 < clock <= 1000:
        raise InputError(f"{source}: clock_mhz: expected a number in (0, 1000], found {clock!r}")
    layers = {
        name: _layer(entry, f"{source}: layers: {name}")
        for name, entry in _mapping(top["layers"], f"{source}: layers").items()
    }
    fifos = {}
    for name, depths in _mapping(top["fifos"], f"{source}: fifos").items():
        where = f"{source}: fifos: {name}"
        if not isinstance(depths, list) or len(depths) < 1:
            raise InputError(f"{where}: expected a list of depths, one for each input")
        fifos[name] = tuple(
            _integer(depth, f"{where}: input {position}", least=MIN_FIFO_DEPTH)
            for position, depth in enumerate(depths)
        )
    return Plan(network, board, float(clock), layers, fifos)


class _Loader(yaml.SafeLoader):
    """Refuses a key given twice: of two edits only one would count."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                problem = f"key {key.value!r} is given twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def _one_line(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return " ".join(str(error).split())


def _layer(entry: Any, where: str) -> LayerPlan:
    given = _mapping(
        entry, where, required=("element", "store"), optional=("pe", "weights", "load")
    )
    element = _choice(given["element"], f"{where}: element", ELEMENTS)
    store = _integer(given["store"], f"{where}: store", least=1)
    if store & (store - 1):
        raise InputError(f"{where}: store: expected a power of two, found {store}")
    if element == "pool":
        for name in ("pe", "weights", "load"):
            if name in given:
                raise InputError(f"{where}: {name}: a pool has none; remove it")
        return LayerPlan(element, 1, store)
    for name in ("pe", "weights"):
        if name not in given:
            raise InputError(f"{where}: {name}: missing")
    pe = _integer(given["pe"], f"{where}: pe", least=1)
    if element == "horner" and pe != 1:
        raise InputError(f"{where}: pe: expected 1 for a horner element, found {pe}")
    weights = _choice(given["weights"], f"{where}: weights", WEIGHTS)
    if "load" not in given:
        if weights == "lutram":
            raise InputError(
                f"{where}: weights: lutram is for loadable layers, fixed weights would be a table"
                " in LUTs anyway; use logic"
            )
        return LayerPlan(element, pe, store, weights)
    if weights == "logic":
        raise InputError(
            f"{where}: weights: loadable weights need a memory; use lutram or block, or remove load"
        )
    return LayerPlan(element, pe, store, weights, _load(given["load"], f"{where}: load"))


def _load(entry: Any, where: str) -> LoadPlan:
    optional = tuple(one.name for one in fields(LoadPlan) if one.name != "words")
    given = _mapping(entry, where, required=("words",), optional=optional)
    words = _integer(given["words"], f"{where}: words", least=1)
    scale, bias = given.get("scale"), given.get("bias")
    if scale is not None:
        if not isinstance(scale, list) or len(scale) != 2:
            raise InputError(f"{where}: scale: expected two exponents, the smallest and largest")
        low, high = (_integer(end, f"{where}: scale", least=-MAX_SCALE_EXPONENT) for end in scale)
        if not low <= high <= MAX_SCALE_EXPONENT:
            raise InputError(
                f"{where}: scale: expected rising exponents up to {MAX_SCALE_EXPONENT},"
                f" found {low} and {high}"
            )
        scale = low, high
    if bias is not None and _integer(bias, f"{where}: bias", least=1) > MAX_BIAS_BITS:
        raise InputError(f"{where}: bias: expected up to {MAX_BIAS_BITS} bits, found {bias}")
    return LoadPlan(words, scale, bias)


def _mapping(
    value: Any, where: str, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    if not isinstance(value, dict) or any(not isinstance(key, str) for key in value):
        raise InputError(f"{where}: expected a mapping with names as keys")
    for name in required:
        if name not in value:
            raise InputError(f"{where}: {name}: missing")
    if required:
        for name in value:
            if name not in required + optional:
                known = ", ".join(required + optional)
                raise InputError(f"{where}: {name}: unknown field; known ones are {known}")
    return value


def _integer(value: Any, where: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{where}: expected an integer of at least {least}, found {value!r}")
    return value


def _choice(value: Any, where: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise InputError(f"{where}: expected one of {', '.join(choices)}, found {value!r}")
    return value
