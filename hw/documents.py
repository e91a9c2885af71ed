"""YAML and JSON as people write them, read strictly.

The libraries keep the last of two equal keys: of two edits one would be lost without a word. And
they end in errors of many kinds where a text is odd enough. Here both are one kind of error.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from hw.errors import InputError


def load_yaml(text: str) -> Any:
    """The content of a YAML document, None where it is empty.

    Raises
    ------
    yaml.YAMLError: not YAML, or a key is given twice; see `reason`
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except RecursionError:
        raise yaml.YAMLError("too many values within each other") from None


def load_json(text: str, parse_constant: Callable[[str], Any] | None = None) -> Any:
    """The content of a JSON document; `parse_constant` as `json.loads` has it.

    Raises
    ------
    ValueError: not JSON, or a key is given twice
    """
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=parse_constant)
    except RecursionError:
        raise ValueError("too many values within each other") from None


def read_json(path: Path, what: str, version: int, again: str) -> dict[str, Any]:
    """The object in a JSON file of ours.

    Parameters
    ----------
    what: the file is, in errors
    version: its schema_version
    again: how to get another one, in errors

    Raises
    ------
    InputError: it cannot be read, or is of another version
    """
    try:
        content = load_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such {what}; {again}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}; {again}") from None
    if not isinstance(content, dict) or content.get("schema_version") != version:
        raise InputError(f"{path}: schema_version: expected {version}; {again}")
    return content


def reason(error: Exception) -> str:
    """What is wrong, in one line; of YAML with the number of the line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return " ".join(str(error).split())


def _twice(key: Any) -> str:
    return f"key {key!r} is given twice"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        seen = set()
        raise ValueError(_twice(next(key for key, _ in pairs if key in seen or seen.add(key))))
    return content


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            # Keys that are no scalars are refused below: they cannot be hashed.
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(
                        problem=_twice(key.value), problem_mark=key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise yaml.MarkedYAMLError(
                problem=f"{node.value!r}: not of its type", problem_mark=node.start_mark
            ) from error
