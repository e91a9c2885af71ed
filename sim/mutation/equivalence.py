"""Whether a mutant can be told from the original at all: a proof, where one is found.

The module (then the layer it is part of) stands twice side by side, once with the mutant, with the
same inputs, which are free to do anything. If their outputs can never differ, from the initial
state on, no testbench can kill the mutant. A stream's payload counts only while its valid is high.
The prover is ABC's, as it comes with Yosys: latch correspondence, then property-directed
reachability.
"""

import re
from collections.abc import Collection, Iterator

from hw import outputs
from hw.verilog import cut, ecp5_cells, yosys
from hw.verilog.statements import CELL, Module, read, subtree
from sim.mutation import schemata
from sim.mutation.sites import Mutant

SECONDS = 60
"""Time for one proof."""

_SCRIPT = """
read_verilog -sv miter.v
hierarchy -top miter
proc
flatten
opt -full
memory -nordff
opt -full
async2sync
techmap
opt -full
dffunmap
setundef -undriven -zero
setundef -init -zero
aigmap
opt_clean
write_aiger -zinit miter.aig
"""

_PROVED = ("UNSATISFIABLE", "Property proved")
"""What ABC's `sat` and `pdr` say when `bad` can never be high. `sat` says so only where latch
correspondence left no registers."""

_ABC = "read_aiger miter.aig; strash; scorr; dc2; scorr -F 2; sat; pdr -T {seconds}"


def proved(text: str, mutant: Mutant, layers: list[str], seconds: int = SECONDS) -> str | None:
    """Name of the module within which the mutant is equivalent; None where no proof was found.

    `layers` are the modules of layers: the second try is the one the mutant lies in. Of a module
    outside of all layers the submodules are cut off: what they say is free.
    """
    modules = read(text)
    after = schemata.apply(text, mutant)
    around = [name for name in layers if mutant.module.startswith(f"{name}.")]
    inside = mutant.module in layers or bool(around)
    for scope in (mutant.module, *around):
        sides = [
            (side, list(subtree(modules, scope))) if inside else _alone(side, scope)
            for side in (text, after)
        ]
        if _equivalent(scope, sides[0], sides[1], seconds):
            return scope
    return None


def same(before: str, after: str, name: str, layers: list[str], seconds: int) -> bool:
    """Whether the module `name` of two texts is proved to be the same, whatever comes in and
    whatever its outputs are used for; submodules, and what they say, are left open.

    A second try is the layer that it lies in, of `layers`, with all that is inside.
    """
    one, two = read(before), read(after)
    if name not in one or name not in two:
        return False
    sides = [_alone(text, name) for text in (before, after)]
    scopes = [(name, sides)]
    for layer in layers:
        if name == layer or name.startswith(f"{layer}."):
            whole = [(text, list(subtree(read(text), layer))) for text in (before, after)]
            scopes.append((layer, whole))
    for scope, (first, second) in scopes:
        if _ports(first, scope) != _ports(second, scope):
            continue
        if _equivalent(scope, first, second, seconds, strict=True):
            return True
    return False


def _ports(side: "Side", scope: str) -> dict[str, tuple[str, int]]:
    module = next(module for module in side[1] if module.name == scope)
    return {name: (way, module.widths[name]) for name, way in module.directions.items()}


Side = tuple[str, list[Module]]
"""A text, and the modules of it that count."""


def _equivalent(
    scope: str, before: Side, after: Side, seconds: int, *, strict: bool = False
) -> bool:
    """`strict`: payloads count in every cycle, not only while their valid is high."""
    with outputs.temporary_folder() as folder:
        module = next(module for module in before[1] if module.name == scope)
        parts = [_modules(*before, "before"), _modules(*after, "after"), _miter(module, strict)]
        if any(CELL.fullmatch(line) for line in parts[0].split("\n")):
            # Block RAMs are not among them: a module that has one is not proved to be another's.
            parts.insert(0, ecp5_cells.models()[ecp5_cells.CELLS])
        (folder / "miter.v").write_text("\n".join(parts), encoding="utf-8")
        try:
            yosys.run(_SCRIPT, folder)
        except yosys.YosysError:
            # A mutant may close a combinational loop, which has no place in an and-inverter graph.
            return False
        said = yosys.abc(_ABC.format(seconds=seconds), folder, 4 * seconds)
        return any(word in said for word in _PROVED)


def _alone(text: str, scope: str) -> Side:
    alone = cut.alone(text, scope)
    return alone, [read(alone)[scope]]


def _modules(text: str, inside: list[Module], prefix: str) -> str:
    """The modules' text, each name with a prefix."""
    lines = text.split("\n")
    body = "\n".join("\n".join(lines[m.first : m.last + 1]) for m in inside)
    for module in inside:
        body = body.replace(f"\\{module.name} ", _named(prefix, module.name))
        body = body.replace(f"module {module.name}(", f"module {_named(prefix, module.name)}(")
    return body


def _named(prefix: str, module: str) -> str:
    return f"\\{prefix}.{module} "


def _miter(module: Module, strict: bool) -> str:
    """Both modules on the same inputs; `bad` where their outputs differ, payloads only while their
    valid is high unless `strict`.
    """
    ports, wires = [], []
    connections: dict[str, list[str]] = {"before": [], "after": []}
    for name, direction in module.directions.items():
        bits = f"[{module.widths[name] - 1}:0] "
        if direction == "input":
            ports.append(f"  input {bits}{_escaped(name)}")
        for side, found in connections.items():
            net = _escaped(name) if direction == "input" else _escaped(f"{side} {name}")
            found.append(f"    .{_escaped(name)}({net})")
            if direction == "output":
                wires.append(f"  wire {bits}{net};")
    outputs = [name for name, direction in module.directions.items() if direction == "output"]
    different = [_different(name, () if strict else outputs) for name in outputs]
    instances = [
        f"  {_named(side, module.name)} {side} (\n" + ",\n".join(found) + "\n  );"
        for side, found in connections.items()
    ]
    return "\n".join(
        [
            "module miter(",
            ",\n".join([*ports, "  output bad"]),
            ");",
            *wires,
            *instances,
            f"  assign bad = {' | '.join(different)};",
            "endmodule",
            "",
        ]
    )


def _different(name: str, outputs: Collection[str]) -> str:
    """Whether an output differs; a payload counts while the original's valid, if that is among
    `outputs`, is high.
    """
    differs = f"({_escaped(f'before {name}')} != {_escaped(f'after {name}')})"
    for valid in _valids(name):
        if valid in outputs and valid != name:
            return f"({_escaped(f'before {valid}')} & {differs})"
    return differs


def _valids(name: str) -> Iterator[str]:
    """What the valid of a payload might be called."""
    if match := re.fullmatch(r"(.*__)payload(_\d+)*", name):
        yield f"{match[1]}valid"
    if match := re.fullmatch(r"(.*_t)(data|last)", name):
        yield f"{match[1]}valid"
    if match := re.fullmatch(r"(s_axil_[rb])(data|resp)", name):
        yield f"{match[1]}valid"
    if match := re.fullmatch(r"(.*_)data", name):
        yield f"{match[1]}rdy"


def _escaped(name: str) -> str:
    return f"\\{name.replace(' ', '.')} "
