"""SystemVerilog assertions on emitted Verilog, in a file of their own that is bound to it.

What holds in every cycle out of reset, whatever the surroundings do:

- streams: valid is held and the payload stable until the beat is taken (inputs and output of each
  layer, between the parts of an engine, behind forks, at the ports of the network), nothing is
  unknown;
- forks: a beat is offered to every reader that has not taken it;
- FIFOs: never more beats than their depth, none from nothing, none refused but by a full one;
- counters: every address lies in its memory, positions and turns in their range.

The statements are in four small modules; a `bind` an instance adds them to a module of the design,
which stays as it is. Icarus has neither `bind` nor concurrent assertions: there the file adds
nothing.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

from hw.dataflow.fabric import LUT_RAM_DEPTH
from hw.verilog.licence import DEFAULT
from hw.verilog.modules import NAME, escaped, modules, plain
from hw.verilog.rtl_folder import Emission

SUFFIX = "_sva.sv"
"""Of the file's name, behind the top module's."""

_SIGNAL = re.compile(
    rf"^  (?:input|output|wire|reg) (?:reg )?(?P<signed>signed )?(?:\[(?P<high>\d+):0\] )?"
    rf"(?P<name>{NAME})(?: = \S+?)?[,;]?$",
    re.M,
)
_MEMORY = re.compile(
    rf"^  reg (?:signed )?(?:\[\d+:0\] )?(?P<name>{NAME}) ?\[(?P<last>\d+):0\];$", re.M
)


@dataclass(frozen=True)
class _Module:
    """A module of the Verilog: its name below the top, its declarations and statements."""

    name: str
    path: str
    ports: str
    body: str

    @cached_property
    def widths(self) -> dict[str, tuple[int, bool]]:
        """Bits of each signal, and whether it is signed."""
        return {
            plain(match["name"]): (int(match["high"] or 0) + 1, bool(match["signed"]))
            for text in (self.ports, self.body)
            for match in _SIGNAL.finditer(text)
        }

    @property
    def reset(self) -> str:
        """When the module is in reset; a loadable network's parts are while weights are loaded."""
        return "rst || halted" if "halted" in self.widths else "rst"

    def bound(self, checker: str, name: str, ports: Mapping[str, str], **parameters: int) -> str:
        """A statement that binds a checker to the module."""
        values = ", ".join(f".{key}({value})" for key, value in parameters.items())
        joined = {"clk": "clk", "rst": self.reset, **ports}
        connections = ", ".join(f".{port}({value})" for port, value in joined.items())
        given = f" #({values})" if values else ""
        return f"bind {escaped(self.name)} {checker}{given} sva__{name} (\n    {connections});\n"


def assertions(emission: Emission) -> str:
    """The text of the file."""
    top = emission.top
    found = {module.path: module for module in _modules(emission)}
    layers = emission.manifest["layers"]
    fifos = {
        f"{layer['path']}.fifo{k}": fifo["depth"]
        for layer in layers
        for k, fifo in enumerate(emission.manifest["fifos"].get(layer["name"], ()))
    }
    binds = []
    paths = {layer["path"] for layer in layers}
    for path, module in found.items():
        # What a requantiser gives is its layer's output.
        if not path.endswith(".requantise"):
            binds += _streams(module, top, path in paths)
        if path.rpartition(".")[2].startswith("fork_") and "done" in module.widths:
            binds += _fork(module, top)
        if path in fifos:
            binds.append(_fifo(module, top, fifos[path]))
        binds += [
            module.bound(f"{top}_sva_range", name, {"in_range": condition})
            for name, condition in _addresses(module)
        ]
    counters = [counter for layer in layers for counter in _counters(layer, fifos)]
    counters.append(("", "beat", emission.manifest["output"]["count"] - 1))
    for path, name, most in counters:
        if path in found:
            binds += _range(found[path], top, name, most)
    return _FILE.format(
        licence=emission.manifest.get("licence", DEFAULT),
        top=top,
        binds="".join(binds),
    )


def _modules(emission: Emission) -> Iterator[_Module]:
    for name, text in modules(emission.verilog):
        ports, _, body = text.partition("\n);\n")
        yield _Module(name, name.removeprefix(emission.top).removeprefix("."), ports, body)


def _streams(module: _Module, top: str, is_layer: bool) -> Iterator[str]:
    """Rules of the streams that a module gives; of what a layer takes too, behind forks."""
    for match in re.finditer(r"\b([io]\d*)__valid\b", module.ports):
        stream = match[1]
        if f"{stream}__ready" not in module.widths or (stream[0] == "i" and not is_layer):
            continue
        payload = [name for name in module.widths if name.startswith(f"{stream}__payload")]
        declared = [name for name in payload if re.search(rf"\b{name}\b", module.ports)]
        yield _stream(module, top, stream, f"{stream}__", declared)
    if module.path == "":
        for stream in ("s_axis", "m_axis"):
            payload = [f"{stream}_tdata", f"{stream}_tlast"]
            yield _stream(module, top, stream, f"{stream}_t", payload)


def _stream(module: _Module, top: str, name: str, prefix: str, payload: list[str]) -> str:
    width = sum(module.widths[part][0] for part in payload)
    ports = {
        "valid": f"{prefix}valid",
        "ready": f"{prefix}ready",
        "payload": f"{{{', '.join(payload)}}}" if payload else "1'b0",
    }
    return module.bound(f"{top}_sva_stream", name, ports, WIDTH=max(1, width))


def _fifo(module: _Module, top: str, depth: int) -> str:
    ports = {f"{end}_{part}": f"{end}__{part}" for end in "io" for part in ("valid", "ready")}
    under_way = int(depth > LUT_RAM_DEPTH)
    return module.bound(f"{top}_sva_fifo", "fifo", ports, DEPTH=depth, UNDER_WAY=under_way)


def _fork(module: _Module, top: str) -> Iterator[str]:
    """That a fork offers its beat to every reader that has not taken it."""
    for branch in range(module.widths["done"][0]):
        ports = {"offered": f"o{branch}__valid", "taken": f"done[{branch}]", "valid": "i__valid"}
        yield module.bound(f"{top}_sva_fork", f"branch{branch}", ports)


def _addresses(module: _Module) -> Iterator[tuple[str, str]]:
    """A name and a condition for each address of a memory that could lie behind its last word."""
    for memory in _MEMORY.finditer(module.body):
        name, last = plain(memory["name"]), int(memory["last"])
        used = re.findall(rf"(?<![\w.]){re.escape(name)} ?\[([A-Za-z_]\w*)\]", module.body)
        for address in dict.fromkeys(used):
            width, _ = module.widths.get(address, (0, False))
            if last + 1 < 1 << width:
                yield f"{name}_{address}", f"{address} <= {width}'d{last}"


def _counters(layer: Mapping[str, Any], fifos: Mapping[str, int]) -> Iterator[tuple[str, str, int]]:
    """Path of a module, register in it, and its largest value. One of no bits is not there."""
    path, inputs = layer["path"], [fmt["shape"] for fmt in layer["input_formats"]]
    height, width, _ = layer["shape"]
    plan = layer.get("plan", {})
    match layer["kind"]:
        case "Concat":
            yield path, "turn", len(inputs) - 1
            yield path, "channel", max(shape[2] for shape in inputs) - 1
        case "GlobalPool":
            yield f"{path}.elements", "channel", inputs[0][2] - 1
            yield f"{path}.elements", "pixel", prod(inputs[0][:2]) - 1
        case "Add":
            pass
        case _:
            yield f"{path}.window", "ox", width - 1
            yield f"{path}.window", "oy", height - 1
            yield f"{path}.window", "level", plan["store"]
    for k in range(len(inputs)):
        fifo = f"{path}.fifo{k}"
        if fifo in fifos:
            yield f"{fifo}.queue", "level", fifos[fifo]
            yield fifo, "stored", fifos[fifo] - 1


def _range(module: _Module, top: str, name: str, most: int) -> Iterator[str]:
    """That a counter stays in its range; nothing where it has no value outside."""
    width, signed = module.widths.get(name, (0, False))
    if most < (1 << (width - signed)) - 1:
        condition = f"{name} <= {width}'{'s' if signed else ''}d{most}"
        yield module.bound(f"{top}_sva_range", name, {"in_range": condition})


_FILE = """\
// SPDX-License-Identifier: {licence}
//
// Assertions on {top}, to bind: compile this file after {top}.v, for every instance of it.
// (In Verilator: with --assert. Icarus Verilog has neither bind nor concurrent assertions: there
// the file adds nothing.) A violation is an $error that names the module it is bound to.
//
// Instances are called after what they look at: sva__o is the stream `o`, sva__ox the counter `ox`,
// sva__storage_r_port__addr the address `r_port__addr` of the memory `storage`.

// A stream: what is offered stays until it is taken, and nothing is unknown.
module {top}_sva_stream #(
    parameter int WIDTH = 1
) (
    input clk,
    input rst,
    input valid,
    input ready,
    input [WIDTH-1:0] payload
);
  always @(posedge clk)
    if (!rst) begin
      if (^{{valid, ready}} === 1'bx) $error("%m: valid or ready is unknown: %b, %b", valid, ready);
      if (valid && ^payload === 1'bx) $error("%m: payload is unknown: %b", payload);
    end
`ifndef __ICARUS__
  held :
  assert property (@(posedge clk) !rst && valid && !ready |=> rst || valid)
  else $error("%m: valid withdrawn before the beat was taken");

  stable :
  assert property (@(posedge clk) !rst && valid && !ready |=> rst || !valid || $stable(payload))
  else $error("%m: payload changed before it was taken, to %h", payload);
`endif
endmodule

// A branch of a fork, which waits for no ready.
module {top}_sva_fork (
    input clk,
    input rst,
    input valid,
    input taken,
    input offered
);
`ifndef __ICARUS__
  waits_for_nothing :
  assert property (@(posedge clk) !rst |-> offered == (valid && !taken))
  else $error("%m: a beat is not offered to a reader that has not taken it, or once more");
`endif
endmodule

// A FIFO, by what goes in and out. In block RAM the output is one of the places, and a beat may be
// under way to it.
module {top}_sva_fifo #(
    parameter int DEPTH = 2,
    parameter int UNDER_WAY = 0
) (
    input clk,
    input rst,
    input i_valid,
    input i_ready,
    input o_valid,
    input o_ready
);
  int fill;
  always @(posedge clk)
    if (rst) fill <= 0;
    else fill <= fill + (i_valid && i_ready ? 1 : 0) - (o_valid && o_ready ? 1 : 0);
`ifndef __ICARUS__
  bounded :
  assert property (@(posedge clk) !rst |-> fill <= DEPTH)
  else $error("%m: %0d beats in a FIFO of %0d", fill, DEPTH);

  from_nothing :
  assert property (@(posedge clk) !rst && o_valid |-> fill != 0)
  else $error("%m: a beat from an empty FIFO");

  refused :
  assert property (@(posedge clk) !rst && !i_ready |-> fill >= DEPTH - UNDER_WAY)
  else $error("%m: not ready with %0d beats of %0d", fill, DEPTH);
`endif
endmodule

// A counter or an address that stays in its range.
module {top}_sva_range (
    input clk,
    input rst,
    input in_range
);
`ifndef __ICARUS__
  counted :
  assert property (@(posedge clk) !rst |-> in_range)
  else $error("%m: out of range");
`endif
endmodule

`ifndef __ICARUS__
{binds}`endif
"""
