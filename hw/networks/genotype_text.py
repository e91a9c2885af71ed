"""Genotypes as DARTS and its followers publish them: `NAME = Genotype(normal=[('op', 0), …], …)`.

The text is Python and is parsed, never run: what is read are calls of `Genotype` with literals, in
whatever else a file holds.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hw.errors import InputError

FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")

CALL = "Genotype"

WRITTEN = re.compile(rf"\b{CALL}\s*\(")


MOST_STATES = 1000
"""Of a range: more is a mistake, and would fill the memory."""


class Refused(Exception):
    """What is no genotype, or not one that is known here.

    Parameters
    ----------
    line: of the text
    problem: what was expected
    """

    def __init__(self, line: int, problem: str):
        super().__init__(f"line {line}: {problem}")


@dataclass(frozen=True)
class Written:
    """A genotype in a text.

    Parameters
    ----------
    name: that it is given; "" if none
    line: of its call
    call: the call itself
    fields: names of the fields, in the order of arguments without one
    """

    name: str
    line: int
    call: ast.Call
    fields: tuple[str, ...]


def is_text(content: str) -> bool:
    """Whether a file looks like one of these, and not like a genotype.yaml."""
    return WRITTEN.search(content) is not None


def read(content: str, name: str = "") -> tuple[int, dict[str, Any]]:
    """The line and the four `FIELDS` of the genotype called `name`, or of the only one.

    Raises
    ------
    InputError: the text is not Python, holds several genotypes or none of that name, or one that
        is written in a way, or with a field, that is not known here; with the line
    """
    try:
        tree = ast.parse(content)
        found, aliases = _genotypes(tree)
        return _chosen(found, aliases, name)
    except (SyntaxError, RecursionError, MemoryError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        told = getattr(error, "msg", None) or "too many values within each other"
        raise InputError(
            f"line {line}: not Python ({told}); keep the line NAME = {CALL}(…) only"
        ) from error
    except Refused as problem:
        raise InputError(str(problem)) from problem


def _chosen(found: list[Written], aliases: dict[str, str], name: str) -> tuple[int, dict[str, Any]]:
    named = {one.name: one for one in found if one.name}
    for alias in aliases:
        target = aliases[alias]
        for _ in aliases:
            target = aliases.get(target, target)
        if target in named and alias not in named:
            named[alias] = named[target]
    if not found:
        raise InputError(f"no {CALL}(…) is written there; a comment or a program is not read")
    if not name and len(found) > 1:
        raise InputError(f"holds {len(found)} genotypes; give one as FILE:NAME, of {_list(named)}")
    if name and name not in named:
        raise InputError(f"no genotype {name!r}; there are {_list(named) or 'none with a name'}")
    chosen = named[name] if name else found[0]
    twice = [one.line for one in found if one.name == chosen.name]
    if name and len(twice) > 1:
        raise Refused(twice[1], f"{chosen.name} is given again, first in line {twice[0]}")
    return chosen.line, _content(chosen)


def _list(named: dict[str, Any]) -> str:
    return ", ".join(named)


# --- Finding


def _genotypes(tree: ast.Module) -> tuple[list[Written], dict[str, str]]:
    """The genotypes of a text, in order, and other names that they have."""
    fields, found, aliases = FIELDS, [], {}
    for statement in tree.body:
        targets, value = _assigned(statement)
        if value is None:
            continue
        fields = _declared(value) or fields
        for name, one in _values(targets, value):
            call = _call(one)
            if call is not None:
                found.append(Written(name, one.lineno, call, fields))
            elif isinstance(one, ast.Name) and name:
                aliases[name] = one.id
    return found, aliases


def _assigned(statement: ast.stmt) -> tuple[list[str], ast.expr | None]:
    match statement:
        case ast.Assign(targets=targets, value=value):
            return [one.id for one in targets if isinstance(one, ast.Name)], value
        case ast.AnnAssign(target=ast.Name(id=name), value=value):
            return [name], value
        case ast.Expr(value=value):
            return [], value
    return [], None


def _values(targets: list[str], value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Pairs (name, value); of a dictionary with names for keys, its values."""
    match value:
        case ast.Dict(keys=keys, values=values):
            pass
        case ast.Call(func=ast.Name(id="dict"), args=[ast.Dict(keys=keys, values=values)]):
            pass
        case _:
            for name in targets or [""]:
                yield name, value
            return
    for key, one in zip(keys, values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and _call(one) is not None:
            yield key.value, one


def _call(value: ast.expr) -> ast.Call | None:
    """The call of Genotype that a value is, or that is written in it if it is a string."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str) and is_text(value.value):
        inner = ast.parse(value.value.strip(), mode="eval").body
        for node in ast.walk(inner):
            if hasattr(node, "lineno"):
                ast.copy_location(node, value)
        value = inner
    match value:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name == CALL:
            return value
    return None


def _declared(value: ast.expr) -> tuple[str, ...]:
    """The fields of `namedtuple('Genotype', 'normal normal_concat …')`."""
    match value:
        case ast.Call(
            func=ast.Name(id="namedtuple") | ast.Attribute(attr="namedtuple"),
            args=[ast.Constant(value=name), names],
        ) if name == CALL:
            if isinstance(names, ast.Constant) and isinstance(names.value, str):
                return tuple(names.value.replace(",", " ").split())
            if isinstance(names, ast.List | ast.Tuple):
                return tuple(str(one.value) for one in names.elts if isinstance(one, ast.Constant))
    return ()


# --- Reading


def _content(written: Written) -> dict[str, Any]:
    """The four fields; others only where they say nothing."""
    given: dict[str, ast.expr] = {}
    if len(written.call.args) > len(written.fields):
        raise Refused(
            written.line, f"{len(written.call.args)} arguments; expected {', '.join(FIELDS)}"
        )
    given.update(zip(written.fields, written.call.args, strict=False))
    for keyword in written.call.keywords:
        if keyword.arg is None:
            raise Refused(keyword.value.lineno, f"** in {CALL}(…); write the fields out")
        if keyword.arg in given:
            raise Refused(keyword.value.lineno, f"{keyword.arg} is given twice")
        given[keyword.arg] = keyword.value
    for name, value in given.items():
        if name not in FIELDS and not _is_empty(value):
            raise Refused(value.lineno, f"{name}: not a field of a genotype known here")
    for name in FIELDS:
        if name not in given:
            raise Refused(written.line, f"{name}: missing; a genotype has {', '.join(FIELDS)}")
    return {
        name: _states(name, value) if name.endswith("concat") else _edges(name, value)
        for name, value in given.items()
        if name in FIELDS
    }


def _is_empty(value: ast.expr) -> bool:
    """A field without content: None, an empty string or list."""
    match value:
        case ast.Constant(value=None | ""):
            return True
        case ast.List(elts=[]) | ast.Tuple(elts=[]):
            return True
    return False


def _edges(field: str, value: ast.expr) -> list[list[Any]]:
    """Pairs (operation, state), one after another or in a list for each node."""
    edges = []
    for entry in _elements(field, value):
        pair = _edge(entry)
        if pair is not None:
            edges.append(pair)
            continue
        inner = _elements(field, entry)
        if len(inner) != 2:
            raise Refused(
                entry.lineno, f"{field}: a node of {len(inner)} edges; here each node has two"
            )
        for one in inner:
            pair = _edge(one)
            if pair is None:
                raise Refused(one.lineno, f"{field}: expected ('operation', state)")
            edges.append(pair)
    return edges


def _edge(value: ast.expr) -> list[Any] | None:
    """A pair of an operation and a state, in either order."""
    match value:
        case ast.Tuple(elts=[first, second]) | ast.List(elts=[first, second]):
            pass
        case _:
            return None
    match first, second:
        case ast.Constant(value=str(operation)), ast.Constant(value=int(state)):
            pass
        case ast.Constant(value=int(state)), ast.Constant(value=str(operation)):
            pass
        case _:
            return None
    return None if isinstance(state, bool) else [operation, state]


def _elements(field: str, value: ast.expr) -> list[ast.expr]:
    if not isinstance(value, ast.List | ast.Tuple):
        raise Refused(value.lineno, f"{field}: expected a list of ('operation', state)")
    return value.elts


def _states(field: str, value: ast.expr) -> list[int]:
    """A list of integers, or a range."""
    match value:
        case ast.Call(func=ast.Name(id="list" | "tuple"), args=[inner], keywords=[]):
            return _states(field, inner)
        case ast.Call(func=ast.Name(id="range"), args=[_, *_] as args, keywords=[]):
            bounds = [_integer(one) for one in args]
            if len(bounds) <= 3 and None not in bounds and 0 not in bounds[2:]:
                states = range(*(one for one in bounds if one is not None))
                if len(states) <= MOST_STATES:
                    return list(states)
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            states = [_integer(one) for one in elements]
            if None not in states:
                return [one for one in states if one is not None]
    raise Refused(
        value.lineno, f"{field}: expected a list of states or a range, such as range(2, 6)"
    )


def _integer(value: ast.expr) -> int | None:
    if isinstance(value, ast.Constant) and type(value.value) is int:
        return value.value
    return None
