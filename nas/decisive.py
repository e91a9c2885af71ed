"""Which settings decide the figures of a run: each says so where it is declared.

A run that goes on must have the same ones; the others may change.
"""

from dataclasses import fields, is_dataclass
from typing import Any

FREE = {"free": True}
"""Metadata of a field on which no figure depends."""


def of_kind(kind: str) -> dict[str, str]:
    """Metadata of a field that runs of `kind`, "search" or "train", alone read."""
    return {"kind": kind}


def decisive(section: Any, kind: str, prefix: str = "") -> dict[str, Any]:
    """Dotted name -> value of what decides a run of `kind` in a configuration dataclass."""
    found: dict[str, Any] = {}
    for one in fields(section):
        if one.metadata.get("free") or one.metadata.get("kind", kind) != kind:
            continue
        value, name = getattr(section, one.name), f"{prefix}{one.name}"
        found |= decisive(value, kind, f"{name}.") if is_dataclass(value) else {name: value}
    return found
