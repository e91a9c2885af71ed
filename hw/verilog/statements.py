"""Emitted Verilog read as statements: what a line assigns, from what, in which module.

No Verilog parser: it reads the regular form that `hw.verilog` writes, a statement a line, an
operation an assignment; of a choice between several values, a line a value:

    assign value =
      turn == 2'h0 ? first :
      turn == 2'h1 ? second :
      third;
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from hw.verilog.modules import NAME, plain

LITERAL = re.compile(r"(?P<width>\d+)'(?P<signed>s?)(?P<base>[bdh])(?P<digits>[0-9a-f]+)")

_MODULE = re.compile(rf"module ({NAME})\s*\(")
_PORT = re.compile(
    rf"  (?P<direction>input|output) (reg )?(signed )?(\[(?P<high>\d+):\d+\] )?(?P<name>{NAME})"
    r"( = \S+?)?,?"
)
_DECLARED = re.compile(
    rf"  (wire|reg) (signed )?(\[(?P<high>\d+):\d+\] )?(?P<name>{NAME})"
    r"(?P<words> \[\d+:\d+\])?( = \S+)?;"
)
_ASSIGN = re.compile(rf"  assign (?P<target>{NAME})(?P<part>\[[^\]]*\])? *= (?P<value>.*);")
_CHOICE = re.compile(rf"  assign (?P<target>{NAME})(?P<part>\[[^\]]*\])? *=")
ARM = re.compile(r"    (?:(?P<condition>.*?) \? )?(?P<value>.*?)(?P<end> :|;)")
"""One line of a choice: what is chosen when; the last one has no condition."""

_SET = re.compile(
    rf"(?P<indent> +)(?P<target>{NAME})(?P<part>\[.*\])? *(?P<how><?=) (?P<value>.*);"
)
_IF = re.compile(r"(?P<indent> +)(?P<other>end else )?if \((?P<value>.*)\)(?P<begin> begin)?")
_CASE = re.compile(r" +casez? \((?P<value>.*)\)")
INSTANCE = re.compile(rf"  (?P<module>\\\S+ ) (?P<name>{NAME})\s*\(")
CELL = re.compile(rf"  [A-Z]\w+ (#|{NAME}\s*)\(")
"""Begins an instance of a cell that the family has, which no module of the text describes."""

CONNECTION = re.compile(rf"    \.(?P<port>{NAME})\s*\((?P<value>.*)\),?")
_NAMES = re.compile(NAME)


@dataclass(frozen=True)
class Statement:
    """One line that computes something.

    Parameters
    ----------
    module: it stands in; line: its number in the text, from 0
    kind: "assign"; "arm" (a value of a choice) and "condition" (of it); "clocked"; "if"; "word" (of
    a memory at the start)
    target: name assigned to; of an `if`, the first name assigned in its block
    part: bits or word of the target, with brackets
    value: the right-hand side or the condition
    """

    module: str
    line: int
    kind: str
    target: str
    part: str
    value: str


@dataclass
class Module:
    """A module's names and statements.

    Parameters
    ----------
    name: of the module; first, last: its lines
    widths: bits of each signal, or of a memory's words; words: the memories
    directions: "input" or "output" of each port, in order
    statements: in the order of the text
    reads: for each name, the names it is computed from; here and, by (module, port), in submodules
    """

    name: str
    first: int
    last: int = 0
    widths: dict[str, int] = field(default_factory=dict)
    words: set[str] = field(default_factory=set)
    directions: dict[str, str] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    reads: list[tuple[str, set[str]]] = field(default_factory=list)
    connections: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def written_memories(self) -> set[str]:
        """Memories that are RAM: some statement writes to them after the start."""
        return {s.target for s in self.statements if s.kind == "clocked"} & self.words


def names(expression: str) -> set[str]:
    """All names in an expression."""
    return {plain(name) for name in _NAMES.findall(expression)}


def read(text: str) -> dict[str, Module]:
    """All modules of the text, by name."""
    modules: dict[str, Module] = {}
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        match = _MODULE.match(lines[number])
        if match:
            module = _module(lines, number, plain(match[1]))
            modules[module.name] = module
            number = module.last
        number += 1
    return modules


def _module(lines: list[str], first: int, name: str) -> Module:
    module = Module(name, first)
    number = first + 1
    while lines[number] != ");":
        if match := _PORT.fullmatch(lines[number]):
            module.widths[plain(match["name"])] = int(match["high"] or 0) + 1
            module.directions[plain(match["name"])] = match["direction"]
        number += 1
    child = ""
    while lines[number] != "endmodule":
        line = lines[number]
        if match := _DECLARED.fullmatch(line):
            module.widths[plain(match["name"])] = int(match["high"] or 0) + 1
            if match["words"]:
                module.words.add(plain(match["name"]))
        elif match := _ASSIGN.fullmatch(line):
            target, part, value = plain(match["target"]), match["part"] or "", match["value"]
            module.statements.append(Statement(name, number, "assign", target, part, value))
            module.reads.append((target, names(value)))
        elif match := _CHOICE.fullmatch(line):
            number = _choice(lines, number, module, match)
        elif line.startswith("  always") or line.startswith("  initial"):
            number = _block(lines, number, module)
        elif match := INSTANCE.match(line):
            child = plain(match["module"])
        elif CELL.fullmatch(line):
            number = _cell(lines, number, module)
        elif match := CONNECTION.fullmatch(line):
            module.connections.append((child, plain(match["port"]), match["value"]))
        number += 1
    module.last = number
    return module


def _cell(lines: list[str], first: int, module: Module) -> int:
    """Reads a cell, of whose signals any may depend on any; returns its last line."""
    number, joined = first, set()
    while lines[number] != "  );":
        if match := CONNECTION.fullmatch(lines[number]):
            joined |= names(match["value"])
        elif lines[number].startswith("  ) "):
            joined.clear()
        number += 1
    module.reads += [(name, joined) for name in sorted(joined)]
    return number


def _choice(lines: list[str], first: int, module: Module, head: re.Match[str]) -> int:
    """Reads an assignment with a line for each value; returns its last line."""
    number, target, part = first, plain(head["target"]), head["part"] or ""
    end = ""
    while end != ";":
        number += 1
        match = ARM.fullmatch(lines[number])
        assert match is not None, lines[number]
        end = match["end"]
        for kind, value in (("condition", match["condition"]), ("arm", match["value"])):
            if value:
                module.statements.append(Statement(module.name, number, kind, target, part, value))
                module.reads.append((target, names(value)))
    return number


def _block(lines: list[str], first: int, module: Module) -> int:
    """Reads an `always`, which is clocked, or an `initial`; returns its last line."""
    last = first + 1
    if lines[first].endswith(" begin"):
        while lines[last] != "  end":
            last += 1
    else:
        while lines[last + 1].startswith("    "):
            last += 1
    initial = lines[first].startswith("  initial")
    found, conditions, read_here, targets = [], [], set(), []
    for number in range(first + 1, last + 1):
        line = lines[number]
        if initial:
            match = _SET.fullmatch(line)
            # Not the loop that fills a memory: it has a variable between the brackets.
            if match and match["part"] and match["part"][1:-1].isdigit():
                found.append(("word", number, match))
        elif match := _IF.fullmatch(line):
            conditions.append((number, match["value"]))
            read_here |= names(match["value"])
        elif match := _CASE.match(line):
            read_here |= names(match["value"])
        elif match := _SET.fullmatch(line):
            found.append(("clocked", number, match))
            read_here |= names(match["value"]) | names(match["part"] or "")
            targets.append(plain(match["target"]))
    for kind, number, match in found:
        target, part = plain(match["target"]), match["part"] or ""
        module.statements.append(Statement(module.name, number, kind, target, part, match["value"]))
    for number, value in conditions:
        if targets:
            module.statements.append(Statement(module.name, number, "if", targets[0], "", value))
    module.reads += [(target, read_here) for target in dict.fromkeys(targets)]
    module.statements.sort(key=lambda statement: statement.line)
    return last


def live(modules: dict[str, Module], top: str) -> set[tuple[str, str]]:
    """(module, name) of all signals that some output of `top` depends on."""
    sources: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for module in modules.values():
        for target, read_here in module.reads:
            sources.setdefault((module.name, target), []).extend(
                (module.name, name) for name in read_here
            )
        for child, port, value in module.connections:
            outside = [(module.name, name) for name in names(value)]
            if modules[child].directions[port] == "input":
                sources.setdefault((child, port), []).extend(outside)
            else:
                for place in outside:
                    sources.setdefault(place, []).append((child, port))
    outputs = [n for n, direction in modules[top].directions.items() if direction == "output"]
    todo = [(top, name) for name in outputs]
    found = set(todo)
    while todo:
        for place in sources.get(todo.pop(), ()):
            if place not in found:
                found.add(place)
                todo.append(place)
    return found


def subtree(modules: dict[str, Module], name: str) -> Iterator[Module]:
    """A module and all that it consists of, also what it shares with others by their names."""
    found, todo = {name}, [name]
    while todo:
        for child, _, _ in modules[todo.pop()].connections:
            if child in modules and child not in found:
                found.add(child)
                todo.append(child)
    yield from (module for module in modules.values() if module.name in found)
