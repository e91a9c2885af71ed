"""Where a setting was written: the file, the line, the field."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml


@dataclass(frozen=True)
class Origin:
    """A file of settings, or the option that gave one.

    Parameters
    ----------
    name: of the file or the option
    lines: line of each field, from 1
    """

    name: str
    lines: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of_yaml(cls, name: str, text: str) -> "Origin":
        """`text` is valid YAML."""
        return cls(name, dict(_lines(yaml.compose(text, yaml.SafeLoader), "")))

    def at(self, name: str) -> str:
        """Begin of a message about field `name`."""
        line = f"line {self.lines[name]}: " if name in self.lines else ""
        return f"{self.name}: {line}{name}"


def _lines(node: yaml.Node | None, prefix: str) -> list[tuple[str, int]]:
    """Name and line of every key, those of nested mappings with dots; a key twice is its last."""
    if not isinstance(node, yaml.MappingNode):
        return []
    found = []
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        found += [(name, key.start_mark.line + 1), *_lines(value, f"{name}.")]
    return found
