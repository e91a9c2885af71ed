"""Fields of the NETWORK folder that came with a later version of its schema.

A document leaves out a newer field that has its default: so a network that needs nothing new is of
version 1, byte for byte what it was, and keeps its digest.
"""

from dataclasses import MISSING, Field, fields
from typing import Any

NEWEST = 2


def since(version: int) -> dict[str, int]:
    """Metadata of a dataclass field that the schema has had since `version`."""
    return {"since": version}


def optional(one: Field) -> bool:
    """Whether a document may leave the field out."""
    return "since" in one.metadata and one.default is not MISSING


def stored(instance: Any) -> dict[str, Any]:
    """The fields of a dataclass as a document has them."""
    values = {one.name: getattr(instance, one.name) for one in fields(instance)}
    left_out = {
        one.name for one in fields(instance) if optional(one) and values[one.name] == one.default
    }
    return {name: value for name, value in values.items() if name not in left_out}


def version_of(*instances: Any) -> int:
    """The oldest version that has all that these dataclasses use."""
    return max(
        (
            one.metadata["since"]
            for instance in instances
            for one in fields(instance)
            if "since" in one.metadata and getattr(instance, one.name) != one.default
        ),
        default=1,
    )
