"""The file of an overlay's plan: the YAML that a hardware designer edits, written and read."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from hw import documents
from hw.errors import InputError
from hw.outputs import write_atomic
from hw.overlay.hardware import Overlay
from hw.overlay.plan import OverlayPlan, as_dict, from_dict

SCHEMA_VERSION = 1

STYLE = "overlay"

_SIZES = tuple(field.name for field in fields(Overlay))
_FIELDS = ("schema_version", "style", "board", "clock_mhz", *_SIZES)


def dumps(plan: OverlayPlan) -> str:
    """The plan as YAML text, always the same for equal plans."""
    content = {"schema_version": SCHEMA_VERSION, "style": STYLE, **as_dict(plan)}
    return yaml.safe_dump(content, sort_keys=False)


def save(plan: OverlayPlan, path: str | Path) -> None:
    """Writes the plan as YAML."""
    write_atomic(Path(path), dumps(plan))


def loads(text: str, source: str) -> OverlayPlan:
    """The plan of a YAML text; `source` names it in errors.

    Raises
    ------
    InputError: naming the file and the field, what was expected and what to do
    """
    try:
        content = documents.load_yaml(text)
    except yaml.YAMLError as error:
        raise InputError(f"{source}: expected YAML: {documents.reason(error)}") from None
    if not isinstance(content, dict):
        raise InputError(f"{source}: expected a mapping with names as keys")
    for name in content:
        if name not in _FIELDS:
            raise InputError(
                f"{source}: {name}: unknown field; known ones are {', '.join(_FIELDS)}"
            )
    for name in _FIELDS:
        if name not in content:
            raise InputError(f"{source}: {name}: missing")
    _check(content, source)
    try:
        return from_dict({name: content[name] for name in _FIELDS[2:]} | _clock(content))
    except InputError as error:
        raise InputError(f"{source}: {error}") from None


def _check(content: dict[str, Any], source: str) -> None:
    version = content["schema_version"]
    if type(version) is not int or version < 1:
        raise InputError(f"{source}: schema_version: {version!r}; expected {SCHEMA_VERSION}")
    if version > SCHEMA_VERSION:
        raise InputError(
            f"{source}: schema_version: {version} is newer than {SCHEMA_VERSION}, the newest known"
            " here; update shiftnas or run `shiftnas plan` again"
        )
    if content["style"] != STYLE:
        raise InputError(f"{source}: style: {content['style']!r}; expected {STYLE}")
    if not isinstance(content["board"], str) or not content["board"]:
        raise InputError(f"{source}: board: expected a board's name")
    clock = content["clock_mhz"]
    if isinstance(clock, bool) or not isinstance(clock, int | float) or not 0 < clock <= 1000:
        raise InputError(f"{source}: clock_mhz: expected a number in (0, 1000], found {clock!r}")


def _clock(content: dict[str, Any]) -> dict[str, float]:
    return {"clock_mhz": float(content["clock_mhz"])}
