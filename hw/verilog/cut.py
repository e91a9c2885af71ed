"""Modules of emitted Verilog on their own: what is simulated below the whole network.

A module in the text has only the signals that somebody needs: bits of a payload that repeat its
sign are left out of its ports, a payload that a fork does not look at goes past it, what a loader
would write comes in beside the streams. A wrapper gives it all signals of its streams again.
"""

import re
from collections.abc import Mapping

import numpy as np

from hw.corners.frames import Corners, fed
from hw.errors import InputError
from hw.ir.graph import Add, Concat, Node
from hw.ir.network import Network
from hw.verilog.modules import plain
from hw.verilog.statements import CONNECTION, INSTANCE, Module, read

INSIDE = "part"
"""Instance of the module in its wrapper."""

_BITS = re.compile(r"(?P<signal>.*__payload)_(?P<high>\d+)(_(?P<low>\d+))?")

_LOADING = re.compile(r"load__.*|halted")
"""Inputs that are low where no weights are loaded."""


def module_in(modules: Mapping[str, Module], name: str) -> Module:
    """The module of that name.

    Raises
    ------
    InputError: the Verilog has none
    """
    if name not in modules:
        raise InputError(f"rtl: the Verilog has no module {name}; do not rename modules in it")
    return modules[name]


def carried(module: Module, signal: str) -> int | None:
    """Low bits of an input's payload that the module takes, where those above repeat the sign, as
    what comes before it never gives more; None: it takes all of them.
    """
    parts = [_BITS.fullmatch(port) for port, way in module.directions.items() if way == "input"]
    found = [part for part in parts if part is not None and part["signal"] == signal]
    if not found:
        return None
    bits = {
        bit
        for part in found
        for bit in range(int(part["low"] or part["high"]), int(part["high"]) + 1)
    }
    width = module.widths[signal]
    return next((bit for bit in range(width) if bit not in bits), None)


def as_carried(values: np.ndarray, bits: int | None) -> np.ndarray:
    """Signed values as they arrive where only some low bits of them are taken."""
    if bits is None:
        return values
    half = 1 << bits - 1
    return (values + half & 2 * half - 1) - half


def input_ports(node: Node) -> list[str]:
    """Prefixes of the input streams of a layer's module."""
    return [f"i{k}" for k in range(len(node.inputs))] if isinstance(node, Add | Concat) else ["i"]


def corners_as_taken(network: Network, node: Node, module: Module, corners: Corners) -> Corners:
    """The corners of a layer as its module in the RTL takes them, which leaves out of its ports the
    bits that nothing before it ever gives.
    """
    bits = [carried(module, f"{port}__payload") for port in input_ports(node)]
    if bits == [None] * len(bits):
        return corners
    inputs = [as_carried(*pair) for pair in zip(corners.inputs, bits, strict=True)]
    return fed(network, node, inputs)


def takes_all(module: Module) -> bool:
    """Whether the module takes all bits of its inputs."""
    payloads = [name for name in module.widths if re.fullmatch(r"i\d*__payload", name)]
    return all(carried(module, name) is None for name in payloads)


def alone(text: str, scope: str) -> str:
    """A module without its submodules: their outputs become its inputs, their inputs its
    outputs."""
    modules = read(text)
    module, lines = modules[scope], text.split("\n")
    ports, body = [], []
    instance = child = ""
    for line in lines[module.first + 1 : module.last + 1]:
        if match := INSTANCE.match(line):
            instance, child = plain(match["name"]), plain(match["module"])
        elif instance and line == "  );":
            instance = ""
        elif instance and (match := CONNECTION.fullmatch(line)):
            port = plain(match["port"])
            below = modules[child]
            name, bits = f"{instance}.{port}", f"[{below.widths[port] - 1}:0]"
            if below.directions[port] == "output":
                ports.append(f"  input {bits} {_named(name)},")
                body.append(f"  assign {match['value']} = {_named(name)};")
            elif port not in ("clk", "rst"):
                ports.append(f"  output {bits} {_named(name)},")
                body.append(f"  assign {_named(name)} = {match['value']};")
        else:
            body.append(line)
    return "\n".join([lines[module.first], *ports, *body])


def _named(name: str) -> str:
    return f"\\{name} "


def wrapper(name: str, module: Module, sources: Mapping[str, int], sinks: Mapping[str, int]) -> str:
    """Verilog of a module `name` that has `module` inside, with clk, rst and all signals of the
    streams.

    Parameters
    ----------
    sources, sinks: bits of the payload of each stream, by the prefix of its signals ("i", "i0")

    Raises
    ------
    InputError: the module has an input that no stream explains
    """
    inputs, outputs = {"clk": 1, "rst": 1}, {}
    for streams, ahead, back in ((sources, inputs, outputs), (sinks, outputs, inputs)):
        for stream, width in streams.items():
            ahead[f"{stream}__valid"] = 1
            ahead[f"{stream}__payload"] = width
            back[f"{stream}__ready"] = 1
    ports = [f"  input {_bits(width)}{port}" for port, width in inputs.items()]
    ports += [f"  output {_bits(width)}{port}" for port, width in outputs.items()]
    joined = []
    for port, way in module.directions.items():
        value = port if port in outputs else ""
        joined.append(
            f"    .\\{port} ({_value(module.name, port, inputs) if way == 'input' else value})"
        )
    lines = [
        f"  assign {port} = {_inner(module, port, inputs)};"
        for port in outputs
        if module.directions.get(port) != "output"
    ]
    return "\n".join(
        [
            f"module {name}(",
            ",\n".join(ports),
            ");",
            f"  \\{module.name}  {INSIDE} (",
            ",\n".join(joined),
            "  );",
            *lines,
            "endmodule",
            "",
        ]
    )


def _bits(width: int) -> str:
    return f"[{width - 1}:0] " if width > 1 else ""


def _value(module: str, port: str, inputs: Mapping[str, int]) -> str:
    """What an input of the module is joined to."""
    if port in inputs:
        return port
    part = _BITS.fullmatch(port)
    if part is not None and part["signal"] in inputs:
        low = part["low"]
        return f"{part['signal']}[{part['high']}{':' + low if low else ''}]"
    if _LOADING.fullmatch(port):
        return "0"
    raise InputError(
        f"rtl: {module}: {port} is no signal of its streams, so that it cannot be simulated on its "
        "own; give --level network"
    )


def _inner(module: Module, port: str, inputs: Mapping[str, int]) -> str:
    """An output that is no port of the module: a signal inside it, or a payload that goes past."""
    if port in module.widths:
        return f"{INSIDE}.{port}"
    if port.endswith("__payload") and "i__payload" in inputs:
        return "i__payload"
    raise InputError(
        f"rtl: {module.name}: has no signal {port}, so that it cannot be simulated on its own; "
        "give --level network"
    )
