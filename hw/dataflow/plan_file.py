"""The plan's file: the YAML that a hardware designer edits, written and read.

What is read here is a plan in itself; whether a network can be built so is said by
`hw.dataflow.check`.
"""

import re
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import yaml

from hw import documents
from hw.dataflow.plan import MIN_FIFO_DEPTH, ElementKind, LayerPlan, LoadPlan, Place, Plan
from hw.errors import InputError
from hw.outputs import write_atomic

SCHEMA_VERSION = 1

MAX_BEATS = 1 << 24
"""Of a store or a FIFO, and words of a program: more than any FPGA holds."""

MAX_SCALE_EXPONENT = 64
MAX_BIAS_BITS = 128
"""Bounds of what a loadable layer may be asked to hold."""

_Choice = TypeVar("_Choice", bound=StrEnum)
_FIELDS = ("schema_version", "network", "board", "clock_mhz", "layers", "fifos")


def dumps(plan: Plan) -> str:
    """The plan as YAML text, always the same for equal plans."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "network": plan.network,
        "board": plan.board,
        "clock_mhz": plan.clock_mhz,
        "layers": {name: layer.file_entry() for name, layer in plan.layers.items()},
        "fifos": {name: list(depths) for name, depths in plan.fifos.items()},
    }
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100)


def save(plan: Plan, path: str | Path) -> None:
    """Writes the plan as YAML."""
    write_atomic(Path(path), dumps(plan))


def load(path: str | Path) -> Plan:
    """Reads a plan.

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
    return loads(text, str(path))


def loads(text: str, source: str) -> Plan:
    """Parses a plan's YAML text; `source` names it in errors."""
    try:
        content = documents.load_yaml(text)
    except yaml.YAMLError as error:
        raise InputError(f"{source}: expected YAML: {documents.reason(error)}") from None
    top = _mapping(content, source, required=_FIELDS, optional=("style",))
    if top.get("style", "dataflow") != "dataflow":
        raise InputError(f"{source}: style: {top['style']!r}; expected dataflow")
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
            _integer(depth, f"{where}: input {position}", MIN_FIFO_DEPTH, MAX_BEATS)
            for position, depth in enumerate(depths)
        )
    return Plan(network, board, float(clock), layers, fifos)


def _layer(entry: Any, where: str) -> LayerPlan:
    given = _mapping(
        entry, where, required=("element", "store"), optional=("pe", "weights", "load")
    )
    element = _choice(given["element"], f"{where}: element", ElementKind)
    store = _integer(given["store"], f"{where}: store", 1, MAX_BEATS)
    if store & (store - 1):
        raise InputError(f"{where}: store: expected a power of two, found {store}")
    if element is ElementKind.POOL:
        for name in ("pe", "weights", "load"):
            if name in given:
                raise InputError(f"{where}: {name}: a pool has none; remove it")
        return LayerPlan(element, 1, store)
    for name in ("pe", "weights"):
        if name not in given:
            raise InputError(f"{where}: {name}: missing")
    pe = _integer(given["pe"], f"{where}: pe", least=1)
    if element is ElementKind.HORNER and pe != 1:
        raise InputError(f"{where}: pe: expected 1 for a horner element, found {pe}")
    weights = _choice(given["weights"], f"{where}: weights", Place)
    if "load" not in given:
        if weights is Place.LUTRAM:
            raise InputError(
                f"{where}: weights: lutram is for loadable layers, fixed weights would be a table"
                " in LUTs anyway; use logic"
            )
        return LayerPlan(element, pe, store, weights)
    if weights is Place.LOGIC:
        raise InputError(
            f"{where}: weights: loadable weights need a memory; use lutram or block, or remove load"
        )
    return LayerPlan(element, pe, store, weights, _load(given["load"], f"{where}: load"))


def _load(entry: Any, where: str) -> LoadPlan:
    optional = tuple(one.name for one in fields(LoadPlan) if one.name != "words")
    given = _mapping(entry, where, required=("words",), optional=optional)
    words = _integer(given["words"], f"{where}: words", 1, MAX_BEATS)
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
    # A misspelt field is both: what is there says more than what is not.
    for name in value if required else ():
        if name not in required + optional:
            known = ", ".join(required + optional)
            raise InputError(f"{where}: {name}: unknown field; known ones are {known}")
    for name in required:
        if name not in value:
            raise InputError(f"{where}: {name}: missing")
    return value


def _integer(value: Any, where: str, least: int, most: int | None = None) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{where}: expected an integer of at least {least}, found {value!r}")
    if most is not None and value > most:
        raise InputError(f"{where}: expected at most {most}, found {value}")
    return value


def _choice(value: Any, where: str, choices: type[_Choice]) -> _Choice:
    if value not in tuple(choices):
        raise InputError(f"{where}: expected one of {', '.join(choices)}, found {value!r}")
    return choices(value)
