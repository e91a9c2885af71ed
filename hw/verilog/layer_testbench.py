"""Testbench of the layers one by one, in plain SystemVerilog, beside that of the whole network.

Images bring few layers to the ends of their range, and what goes wrong at one value only shows if
that value comes. Here each layer's module is fed with frames that are solved from its own weights
(`hw.corners`), and what it makes of them is compared with the integer reference. The layers run
side by side, each between sources and a sink of its own.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from hw.corners.frames import frames_for, make
from hw.ir.graph import Concat, Node
from hw.ir.network import Network
from hw.verilog import arguments, cut, random_numbers
from hw.verilog.rtl_folder import Emission
from hw.verilog.statements import Module, read

MODULE_SUFFIX = "_layers_tb"

WORDS = 2_000_000
"""Beats of all streams together, at the most: a line of the vectors each."""


@dataclass(frozen=True)
class Port:
    """A stream of a layer, and its beats.

    Parameters
    ----------
    name: prefix of its signals; width, signed: of a beat
    beats: int64, frame after frame; frame: how many of them a frame has
    """

    name: str
    width: int
    signed: bool
    beats: np.ndarray
    frame: int


@dataclass(frozen=True)
class Layer:
    """A layer between its sources and its sink.

    Parameters
    ----------
    node: of the network; module: of the Verilog
    frames: that go through
    fills: for each input, the beats that are taken where it alone is offered any; empty for a layer
    without FIFOs
    """

    node: Node
    module: Module
    inputs: tuple[Port, ...]
    output: Port
    frames: int
    fills: tuple[int, ...]


def layers(emission: Emission, network: Network, seed: int) -> list[Layer]:
    """The layers that have room among the vectors, the smallest first if not all have, in the
    network's order."""
    nodes = network.graph.nodes[1:]
    entries = {entry["name"]: entry for entry in emission.manifest["layers"]}
    modules = read(emission.verilog)
    found = {}
    for node, frames in _with_room(network, nodes):
        entry = entries[node.name]
        module = cut.module_in(modules, f"{emission.top}.{entry['path']}")
        corners = cut.corners_as_taken(network, node, module, make(network, node, frames, seed))
        inputs = tuple(
            Port(name, fmt["width"], fmt["signed"], beats.ravel(), prod(fmt["shape"]))
            for name, fmt, beats in zip(
                cut.input_ports(node), entry["input_formats"], corners.inputs, strict=True
            )
        )
        output = Port(
            "o", entry["width"], entry["signed"], corners.output.ravel(), entry["beats_per_frame"]
        )
        fills = _fills(node, entry, emission.manifest["fifos"].get(node.name, ()))
        found[node.name] = Layer(node, module, inputs, output, frames, fills)
    return [found[node.name] for node in nodes if node.name in found]


def _with_room(network: Network, nodes: Iterable[Node]) -> Iterator[tuple[Node, int]]:
    """The nodes, and as many frames as each needs or has room for."""
    left = WORDS
    words = {
        node.name: prod(node.shape) + sum(map(prod, network.graph.in_shapes(node)))
        for node in nodes
    }
    waiting = sorted(nodes, key=lambda node: words[node.name])
    for position, node in enumerate(waiting):
        share = left // (len(waiting) - position)
        frames = min(frames_for(network, [node.name]), share // words[node.name])
        if frames == 0:
            return
        left -= frames * words[node.name]
        yield node, frames


def _fills(
    node: Node, entry: Mapping[str, Any], fifos: Iterable[Mapping[str, int]]
) -> tuple[int, ...]:
    """What each FIFO takes while nothing comes at the other inputs: its depth, and what goes on.

    A concatenation's first input goes on to a pixel's end. Where there is one input only the output
    is held back instead, and has one beat.
    """
    depths = [fifo["depth"] for fifo in fifos]
    if len(depths) == 1:
        return (depths[0] + 1,)
    if isinstance(node, Concat):
        depths[0] += entry["input_formats"][0]["shape"][2]
    return tuple(depths)


def files(emission: Emission, network: Network, seed: int) -> dict[str, str]:
    """Testbench and vectors by name.

    Parameters
    ----------
    emission: the RTL
    network: that it computes
    seed: of the frames, and of stalls and resets until a run is told another one
    """
    tested = layers(emission, network, seed)
    count = len(network.graph.nodes) - 1
    module = emission.top + MODULE_SUFFIX
    vectors, places, at = [], {}, 0
    for layer in tested:
        for port in (*layer.inputs, layer.output):
            places[layer.node.name, port.name] = at
            vectors.append(_hex(port))
            at += len(port.beats)
    ports = [port for layer in tested for port in (*layer.inputs, layer.output)]
    fills = [layer.fills for layer in tested if layer.fills]
    left_out = f" ({count - len(tested)} more are too large for the vectors)"
    text = _BENCH.format(
        licence=emission.manifest["licence"],
        step=random_numbers.STEP,
        argument=arguments.FUNCTION,
        read_arguments=arguments.READ,
        top=emission.top,
        module=module,
        layers=f"{len(tested)} of {count} layers{left_out if count > len(tested) else ''}",
        count=len(tested),
        words=at,
        width=max(port.width for port in ports),
        beats=sum(len(layer.output.beats) for layer in tested),
        fills=max(map(len, fills), default=0),
        filled=max((max(fill) for fill in fills), default=0) + 256,
        period=max(1, round(emission.manifest["cycles_per_frame"])),
        latency=emission.manifest["latency_cycles"],
        seed=seed % (1 << 31),
        instances="".join(
            f"  {emission.top}_tb_layer{n} layer{n} (\n"
            "      .clk(clk), .rst(rst), .seed(seed), .run(run), .cycle(cycle), .cut(cut),\n"
            "      .fill(fill), .alone(alone), .ends(ends), .stalled(stalled),\n"
            f"      .complete(complete[{n}]), .failed(failed[{n}])\n"
            "  );\n"
            for n in range(len(tested))
        ),
        benches="\n".join(_layer(emission.top, n, layer, places) for n, layer in enumerate(tested)),
    )
    return {f"{module}.sv": text, f"{module}_vectors.hex": "".join(vectors)}


def _hex(port: Port) -> str:
    mask = (1 << port.width) - 1
    return "".join(f"{beat & mask:x}\n" for beat in port.beats.tolist())


def _layer(top: str, number: int, layer: Layer, places: Mapping[tuple[str, str], int]) -> str:
    """The module with a layer, its sources and its sink."""
    node, out = layer.node, layer.output
    wires, parts, connections = [], [], []
    for k, port in enumerate(layer.inputs):
        wires += [
            f"  wire {port.name}__valid, {port.name}__ready;",
            f"  wire {port.name}_moved, {port.name}_failed;",
            f"  wire [{port.width - 1}:0] {port.name}__payload;",
        ]
        parameters = {
            "NAME": f'"{node.name} input {k} ({node.inputs[k]})"',
            "FIRST": places[node.name, port.name],
            "BEATS": len(port.beats),
            "FRAME": port.frame,
            "INPUT": k,
            "FILL": layer.fills[k] if layer.fills else 0,
            "WIDTH": port.width,
            "SALT": 64 * number + k,
        }
        parts.append(
            f"  {top}_tb_source #(\n{_parameters(parameters)}\n  ) source{k} (\n"
            "      .clk(clk), .rst(rst), .seed(seed), .run(run), .cut(cut), .fill(fill),\n"
            "      .alone(alone), .ends(ends), .stalled(stalled), .fills(fills), .still(still),\n"
            f"      .valid({port.name}__valid), .ready({port.name}__ready),\n"
            f"      .payload({port.name}__payload), .moved({port.name}_moved),\n"
            f"      .failed({port.name}_failed)\n  );\n"
        )
    for port in (*layer.inputs, out):
        connections += [
            f"      .{port.name}__{part}({port.name}__{part})"
            for part in ("payload", "valid", "ready")
        ]
    parameters = {
        "NAME": f'"{node.name}"',
        "FIRST": places[node.name, "o"],
        "BEATS": len(out.beats),
        "FRAME": out.frame,
        "COLUMNS": node.shape[1],
        "CHANNELS": node.shape[2],
        "HOLDS": int(len(layer.fills) == 1),
        "SIGNED": int(out.signed),
        "WIDTH": out.width,
        "STILL": 64 + max((port.frame for port in layer.inputs), default=0),
        "SALT": 64 * number + 63,
    }
    inside = f"{top}_tb_cut{number}"
    return _LAYER.format(
        top=top,
        number=number,
        name=node.name,
        frames=layer.frames,
        wires="\n".join(wires),
        width=out.width,
        sources="".join(parts),
        inside=inside,
        connections=",\n".join(connections),
        sink=_parameters(parameters),
        moved=" || ".join(f"{port.name}_moved" for port in layer.inputs),
        any_failed=" || ".join(f"{port.name}_failed" for port in layer.inputs),
        wrapper=cut.wrapper(
            inside,
            layer.module,
            {port.name: port.width for port in layer.inputs},
            {"o": out.width},
        ),
    )


def _parameters(values: Mapping[str, Any]) -> str:
    return ",\n".join(f"      .{name}({value})" for name, value in values.items())


_LAYER = """\
// {name}: {frames} frames
module {top}_tb_layer{number} (
    input clk,
    input rst,
    input [31:0] seed,
    input [31:0] run,
    input [31:0] cycle,
    input cut,
    input fill,
    input [31:0] alone,
    input ends,
    input stalled,
    output complete,
    output failed
);
{wires}
  wire o__valid, o__ready, o_failed, fills, still;
  wire [{width}-1:0] o__payload;
  assign failed = {any_failed} || o_failed;
{sources}  {top}_tb_sink #(
{sink}
  ) sink (
      .clk(clk), .rst(rst), .seed(seed), .run(run), .cycle(cycle), .cut(cut), .fill(fill),
      .stalled(stalled), .moved({moved}), .valid(o__valid), .ready(o__ready),
      .payload(o__payload), .fills(fills), .still(still), .complete(complete), .failed(o_failed)
  );
  {inside} dut (
      .clk(clk),
      .rst(rst),
{connections}
  );
endmodule

{wrapper}"""

_BENCH = """\
// SPDX-License-Identifier: {licence}
//
// Testbench of the layers of {top}, one by one: plain SystemVerilog, no Python, no library.
//
// {layers} of the network, each between sources and a sink of its own, are fed with
// frames that drive it to the ends of its sums, to the codes on both sides of its clamps and to
// values that lie just between two codes. What the integer reference makes of them is what has to
// come ({module}_vectors.hex: a beat a line, stream after stream).
//
// The first runs are cut off by a reset of one cycle, every other one of them under stalls. In the
// next ones one input of each join alone is offered beats: its FIFO takes as many as it is deep.
// Then all frames go through at full speed, then under stalls.
//
// Checked: every beat; valid that is held and a payload that is stable until it is taken; nothing
// unknown (where the simulator knows X); no beat too many; the depth of every FIFO; a watchdog. It
// ends with a line `PASS: ...` and $finish, or after the first difference with lines `FAIL: ...`
// and $fatal. Arguments of the simulation: +seed=N, +resets=N.

`timescale 1ns / 1ps

module {module};
  localparam bit [31:0] LAYERS = {count};
  localparam bit [31:0] WORDS = {words};
  localparam bit [31:0] BEATS = {beats};  // that come out of all layers
  localparam bit [31:0] FILLS = {fills};  // inputs of the largest join
  localparam bit [31:0] FILLED = {filled};  // cycles after which all FIFOs are full
  localparam bit [31:0] PERIOD = {period};  // cycles a frame takes in the network
  localparam bit [31:0] SETTLE = 1000;  // cycles watched after the last beat
  localparam bit [31:0] PATIENCE = 20000 + 2 * {latency};  // cycles without a beat: it hangs

  bit clk;
  bit rst = 1;
  always #5 clk = !clk;

  reg [{width}-1:0] vectors[0:WORDS-1];

  bit [31:0] seed = {seed};
  bit [31:0] resets = 6;
  bit [31:0] random;

{argument}
  // Marsaglia's xorshift: a linear-feedback shift register, many steps at once.
{step}
  initial begin
    $readmemh("{module}_vectors.hex", vectors);
    if (^vectors[WORDS-1] === 1'bx) begin
      $display("FAIL: {module}_vectors.hex: not found or cut short");
      $fatal(1);
    end
{read_arguments}    random = step(step((seed + 1) * 32'h9E3779B9 | 1));
  end

  // --- The run: which it is, and when it ends

  bit [31:0] run, cycle, settled, cut_in;
  longint cycles;
  wire cut = run < resets;
  wire [31:0] alone = run - resets;  // the input that is offered beats
  wire fill = !cut && alone < FILLS;
  wire last = !cut && alone == FILLS + 1;
  wire stalled = cut ? run[0] : last;
  wire [LAYERS-1:0] complete, failed;
  wire ends = cut ? cycle == cut_in : fill ? cycle == FILLED : settled == SETTLE;

  always @(posedge clk) begin
    random <= step(random);
    rst <= 0;
    cycles <= cycles + 1;
    if (rst) begin
      cycle <= 0;
      settled <= 0;
      cut_in <= 1 + random % ((2 * PERIOD >> run % 6) + 16);
    end else begin
      cycle <= cycle + 1;
      settled <= &complete ? settled + 1 : 0;
      if (failed != 0) $fatal(1);
      if (ends && failed == 0) begin
        if (last) begin
          $write("PASS: %0d layers on their own, %0d beats equal at full speed and under stalls, ",
                 LAYERS, BEATS);
          $display("%0d resets, %0d cycles", resets, cycles);
          $finish;
        end
        rst <= 1;
        run <= run + 1;
      end
    end
  end

{instances}endmodule

// Beats for one input of a layer.
module {top}_tb_source #(
    parameter NAME = "",
    parameter bit [31:0] FIRST = 0,  // where its beats stand among the vectors
    parameter bit [31:0] BEATS = 1,
    parameter bit [31:0] FRAME = 1,  // beats of a frame
    parameter bit [31:0] INPUT = 0,  // which of the layer's
    parameter bit [31:0] FILL = 0,  // beats taken where it alone is offered any; 0: no FIFO
    parameter int WIDTH = 1,
    parameter bit [31:0] SALT = 0
) (
    input clk,
    input rst,
    input [31:0] seed,
    input [31:0] run,
    input cut,
    input fill,
    input [31:0] alone,
    input ends,
    input stalled,
    input fills,
    input still,
    output bit valid,
    input ready,
    output bit [WIDTH-1:0] payload,
    output moved,
    output bit failed
);
  bit [31:0] random, offered, at, taken;
  bit [1:0] mood;
  bit [15:0] left;  // cycles of the mood
  wire mine = fill && INPUT == alone && FILL != 0;
  // While the sink lets all fill up, the source does not pause.
  wire hold = stalled && !fills && (
      mood == 0 ? 1'b0
      : mood == 1 ? random[0]
      : mood == 2 ? random[2:0] != 0
      : !still);  // a beat each time that all stands still
  wire more = (fill ? mine : cut || offered < BEATS) && !hold;
  assign moved = valid && ready;

{step}
  always @(posedge clk) begin
    random <= rst && run == 0 ? step(step((seed + SALT) * 32'h9E3779B9 | 1)) : step(random);
    left <= left - 1;
    if (left == 0) begin
      mood <= random[9:8];
      left <= 16'd16 << random[12:10];
    end
    if (rst) begin
      valid <= 0;
      offered <= 0;
      taken <= 0;
      at <= cut ? run * FRAME % BEATS : 0;
    end else begin
      if (moved) taken <= taken + 1;
      // A beat that is offered stays until it is taken.
      if (!valid || ready) begin
        valid <= more;
        if (more) begin
          payload <= {module}.vectors[FIRST+at][WIDTH-1:0];
          offered <= offered + 1;
          at <= at == BEATS - 1 ? 0 : at + 1;
        end
      end
      if (!failed && ^ready === 1'bx) begin
        failed <= 1;
        $display("FAIL: %0s: ready is unknown (run %0d)", NAME, run);
      end
      if (!failed && mine && ends && taken != FILL) begin
        failed <= 1;
        $display("FAIL: %0s: %0d beats taken while no other input had any, expected %0d (run %0d)",
                 NAME, taken, FILL, run);
      end
    end
  end
endmodule

// What a layer gives.
module {top}_tb_sink #(
    parameter NAME = "",
    parameter bit [31:0] FIRST = 0,  // where its beats stand among the vectors
    parameter bit [31:0] BEATS = 1,
    parameter bit [31:0] FRAME = 1,  // beats of a frame
    parameter bit [31:0] COLUMNS = 1,
    parameter bit [31:0] CHANNELS = 1,
    parameter bit HOLDS = 0,  // takes nothing while a FIFO is filled
    parameter bit SIGNED = 1,
    parameter int WIDTH = 1,
    parameter bit [31:0] STILL = 64,  // cycles without a beat: all that can be is full
    parameter bit [31:0] SALT = 0
) (
    input clk,
    input rst,
    input [31:0] seed,
    input [31:0] run,
    input [31:0] cycle,
    input cut,
    input fill,
    input stalled,
    input moved,
    input valid,
    output bit ready,
    input [WIDTH-1:0] payload,
    output fills,
    output still,
    output complete,
    output bit failed
);
  bit [31:0] random, taken, at, idle;
  bit [2:0] mood;
  bit [15:0] left;  // of the mood: cycles, or beats where it waits for them
  bit waiting;
  bit [WIDTH-1:0] waiting_payload;
  wire follows = mood == 4 || mood == 5;
  wire hold = fill ? HOLDS : stalled && (
      mood == 0 ? random[4]
      : mood == 1 ? random[6:4] != 0
      : fills ? !still  // a beat each time that all is full
      : follows ? !valid || ready  // ready only after valid
      : mood == 6 && ready);  // every other cycle
  assign fills = mood == 2 || mood == 3;
  assign still = idle >= STILL;
  assign complete = !cut && !fill && taken == BEATS;

{step}
  function automatic longint number(input [WIDTH-1:0] x);
    longint y;
    y = 0;
    y[WIDTH-1:0] = x;
    if (SIGNED && x[WIDTH-1]) y = y - (64'sd1 << WIDTH);
    number = y;
  endfunction

  task automatic fail(input string what);
    if (!failed) begin
      failed = 1;
      $display("FAIL: %0s: frame %0d, pixel (%0d, %0d), channel %0d: %0s (run %0d, cycle %0d, %0s)",
               NAME, at / FRAME, at % FRAME / CHANNELS / COLUMNS, at / CHANNELS % COLUMNS,
               at % CHANNELS, what, run, cycle, stalled ? "under stalls" : "at full speed");
    end
  endtask

  always @(posedge clk) begin
    random <= rst && run == 0 ? step(step((seed + SALT) * 32'h9E3779B9 | 1)) : step(random);
    if (!(fills || follows) || (valid && ready)) left <= left - 1;
    if (rst) begin
      // At first all fills up.
      mood <= 2;
      left <= 4;
    end else if (left == 0) begin
      mood <= random[16:14];
      left <= random[16:14] >= 2 && random[16:14] <= 5 ? 16'd1 + {{14'd0, random[18:17]}}
          : 16'd16 << random[19:17];
    end
    if (rst) begin
      ready <= 0;
      taken <= 0;
      at <= cut ? run * FRAME % BEATS : 0;
      idle <= 0;
      waiting <= 0;
    end else begin
      ready <= !hold;
      idle <= moved || (valid && ready) ? 0 : idle + 1;
      waiting <= valid && !ready;
      waiting_payload <= payload;
      if (valid === 1'bx) fail("valid is unknown");
      if (valid && ^payload === 1'bx) fail($sformatf("payload is unknown: %b", payload));
      if (waiting && !valid) fail("valid withdrawn before the beat was taken");
      if (waiting && payload != waiting_payload)
        fail($sformatf("payload changed from %0d to %0d before it was taken",
                       number(waiting_payload), number(payload)));
      if (complete && valid) fail("all frames have come, and more follows");
      else if (valid && ready) begin
        if (payload != {module}.vectors[FIRST+at][WIDTH-1:0])
          fail($sformatf("expected %0d, got %0d",
                         number({module}.vectors[FIRST+at][WIDTH-1:0]), number(payload)));
        taken <= taken + 1;
        at <= at == BEATS - 1 ? 0 : at + 1;
      end
      if (!cut && !fill && !complete && idle >= {module}.PATIENCE)
        fail($sformatf("hang: %0d cycles without a beat", idle));
    end
  end
endmodule

{benches}"""
