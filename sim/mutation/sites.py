"""Where and how a line of Verilog can be changed: the kinds of mutants.

Every kind is a function from a statement to other forms of its line, few or none.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hw.verilog.modules import NAME
from hw.verilog.statements import LITERAL, Module, Statement, live, names, read
from sim.mutation.expressions import (
    SWAPS,
    binary,
    literal,
    literals,
    replaced,
    ternary,
    tokens,
    unary,
    value_of,
)

HANDSHAKE = re.compile(r"valid|ready|accept|advance|take|room|issue|move|leave|put|get|_en$")
"""Names of signals that let a beat pass, or not."""

_SLICE = re.compile(rf"(?P<name>{NAME})\[(?P<high>\d+)(:(?P<low>\d+))?\]")
_WORD_READ = re.compile(rf"(?P<name>{NAME})\[(?P<index>.*)\]")


CLAMP = "clamp wrong at one value"
"""A kind of mutant: a clamp through which one value slips."""

CONDITIONS = ("if", "condition")
"""Kinds of statements whose value only chooses."""


@dataclass(frozen=True)
class Mutant:
    """One changed line.

    Parameters
    ----------
    kind: key of KINDS
    module, line: where; lines count from 0
    before, after: the line, without its indent
    """

    kind: str
    module: str
    line: int
    before: str
    after: str


@dataclass(frozen=True)
class Site:
    """A statement that a kind of mutant applies to, and the lines it would become."""

    kind: str
    statement: Statement
    before: str
    after: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """What a kind of mutant sees: the statement, its line without indent, its module, the line
    above.
    """

    statement: Statement
    line: str
    module: Module
    roms: frozenset[str]
    above: str = ""

    @property
    def role(self) -> str:
        return role(self.statement.module)

    def with_value(self, value: str) -> str:
        """The line with another right-hand side or condition."""
        old = self.statement.value
        if self.statement.kind == "if":
            return self.line.replace(f"if ({old})", f"if ({value})")
        if self.statement.kind == "condition":
            return value + self.line[len(old) :]
        head, _, tail = self.line.rpartition(old)
        return head + value + tail

    @property
    def width(self) -> int:
        """Bits of the target, or of the part of it that is assigned."""
        if match := re.search(r"\[(\d+):(\d+)\]$", self.statement.part):
            return int(match[1]) - int(match[2]) + 1
        if self.statement.part and self.statement.target not in self.module.words:
            return 1
        return self.module.widths[self.statement.target]


def role(module: str) -> str:
    """What a module is for, by the last part of its name: window, elements, fifo, node, …"""
    last = module.rpartition(".")[2]
    return "fork" if last.startswith("fork_") else re.sub(r"\d+$", "", last)


def _swap(kind: str) -> Callable[[Place], Iterator[str]]:
    def swapped(place: Place) -> Iterator[str]:
        if (found := binary(place.statement.value)) and found[1] in SWAPS[kind]:
            yield place.with_value(f"{found[0]} {SWAPS[kind][found[1]]} {found[2]}")

    return swapped


def logic(place: Place) -> Iterator[str]:
    yield from _swap("logic")(place)
    if place.statement.kind not in CONDITIONS and (found := unary(place.statement.value)):
        operator, operand = found
        swapped = {"~": "", "!": "|", "&": "|", "|": "&"}[operator]
        yield place.with_value(f"{swapped} {operand}".strip())


def condition(place: Place) -> Iterator[str]:
    statement = place.statement
    if statement.kind in CONDITIONS and statement.value != "rst":
        yield place.with_value(f"!({statement.value})")


def enable(place: Place) -> Iterator[str]:
    """A register or a memory that takes a value in every cycle."""
    statement = place.statement
    if statement.kind == "if" and statement.value != "rst":
        yield place.with_value("1'h1")


def reset(place: Place) -> Iterator[str]:
    """A register without reset."""
    if place.statement.kind == "if" and place.statement.value == "rst":
        yield place.with_value("1'h0")


def constant(place: Place) -> Iterator[str]:
    statement = place.statement
    if statement.kind in ("word", *CONDITIONS) or place.line.startswith("assign m_axis_tlast"):
        return
    found = binary(statement.value)
    if found and found[1] in SWAPS["relation"]:
        return
    for match in literals(statement.value):
        value, width = value_of(match), int(match["width"])
        flipped = [value ^ 1 << bit for bit in range(width)]
        for other in dict.fromkeys([value + 1, value - 1, *flipped]):
            yield place.with_value(replaced(statement.value, match, literal(other, match)))


def off_by_one(place: Place) -> Iterator[str]:
    """Comparisons with the value beside; counters that count by two or not at all."""
    statement, found = place.statement, binary(place.statement.value)
    if found is None or statement.kind in CONDITIONS or place.role in ("fifo", "queue"):
        return
    left, operator, right = found
    match = LITERAL.fullmatch(right)
    if match is None:
        return
    if operator in SWAPS["relation"]:
        for other in (value_of(match) + 1, value_of(match) - 1):
            yield place.with_value(f"{left} {operator} {literal(other, match)}")
    elif operator in "+-" and value_of(match) == 1:
        yield place.with_value(f"{left} {operator} 2'h2")
        yield place.with_value(left)


def address(place: Place) -> Iterator[str]:
    """The memory's word beside."""
    statement, words = place.statement, place.module.words
    if statement.kind == "word":
        return
    if (match := _WORD_READ.fullmatch(statement.value)) and match["name"].strip("\\ ") in words:
        for sign in "+-":
            yield place.with_value(f"{match['name']}[{match['index']} {sign} 1'h1]")
    # The word comes first, then the part of it that is written, if that is not all.
    if statement.target in words and (index := _first_index(place.line)):
        for sign in "+-":
            yield place.line.replace(f"[{index}]", f"[{index} {sign} 1'h1]", 1)


def _first_index(line: str) -> str:
    """What stands in the first brackets, which may have brackets of their own; "" without any."""
    marks = [(token, at) for token, at, depth in tokens(line) if depth == 0 and token in "[]"]
    if len(marks) < 2:
        return ""
    (_, first), (_, end), *_ = marks
    return line[first + 1 : end]


def rom(place: Place) -> Iterator[str]:
    """A bit of a word."""
    statement = place.statement
    if statement.kind == "word" and statement.target in place.roms:
        match = LITERAL.fullmatch(statement.value)
        assert match is not None, statement
        for bit in range(int(match["width"])):
            yield place.with_value(literal(value_of(match) ^ 1 << bit, match))


def wrong_bits(place: Place) -> Iterator[str]:
    """A slice or a bit beside the right one."""
    statement = place.statement
    if statement.kind in ("word", *CONDITIONS):
        return
    for match in _SLICE.finditer(statement.value):
        name = match["name"].strip("\\ ")
        if name in place.module.words:
            continue
        high, low = int(match["high"]), int(match["low"] or match["high"])
        for by in (1, -1):
            if 0 <= low + by and high + by < place.module.widths[name]:
                bits = f"{high + by}:{low + by}" if match["low"] else str(high + by)
                other = replaced(statement.value, match, f"{match['name']}[{bits}]")
                yield place.with_value(other)


def stuck(place: Place) -> Iterator[str]:
    """A bit of a register or of a memory's input that is always 0 or always 1."""
    statement = place.statement
    if statement.kind != "clocked" or LITERAL.fullmatch(statement.value):
        return
    width = place.width
    for bit in range(width):
        one = f"{width}'h{1 << bit:x}"
        yield place.with_value(f"({statement.value}) | {one}")
        yield place.with_value(f"({statement.value}) & ~{one}")


def mux(place: Place) -> Iterator[str]:
    if found := ternary(place.statement.value):
        chosen, first, second = found
        yield place.with_value(f"{chosen} ? {second} : {first}")


def handshake(place: Place) -> Iterator[str]:
    """A condition of a transfer left out; a ready that is always high."""
    statement = place.statement
    if statement.kind not in ("assign", "arm"):
        return
    found = binary(statement.value)
    if found and found[1] in "&|":
        involved = names(statement.value) | {statement.target}
        if any(HANDSHAKE.search(name) for name in involved):
            yield place.with_value(found[0])
            yield place.with_value(found[2])
    if HANDSHAKE.search(statement.target) and place.width == 1:
        yield place.with_value("1'h1")


def left_out(place: Place) -> Iterator[str]:
    """A bit of a register that keeps its value in reset: the lowest, the highest."""
    statement, width = place.statement, place.width
    if statement.kind != "clocked" or place.above != "if (rst) begin" or width == 1:
        return
    name = place.line.partition(" <= ")[0]
    for bit in (0, width - 1):
        kept = f"{width}'h{1 << bit:x}"
        yield place.with_value(f"({name} & {kept}) | ({statement.value} & ~{kept})")


def fork_state(place: Place) -> Iterator[str]:
    """A fork that forgets, of all readers or of one, who has the beat; or remembers too long."""
    statement, found = place.statement, ternary(place.statement.value)
    if place.role != "fork" or statement.kind != "assign" or found is None:
        return
    taken, cleared, served = found
    if LITERAL.fullmatch(cleared) is None or served not in place.module.widths:
        return
    yield place.with_value(f"{taken} ? {cleared} : {cleared}")
    for reader in range(place.width):
        bit = f"{place.width}'h{1 << reader:x}"
        yield place.with_value(f"{taken} ? {cleared} : {served} & ~{bit}")
        yield place.with_value(f"{taken} ? {served} & {bit} : {served}")


def depth(place: Place) -> Iterator[str]:
    """A FIFO that takes one beat more or less than its pointers go round; a pointer that goes round
    one place early.
    """
    statement, found = place.statement, binary(place.statement.value)
    if statement.kind != "assign" or place.role not in ("fifo", "queue") or found is None:
        return
    match = LITERAL.fullmatch(found[2])
    if match is None:
        return
    if _takes_beats(place) and found[1] == "!=":
        for other in (value_of(match) + 1, value_of(match) - 1):
            yield place.with_value(f"{found[0]} != {literal(other, match)}")
    if found[1] == "+" and value_of(match) == 1 and found[0].endswith("addr"):
        # Where the depth is a power of two, no line says where a pointer goes round.
        width, wraps = place.module.widths[found[0]], f"{found[0]} =="
        if width > 1 and not any(s.value.startswith(wraps) for s in place.module.statements):
            last = f"{wraps} {width}'h{(1 << width) - 2:x}"
            yield place.with_value(f"{last} ? {width}'h0 : {statement.value}")


def _takes_beats(place: Place) -> bool:
    """Whether the line says if a FIFO has room."""
    return place.statement.target in ("w_rdy", "i__ready")


def waiting_valid(place: Place) -> Iterator[str]:
    """A valid that waits for its ready."""
    statement, directions = place.statement, place.module.directions
    if statement.kind != "assign" or place.width != 1:
        return
    ready = "r_en" if statement.target == "r_rdy" else ""
    if statement.target.endswith("__valid"):
        ready = statement.target.removesuffix("valid") + "ready"
    if directions.get(ready) == "input":
        yield place.with_value(f"({statement.value}) & {ready}")


def mask(place: Place) -> Iterator[str]:
    """A border of an odd number of rows or columns: the last one, or the one before, is real where
    it is not, or the other way round.
    """
    found = binary(place.statement.value)
    if place.role != "window" or found is None or found[1] != ">>":
        return
    match = LITERAL.fullmatch(found[0])
    if match is None or int(match["width"]) % 2 == 0:
        return
    for bit in range(int(match["width"]) - 1, 0, -1)[:2]:
        table = literal(value_of(match) ^ 1 << bit, match)
        yield place.with_value(f"{table} >> {found[2]}")


def fill(place: Place) -> Iterator[str]:
    """A FIFO that is full or empty one beat early or late, or wraps there."""
    statement = place.statement
    if statement.kind != "assign" or place.role not in ("fifo", "queue") or _takes_beats(place):
        return
    found = binary(statement.value)
    if found and found[1] in ("==", "!=") and (match := LITERAL.fullmatch(found[2])):
        for other in (value_of(match) + 1, value_of(match) - 1):
            yield place.with_value(f"{found[0]} {found[1]} {literal(other, match)}")
    if (one := unary(statement.value)) and one[0] == "|":
        yield place.with_value(f"{one[1]} > 1'h1")


def rounding(place: Place) -> Iterator[str]:
    """A sum without its constant."""
    found = binary(place.statement.value)
    if found and found[1] == "+" and place.role in ("requantise", "node", "concat"):
        for side, other in ((found[0], found[2]), (found[2], found[0])):
            match = LITERAL.search(side)
            if match and value_of(match) > 1 and not names(side) - {"signed"}:
                yield place.with_value(other)


def saturation(place: Place) -> Iterator[str]:
    """Values beyond the range that wrap round, or are clamped to the other end."""
    statement, found = place.statement, ternary(place.statement.value)
    if found and "overflow" in found[0]:
        yield place.with_value(found[2])
    if "overflow" in statement.target and not LITERAL.fullmatch(statement.value):
        yield place.with_value("1'h0")
        if found:
            yield place.with_value(found[1])
            yield place.with_value(found[2])


def clamp(place: Place) -> Iterator[str]:
    """A clamp that lets the first value beyond its upper or its lower end wrap round."""
    found = ternary(place.statement.value)
    if found is None or not found[0].endswith("overflow"):
        return
    extreme = _EXTREME.fullmatch(found[1])
    if extreme is None:
        return
    below = place.module.widths[extreme["below"]]
    width = int(extreme["zeros"]) + 1 + below
    for beyond in (1 << below, -(1 << below) - 1):
        one = f"{width}'h{beyond % (1 << width):x}"
        yield place.with_value(f"{found[0]} & ({found[2]} != {one}) ? {found[1]} : {found[2]}")


_EXTREME = re.compile(rf"\{{ (?P<zeros>\d+)'h0+, (?:{NAME})(?:\[\d+\])?, (?P<below>{NAME}) \}}")
"""The end of a range that a value is clamped to: zeros above its sign, and its sign's inverse."""


def tlast_of_a_burst(place: Place) -> Iterator[str]:
    """Last comes a beat early where no other frame is behind: nothing is on offer."""
    statement, found = place.statement, binary(place.statement.value)
    source = place.module.directions.get("s_axis_tvalid")
    if statement.target != "m_axis_tlast" or found is None or source is None:
        return
    match = LITERAL.fullmatch(found[2])
    if match is not None and value_of(match):
        early = f"{found[0]} == {literal(value_of(match) - 1, match)}"
        yield place.with_value(f"s_axis_tvalid ? {statement.value} : {early}")


def tlast(place: Place) -> Iterator[str]:
    statement = place.statement
    if statement.target != "m_axis_tlast":
        return
    found = binary(statement.value)
    if found and (match := LITERAL.fullmatch(found[2])):
        yield place.with_value(f"{found[0]} == {literal(value_of(match) - 1, match)}")
    yield place.with_value("1'h0")
    yield place.with_value("1'h1")


KINDS: dict[str, Callable[[Place], Iterator[str]]] = {
    "arithmetic operator": _swap("arithmetic"),
    "logic operator": logic,
    "relational operator": _swap("relation"),
    "condition negated": condition,
    "constant": constant,
    "off by one": off_by_one,
    "memory address": address,
    "ROM bit": rom,
    "wrong bits": wrong_bits,
    "stuck bit": stuck,
    "mux arms swapped": mux,
    "handshake": handshake,
    "valid waits for ready": waiting_valid,
    "fork's state": fork_state,
    "reset missing": reset,
    "left out of reset": left_out,
    "clock enable removed": enable,
    "FIFO off by one": fill,
    "FIFO not as deep as its pointers": depth,
    "mask of an odd side": mask,
    "rounding dropped": rounding,
    "saturation dropped": saturation,
    CLAMP: clamp,
    "tlast misplaced": tlast,
    "tlast early at a burst's end": tlast_of_a_burst,
}
"""All kinds of mutants, and what each does to a statement."""


def sites(text: str, top: str, below: str = "") -> list[Site]:
    """All sites in modules called `below` or inside it, in signals that outputs depend on.

    Signals that nothing reads (names of fields, for people) are left out: no change of them can
    ever be seen.
    """
    modules = read(text)
    reached = live(modules, top)
    lines = text.split("\n")
    found = []
    for module in modules.values():
        if below and module.name != below and not module.name.startswith(f"{below}."):
            continue
        roms = frozenset(module.words - module.written_memories)
        for statement in module.statements:
            if (module.name, statement.target) not in reached:
                continue
            line, above = (lines[statement.line - k].strip() for k in range(2))
            place = Place(statement, line, module, roms, above)
            for kind, change in KINDS.items():
                after = tuple(line for line in dict.fromkeys(change(place)) if line != place.line)
                if after:
                    found.append(Site(kind, statement, place.line, after))
    return found
