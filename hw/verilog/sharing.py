"""Modules that differ in nothing but their names become one.

Amaranth writes a module for every instance: a grid of lanes is as many copies of a few kinds. What
is left is called after the first of its instances; the paths of instances stay what they were.
"""

import re

_MODULE = re.compile(r"^(?:attribute [^\n]*\n)*module (?P<name>\\\S+)\n.*?^end\n", re.M | re.S)
_CELL = re.compile(r"^(?P<start> *cell )(?P<type>\\\S+)(?= )", re.M)
_ATTRIBUTE = re.compile(r"^ *attribute \\\S+ [^\n]*\n", re.M)
_OWN = re.compile(r"^module \\\S+$", re.M)


def shared(rtlil: str) -> str:
    """The same design with one module of each kind, in the order of the first ones.

    Attributes are not compared: they must say nothing of a module that matters.
    """
    modules = {match["name"]: match[0] for match in _MODULE.finditer(rtlil)}
    standing: dict[str, str] = {}
    kinds: dict[str, str] = {}

    def stands_for(name: str) -> str:
        """The name of the module that is left of this one's kind."""
        if name not in standing:
            text = _CELL.sub(
                lambda cell: (
                    cell["start"]
                    + (stands_for(cell["type"]) if cell["type"] in modules else cell["type"])
                ),
                modules[name],
            )
            kind = _OWN.sub("", _ATTRIBUTE.sub("", text), count=1)
            standing[name] = kinds.setdefault(kind, name)
            modules[name] = text
        return standing[name]

    for name in modules:
        stands_for(name)
    left = set(standing.values())
    return _MODULE.sub(lambda match: modules[match["name"]] if match["name"] in left else "", rtlil)
