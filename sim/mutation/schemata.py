"""Mutants in the text: one of them in place, or all of them in one design behind a number.

    assign sum = mutants::select == 32'd17 ? mutant17_after : mutant17_before;

`mutants::select` is set once, at time 0, from the simulator's argument `+mutant=17`; 0 is the
design as it was.
"""

import difflib
import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace

from hw.verilog import rtl_folder
from hw.verilog.statements import ARM, read
from sim.mutation.sites import Mutant

BESIDE = {
    "mutants.vlt": """\
`verilator_config

// What a mutant computes counts, not how clean it is; a valid that waits may close a loop.
lint_off -file "*.v"
lint_off -rule UNOPTFLAT -file "*.v"
""",
    "mutants.sv": """\
// Which mutant is in place: +mutant=N, 0 for none.
package mutants;
  function automatic int chosen();
    if ($value$plusargs("mutant=%d", chosen) == 0) chosen = 0;
  endfunction

  int select = chosen();
endpackage
""",
}
"""Files that go before the design."""

_ASSIGN = re.compile(r"assign (?P<target>.*?) *= (?P<value>.*);")
_IF = re.compile(r"(?P<head>.*if \()(?P<value>.*)(?P<tail>\)(?: begin)?)")
_WORD = re.compile(r"(?P<target>.*) = (?P<value>.*);")
_PART = re.compile(r"(?P<name>.*?)\[(?P<high>\d+)(:(?P<low>\d+))?\]")


def apply(text: str, mutant: Mutant) -> str:
    """The text with one mutant in place."""
    lines = text.split("\n")
    old = lines[mutant.line]
    assert old.strip() == mutant.before, mutant
    lines[mutant.line] = _indent(old) + mutant.after
    return "\n".join(lines)


def mutated(emission: rtl_folder.Emission, mutant: Mutant) -> rtl_folder.Emission:
    """The emission with one mutant in place, its digests made right again."""
    text, name = apply(emission.verilog, mutant), emission.verilog_name
    facts = {"sha256": hashlib.sha256(text.encode()).hexdigest(), "bytes": len(text.encode())}
    manifest = emission.manifest | {"files": emission.manifest["files"] | {name: facts}}
    manifest["digest"] = rtl_folder.manifest_digest(manifest)
    return replace(emission, files=emission.files | {name: text}, manifest=manifest)


def difference(text: str, mutant: Mutant, name: str) -> str:
    """A unified diff of the change, `patch` takes it."""
    before, after = (t.splitlines(keepends=True) for t in (text, apply(text, mutant)))
    return "".join(difflib.unified_diff(before, after, f"a/{name}", f"b/{name}"))


def combine(text: str, mutants: Sequence[Mutant]) -> str:
    """The text with all mutants in it, numbered from 1 in their order."""
    modules = read(text)
    lines = text.split("\n")
    for number, mutant in enumerate(mutants, start=1):
        old = lines[mutant.line]
        assert old.strip() == mutant.before, mutant
        module = modules[mutant.module]
        kinds = {s.line: s.kind for s in module.statements}
        lines[mutant.line] = _both(number, mutant, kinds[mutant.line], module.widths, _indent(old))
    return "\n".join(lines)


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _both(number: int, mutant: Mutant, kind: str, widths: dict[str, int], indent: str) -> str:
    """A line with both forms. Each keeps the width and sign it has on its own."""
    chosen = f"mutants::select == 32'd{number}"
    if kind == "if":
        before, after = (_match(_IF, line) for line in (mutant.before, mutant.after))
        head, tail = before["head"], before["tail"]
        return f"{indent}{head}{chosen} ? ({after['value']}) : ({before['value']}){tail}"
    if kind in ("arm", "condition"):
        before, after = (_match(ARM, f"    {line}") for line in (mutant.before, mutant.after))
        value = f"({chosen} ? {after['value']} : {before['value']}){before['end']}"
        if before["condition"] is None:
            return f"{indent}{value}"
        return f"{indent}({chosen} ? {after['condition']} : {before['condition']}) ? {value}"
    if kind == "assign":
        before, after = (_match(_ASSIGN, line) for line in (mutant.before, mutant.after))
        target = before["target"]
        width = widths.get(_plain(target), 0)
        if part := _PART.fullmatch(target):
            width = int(part["high"]) - int(part["low"] or part["high"]) + 1
        name = f"mutant{number}"
        return (
            f"{indent}wire [{width - 1}:0] {name}_before = {before['value']};\n"
            f"{indent}wire [{width - 1}:0] {name}_after = {after['value']};\n"
            f"{indent}assign {target} = {chosen} ? {name}_after : {name}_before;"
        )
    return f"{indent}begin if ({chosen}) {mutant.after} else {mutant.before} end"


def _plain(name: str) -> str:
    return name.strip().removeprefix("\\")


def _match(pattern: re.Pattern[str], line: str) -> re.Match[str]:
    match = pattern.fullmatch(line)
    assert match is not None, line
    return match
