"""Yosys' Verilog made fit to read, without a change to what it says.

- ports are declared in the module's header;
- a register's next state is written in the register's own clocked block instead of a temporary;
- temporaries are called after their operation (`add12`) instead of `\\$12`;
- constants and temporaries that nobody reads are gone;
- the attributes of a memory stand in one line;
- memories that begin with one value everywhere say so in a loop;
- what is combinational is a continuous assignment: there is no `always @*` (see `choices`);
- a case in a clocked block that leaves a value out says that nothing happens then.
"""

import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping

from hw.verilog import choices
from hw.verilog.modules import NAME, modules, plain

_TOKEN = re.compile(NAME)
_PORT = re.compile(rf"  (input|output) (signed )?(\[\d+:\d+\] )?({NAME});\n")
_DECLARED = re.compile(rf"  (wire|reg) (signed )?(\[-?\d+:\d+\] )?({NAME})( = \S+)?;\n")
_HEADER = re.compile(rf"module ({NAME})\s*\(.*?\);\n", re.S)
_REGISTER = re.compile(rf"  always @\(posedge clk\)\n    ({NAME})\s*<= ({NAME});\n")
_TRIGGER = re.compile(r"\\\$auto\$verilog_backend\S+ ")
_BLOCK = re.compile(
    rf"  always @\* begin\n    if \({_TRIGGER.pattern}\) begin end\n((?:    .*\n)*?)  end\n"
)
_ASSIGN = re.compile(rf"  assign ({NAME}) *= (.*);\n")
_FILL = re.compile(
    rf"  initial begin\n(    ({NAME})\[0\] = (\d+'h[0-9a-f]+);\n(?:    .*\n)*)  end\n"
)
_NOISE = re.compile(r"^  \(\* (?:init|uninitialised|enum_\w+) = .* \*\)\n", re.M)
"""Attributes that repeat a register's declaration or name an enumeration's values, and ours."""
_ATTRIBUTES = re.compile(r"(?:^  \(\* \w+ = .* \*\)\n)+(?=  reg )", re.M)

_NOT = re.compile(rf"(  assign {NAME} *= )! (.*);\n")
_SHIFT = re.compile(rf"(  assign ({NAME}) *= )([^$].*?) >> (.*);\n")
_CASE = re.compile(r" +casez? \(")
_ARM = re.compile(r" +(?P<patterns>default|\d+'[hb][0-9a-f?x]+(, \d+'[hb][0-9a-f?x]+)*):\n")
_FULL = re.compile(r" +\(\* full_case = .* \*\)\n")

_TEMPORARY = re.compile(r"\\\$(?:auto\$(?!verilog_backend)\S+\$)?(\d+) ")
"""Amaranth's, by their numbers, and Yosys' own, which also say where Yosys made them."""
_READ = re.compile(rf"    +(_\d+_) <= ({NAME})\[")

_INDEX = "word"

_LEAST_FILL = 4
"""Words of the smallest memory filled in a loop."""

_BINARY = {
    "+": "add", "-": "sub", "*": "mul", "&": "and", "|": "or", "^": "xor", "==": "eq", "!=": "ne",
    "<": "lt", "<=": "le", ">": "gt", ">=": "ge", "<<": "shl", ">>": "shr", ">>>": "sar",
    "?": "mux",
}  # fmt: skip
_UNARY = {"~": "not", "-": "neg", "&": "all", "|": "any", "^": "parity", "!": "zero"}


def tidy(verilog: str) -> Iterator[tuple[str, str]]:
    """Name and text of each module of Yosys' output, in its order."""
    # Yosys' first line names the compiler that built it, which is nobody's business here.
    for name, text in modules(verilog):
        yield name, _module(text)


def _module(text: str) -> str:
    text = _NOISE.sub("", text)
    text = _ATTRIBUTES.sub(_in_one_line, text)
    text = _merge_registers(text)
    text = _drop_unread(text)
    text = _name_temporaries(text)
    text = _fill(text)
    widths = {
        plain(match[4]): _width(match[3])
        for pattern in (_DECLARED, _PORT)
        for match in pattern.finditer(text)
    }
    text = _assign(text, widths)
    text = _widths(text, widths)
    text = _complete(text)
    return _header(text)


def _in_one_line(attributes: re.Match[str]) -> str:
    lines = (line.strip() for line in attributes[0].splitlines())
    each = (line.removeprefix("(* ").removesuffix(" *)") for line in lines)
    return f"  (* {', '.join(each)} *)\n"


def _header(text: str) -> str:
    """Ports with their types in the header, in Verilog-2005's way."""
    ports = {match[4]: match for match in _PORT.finditer(text)}
    text = _PORT.sub("", text)
    declared = {match[4]: match for match in _DECLARED.finditer(text) if match[4] in ports}
    text = _without(_DECLARED, 4, declared, text)
    match = _HEADER.match(text)
    assert match is not None
    lines = []
    # Amaranth numbers ports from 0; Yosys puts number 0 behind the others.
    *others, first = _TOKEN.findall(match[0].partition("(")[2])
    for name in (first, *others):
        direction, signed, width, _ = ports[name].groups(default="")
        own = declared.get(name)
        kind = "reg " if own is not None and own[1] == "reg" else ""
        init = (own[5] or "") if own is not None else ""
        lines.append(f"  {direction} {kind}{signed}{width}{name}{init}")
    return f"module {match[1]}(\n" + ",\n".join(lines) + "\n);\n" + text[match.end() :]


def _merge_registers(text: str) -> str:
    """`r_next` computed in an `always @*` and taken by `r` becomes one clocked block."""
    registers = {match[2]: match[1] for match in _REGISTER.finditer(text)}
    counts = Counter(_TOKEN.findall(text))
    merged = set()

    def block(match: re.Match[str]) -> str:
        lines = match[1].splitlines()
        target = next(filter(None, map(_target, lines)))
        if target not in registers:
            return match[0]
        written = sum(_target(line) == target for line in lines)
        # Declaration, clocked block, and nothing but writes here.
        if counts[target] != written + 2:
            return match[0]
        merged.add(target)
        register = registers[target]
        result = ["  always @(posedge clk) begin"]
        for line in lines:
            if _target(line) == target:
                indent = line[: len(line) - len(line.lstrip())]
                rest = line.lstrip()[len(target) :].lstrip()
                part, _, value = rest.partition("= ")
                if value == f"{register};":
                    continue
                line = f"{indent}{register}{part.rstrip()} <= {value}"
            result.append(line)
        return "\n".join([*result, "  end\n"])

    text = _BLOCK.sub(block, text)
    text = _without(_REGISTER, 2, merged, text)
    return _without(_DECLARED, 4, merged, text)


def _without(statement: re.Pattern[str], group: int, names: Container[str], text: str) -> str:
    """Leave out the statements whose name, the pattern's `group`, is among the names."""
    return statement.sub(lambda match: "" if match[group] in names else match[0], text)


def _target(line: str) -> str | None:
    """The name that a statement assigns to, whole or in part."""
    match = re.match(rf"\s+({NAME})(?:\[[^\]]*\])? *= ", line)
    return match and match[1]


def _drop_unread(text: str) -> str:
    """Without temporaries that nobody reads, and without names of no bits."""
    while True:
        counts = Counter(_TOKEN.findall(text))
        dead = {
            match[1]
            for match in _ASSIGN.finditer(text)
            if _TEMPORARY.fullmatch(match[1]) and counts[match[1]] == 2
        }
        empty = {
            match[4]
            for match in _DECLARED.finditer(text)
            if match[3] == "[-1:0] " and counts[match[4]] == 1
        }
        if not dead and not empty:
            return text
        text = _without(_ASSIGN, 1, dead, text)
        text = _without(_DECLARED, 4, dead | empty, text)


def _name_temporaries(text: str) -> str:
    """Names after what makes a temporary: its operation, or the memory it is read from."""
    taken = set(_TOKEN.findall(text))
    names = {}

    def give(old: str, wanted: str) -> None:
        while wanted in taken:
            wanted += "_"
        taken.add(wanted)
        names[old] = wanted

    operations = {match[1]: _operation(match[2]) for match in _ASSIGN.finditer(text)}
    for name in dict.fromkeys(_TOKEN.findall(text)):
        if match := _TEMPORARY.fullmatch(name):
            give(name, operations.get(name, "net") + match[1])
    for match in _READ.finditer(text):
        give(match[1], match[2].strip().removeprefix("\\") + "_q")
    return _TOKEN.sub(lambda match: names.get(match[0], match[0]), text)


def _operation(expression: str) -> str:
    """What an expression of Yosys' does, in a word."""
    previous = ""
    while previous != expression:
        previous, expression = expression, re.sub(r"\$?\w*\([^()]*\)|\{[^{}]*\}", "x", expression)
    words = re.sub(r"\[[^\]]*\]", "", expression).split()
    if words[0] in _UNARY:
        return _UNARY[words[0]]
    return _BINARY.get(words[1], "net") if len(words) > 2 else "net"


def _fill(text: str) -> str:
    """Loops for memories that begin with one value in all words."""
    index = _INDEX
    while index in _TOKEN.findall(text):
        index += "_"
    declaration = f"  integer {index};\n"

    def loop(match: re.Match[str]) -> str:
        nonlocal declaration
        _, memory, value = match.groups()
        lines = match[1].splitlines()
        if len(lines) < _LEAST_FILL:
            return match[0]
        if lines != [f"    {memory}[{k}] = {value};" for k in range(len(lines))]:
            return match[0]
        begin, declaration = declaration, ""
        return (
            f"{begin}  initial\n"
            f"    for ({index} = 0; {index} < {len(lines)}; {index} = {index} + 1)\n"
            f"      {memory}[{index}] = {value};\n"
        )

    return _FILL.sub(loop, text)


def _widths(text: str, widths: Mapping[str, int]) -> str:
    """What Yosys wrote shorter, as wide as Verilog wants it: `x == 2'h0` instead of `! x` of some
    bits, and `4'h3 >> n` instead of `2'h3 >> n` for four bits."""

    def zero(match: re.Match[str]) -> str:
        width = choices.width_of(match[2], widths)
        if width == 1:
            return match[0]
        return f"{match[1]}{match[2]} == {width}'h{0:0{-(-width // 4)}x};\n"

    def shifted(match: re.Match[str]) -> str:
        missing = widths[match[2].strip().removeprefix("\\")] - choices.width_of(match[3], widths)
        if missing <= 0:
            return match[0]
        return f"{match[1]}{choices.extended(match[3], missing)} >> {match[4]};\n"

    return _SHIFT.sub(shifted, _NOT.sub(zero, text))


def _assign(text: str, widths: Mapping[str, int]) -> str:
    """Continuous assignments instead of `always @*`."""
    made = set()

    def block(match: re.Match[str]) -> str:
        found = list(choices.assignments(match[1], widths))
        made.update(target.strip() for target, _ in found)
        return "".join(line for _, line in found)

    text = _BLOCK.sub(block, text)
    text = _without(_DECLARED, 4, _TRIGGER.findall(text), text)
    return _DECLARED.sub(
        lambda m: m[0].replace("  reg ", "  wire ", 1) if m[4].strip() in made else m[0], text
    )


def _width(bits: str | None) -> int:
    """Of a declaration, from `[7:0] ` or nothing."""
    return int(bits[1:].partition(":")[0]) + 1 if bits else 1


def _complete(text: str) -> str:
    """Clocked cases with all values, or a default that changes nothing.

    Yosys marks a case that has all of them as `full_case`: nothing new.
    """
    lines: list[str] = []
    open_cases: list[tuple[int, list[tuple[str, ...]]]] = []
    for line in text.splitlines(keepends=True):
        if _CASE.match(line):
            open_cases.append((len(lines), []))
        elif match := _ARM.match(line):
            arm = match["patterns"]
            patterns = () if arm == "default" else tuple(arm.split(", "))
            open_cases[-1][1].append(patterns)
        elif line.strip() == "endcase":
            first, arms = open_cases.pop()
            indent = " " * (len(line) - len(line.lstrip()))
            if not choices.full(arms):
                lines.append(f"{indent}  default:\n{indent}      /* empty */;\n")
            elif _FULL.fullmatch(lines[first - 1]):
                lines[first - 1] = ""
        lines.append(line)
    return "".join(lines)
